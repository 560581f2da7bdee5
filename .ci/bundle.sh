# Sourced: `start_bundle FOLDER` starts the bundle on free ports with its data in memory, waits until it serves, and
# sets BUNDLE_URL; it ends with the shell.

start_bundle() {
  local out=$1/bundle.out
  mkdir -p "$1"
  cargo build --locked --quiet -p local
  target/debug/local --ephemeral --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --print-env >"$out" 2>"$1/bundle.log" &
  bundle=$!
  trap 'kill "$bundle" 2>/dev/null || true' EXIT
  for _ in {1..300}; do
    grep -q '^export AWS_ENDPOINT_URL=' "$out" && break
    kill -0 "$bundle" 2>/dev/null || { cat "$1/bundle.log" >&2; echo 'the bundle ended before it served' >&2; return 1; }
    sleep 0.1
  done
  BUNDLE_URL=$(sed -n 's/^ADMIT_ONE_READY http=\([^ ]*\).*/\1/p' "$out")

  [ -n "$BUNDLE_URL" ] || { echo 'the bundle did not say where it serves' >&2; return 1; }
}
