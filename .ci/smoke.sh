#!/usr/bin/env bash
# Starts the local stack as a newcomer does, types the `curl` that it prints, and waits for the link.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(mktemp -d)
cargo build --locked --quiet -p local
target/debug/local --data-dir "$folder/data" --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 >"$folder/out" 2>"$folder/log" &
stack=$!
trap 'kill "$stack" 2>/dev/null || true; wait "$stack" 2>/dev/null || true; rm -rf "$folder" || true' EXIT
for _ in {1..300}; do
  grep -q '^curl .*/v1/invite/[0-9a-f]' "$folder/out" && break
  kill -0 "$stack" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
mapfile -t printed < <(grep '^curl ' "$folder/out")
[ "${#printed[@]}" -eq 2 ] || { echo 'the local stack printed no two curl commands' >&2; cat "$folder/out" >&2; exit 1; }

answer=$(bash -c "${printed[0]}")
[[ $answer == *'"status":"queued"'* ]] || { echo "not accepted: $answer" >&2; exit 1; }
for _ in {1..50}; do
  status=$(bash -c "${printed[1]}")
  [[ $status == *'"status":"DONE"'*'"inviteLink":"https://t.me/'* ]] && break
  sleep 0.1
done
[[ $status == *'"inviteLink":"https://t.me/'* ]] || { echo "no link: $status" >&2; exit 1; }
# Left alone, it has nothing to say: ten seconds are longer than any time-out of its own calls.
sleep 10
[ ! -s "$folder/log" ] || { echo 'the local stack complained:' >&2; cat "$folder/log" >&2; exit 1; }
echo "smoke: a link was handed out"
