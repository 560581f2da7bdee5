#!/usr/bin/env bash
# Builds the functions by the commands of a deployment, then replays every sample of `events/` with `cargo lambda invoke` against
# functions that `cargo lambda watch` serves. Wants target/verify/verify.
#   .ci/cargo-lambda.sh build       builds them alone
#   .ci/cargo-lambda.sh release     builds them alone, as they are released
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -z "${1-}" ] && [ ! -x target/verify/verify ]; then
  echo 'first: cargo build --profile verify -p verify' >&2
  exit 1
fi
. .ci/venv.sh

mapfile -t functions < <(ls functions)
logs=$PWD/target/ci-logs
rm -rf "$logs"
mkdir -p "$logs"

finish() {
  local status=$?
  trap - EXIT
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

# Linked without link-time optimisation, which takes minutes: sizes and starts are measured of what is released.
if [ "${1-}" != release ]; then
  export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2
fi
cargo lambda build --release "${functions[@]/#/--package=}" >"$logs/build.log" 2>&1
for function in "${functions[@]}"; do
  [ -x "target/lambda/$function/bootstrap" ] || { echo "cargo lambda build made no $function" >&2; exit 1; }
done
if [ -n "${1-}" ]; then exit; fi
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
target/verify/verify replay --log "$logs/watch.log"
