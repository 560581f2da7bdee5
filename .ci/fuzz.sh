#!/usr/bin/env bash
# Fuzzes the bodies that strangers send, guided by coverage, with the stable compiler.
#   .ci/fuzz.sh [SECONDS] [TARGET…]        each target (of fuzz/fuzz_targets) for that long, 60 by default
#   .ci/fuzz.sh replay TARGET FILE…        what was found, once more
# Two at a time on two cores. What was learned lies in target/fuzz/corpus and is used again; findings in
# target/fuzz/found, which is also where this fails.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
bin=target/fuzz/$host/release

build() {
  cargo fmt --manifest-path fuzz/Cargo.toml --check
  # The very versions of the product.
  cp Cargo.lock fuzz/Cargo.lock
  # libFuzzer's counters are a pass of LLVM's, which stable compilers have as well; sanitizers need nightly, and look
  # for what safe Rust can't do. With --target, build scripts are spared.
  RUSTFLAGS='--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares' \
    cargo build --manifest-path fuzz/Cargo.toml --target-dir target/fuzz --target "$host" --release --quiet
}

if [ "${1-}" = replay ]; then
  target=$2
  shift 2
  build
  for input in "$@"; do
    RUST_BACKTRACE=1 "$bin/$target" -timeout=10 "$input"
  done
  exit
fi

seconds=${1-60}
shift || true
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
  mapfile -t targets < <(basename -s .rs fuzz/fuzz_targets/*.rs)
fi
build
python3 fuzz/seeds.py target/fuzz/seeds

one() {
  local target=$1 corpus=target/fuzz/corpus/$1 found=target/fuzz/found/$1 log=target/fuzz/$1.log
  local seeds=("fuzz/seeds/$target" "target/fuzz/seeds/$target")
  mkdir -p "$corpus" "$found"
  mapfile -t seeds < <(ls -d "${seeds[@]}" 2>/dev/null)
  if "$bin/$target" "$corpus" "${seeds[@]}" -dict="fuzz/dict/json.dict" -artifact_prefix="$found/" -max_len=16384 \
    -timeout=10 -rss_limit_mb=1024 -max_total_time="$seconds" -print_final_stats=1 >"$log" 2>&1; then
    awk -v target="$target" '/number_of_executed_units/ {runs = $2} /average_exec_per_sec/ {speed = $2}
      / cov: / {for (i = 1; i < NF; i++) if ($i == "cov:") edges = $(i + 1)}
      END {printf "fuzz: %-10s %10d runs %7d/s %6d edges, nothing found\n", target, runs, speed, edges}' "$log"
  else
    echo "fuzz: $target FOUND SOMETHING; replay: .ci/fuzz.sh replay $target FILE" >&2
    grep -E -A 2 'panicked at|ERROR: libFuzzer|Test unit written' "$log" | cut -c1-300 >&2
    return 1
  fi
}
export -f one
export bin seconds
printf '%s\n' "${targets[@]}" | xargs -P "$(nproc)" -I{} bash -c 'one {}'
