#!/usr/bin/env bash
# Builds the functions as they are deployed, then serves them with `cargo lambda watch` against the local stack's AWS and
# replays every sample of `events/`.
#   .ci/cargo-lambda.sh build     builds them alone
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh

mapfile -t functions < <(ls functions)
logs=$PWD/target/ci-logs
rm -rf "$logs"
mkdir -p "$logs"
stack='' watch=''

# Each runs in a process group of its own, so that what they started ends with them.
stop() {
  [ -n "$1" ] || return 0
  kill -INT -- "-$1" 2>/dev/null || return 0
  for _ in {1..50}; do
    kill -0 -- "-$1" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$1" 2>/dev/null || true
}

finish() {
  local status=$?
  trap - EXIT
  stop "$watch"
  stop "$stack"
  if [ "$status" -ne 0 ]; then
    # The logs of what ran last.
    (cd "$logs" && ls -t -- *.log 2>/dev/null | head -n 2) | while read -r log; do
      printf '\n--- the end of target/ci-logs/%s\n' "$log"
      tail -n 40 "$logs/$log"
    done >&2
    echo 'cargo-lambda.sh failed' >&2
  fi
  exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

# As it is deployed: release binaries, and the folders that `sam deploy` uploads.
cargo lambda build --release "${functions[@]/#/--package=}" >"$logs/build.log" 2>&1
for function in "${functions[@]}"; do
  [ -x "target/lambda/$function/bootstrap" ] || { echo "cargo lambda build made no $function" >&2; exit 1; }
done
if [ "${1-}" = build ]; then exit; fi
if sam --version >/dev/null 2>&1; then
  case $(uname -m) in x86_64) architecture=x86_64 ;; *) architecture=arm64 ;; esac
  sam build --parameter-overrides "Architecture=$architecture" >"$logs/sam-build.log" 2>&1
  for function in "${functions[@]^}"; do
    [ -x ".aws-sam/build/${function}Function/bootstrap" ] || { echo "sam build made no ${function}Function" >&2; exit 1; }
  done
else
  echo 'sam does not run here: sam build was left out' >&2
fi

# The samples, against debug builds: those are there already from the tests.
cargo build >"$logs/cargo-build.log" 2>&1
set -m
target/debug/local --ephemeral --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --print-env \
  >"$logs/stack.out" 2>"$logs/stack.log" &
stack=$!
set +m
for _ in {1..300}; do
  # The line after the last one that is needed tells that all are there.
  grep -q '^ADMIT_ONE_READY ' "$logs/stack.out" && grep -q '^export AWS_ENDPOINT_URL=' "$logs/stack.out" && break
  kill -0 "$stack" 2>/dev/null || { echo 'the local stack ended before it was ready' >&2; exit 1; }
  sleep 0.1
done
grep -q '^ADMIT_ONE_READY ' "$logs/stack.out" || { echo 'the local stack was not ready within 30 s' >&2; exit 1; }

# What the functions run with: the local stack's environment, with the demo values that the samples are written for.
python3 - "$logs/stack.out" >"$logs/functions.env" <<'PYTHON'
import shlex, sys
env = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
for line in open(sys.argv[1]):
    if line.startswith("export "):
        env.update(word.split("=", 1) for word in shlex.split(line)[1:])
env |= {
    "API_KEYS": "demo-shop-key-0123456789abcdef",
    "ADMIN_KEYS": "operator:demo-admin-key-0123456789abcdef",
    "TELEGRAM_WEBHOOK_SECRET": "demo-webhook-secret-0123456789",
    "TELEGRAM_CHAT_ID": "-1001234567890",
}
print("\n".join(f"{name}={value}" for name, value in env.items()))
PYTHON

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
set -m
cargo lambda watch --ignore-changes --invoke-address 127.0.0.1 --invoke-port "$port" --env-file "$logs/functions.env" \
  >"$logs/watch.log" 2>&1 &
watch=$!
set +m
for _ in {1..100}; do
  (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
  kill -0 "$watch" 2>/dev/null || { echo 'cargo lambda watch ended before it was ready' >&2; exit 1; }
  sleep 0.1
done

python3 .ci/replay.py "$port" "$logs/functions.env"
