# Sourced: `start_stack FOLDER` starts the local stack on free ports with its data in memory, waits until it serves, and
# sets STACK_URL; it ends with the shell.

start_stack() {
  local out=$1/stack.out
  mkdir -p "$1"
  # What an earlier stack said must not be taken for this one's word.
  : >"$out"
  cargo build --locked --quiet -p local
  target/debug/local --ephemeral --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --print-env >"$out" 2>"$1/stack.log" &
  stack=$!
  trap 'kill "$stack" 2>/dev/null || true' EXIT
  for _ in {1..300}; do
    grep -q '^export AWS_ENDPOINT_URL=' "$out" && break
    kill -0 "$stack" 2>/dev/null || { cat "$1/stack.log" >&2; echo 'the local stack ended before it served' >&2; return 1; }
    sleep 0.1
  done
  STACK_URL=$(sed -n 's/^ADMIT_ONE_READY http=\([^ ]*\).*/\1/p' "$out")

  [ -n "$STACK_URL" ] || { echo 'the local stack did not say where it serves' >&2; return 1; }
}
