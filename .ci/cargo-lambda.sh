#!/usr/bin/env bash
# Builds the functions by the commands of a deployment, then replays every sample of `events/` with `cargo lambda invoke` against
# functions that `cargo lambda watch` serves. Wants target/verify/verify.
set -euo pipefail
cd "$(dirname "$0")/.."
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

# As they are deployed, but linked without link-time optimisation: the release workflow and `verify bench` look at sizes.
export CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2
cargo lambda build --release "${functions[@]/#/--package=}" >"$logs/build.log" 2>&1
for function in "${functions[@]}"; do
  [ -x "target/lambda/$function/bootstrap" ] || { echo "cargo lambda build made no $function" >&2; exit 1; }
done
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
