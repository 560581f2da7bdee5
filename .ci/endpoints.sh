#!/usr/bin/env bash
# Has the packages of Standard Webhooks, for Python and for Node, verify what the local stack sends to endpoints.
set -euo pipefail
cd "$(dirname "$0")/.."

tools=target/ci-endpoints
if ! cmp -s .ci/endpoints/requirements.txt "$tools/requirements.txt" || ! cmp -s .ci/endpoints/package.json "$tools/package.json"; then
  rm -rf "$tools"
  mkdir -p "$tools"
  python3 -m venv "$tools/venv"
  "$tools/venv/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/endpoints/requirements.txt
  cp .ci/endpoints/package.json .ci/endpoints/receiver.mjs "$tools"
  npm install --prefix "$tools" --silent --no-audit --no-fund
  cp .ci/endpoints/requirements.txt "$tools"
fi
cp .ci/endpoints/receiver.mjs "$tools"

folder=$(mktemp -d)
pids=()
trap 'for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done; rm -rf "$folder" || true' EXIT
touch "$folder"/{python,node,out}.txt
# Each is told of three things: a payment, its link, and a test.
SECRET_FILE="$folder/python.secret" "$tools/venv/bin/python" .ci/endpoints/receiver.py 3 >"$folder/python.txt" &
python=$!
SECRET_FILE="$folder/node.secret" node "$tools/receiver.mjs" 3 >"$folder/node.txt" &
node=$!
pids+=("$python" "$node")
for _ in {1..100}; do
  [ -s "$folder/python.txt" ] && [ -s "$folder/node.txt" ] && break
  sleep 0.1
done
python_port=$(head -n 1 "$folder/python.txt") node_port=$(head -n 1 "$folder/node.txt")

local=${CARGO_TARGET_DIR:-target}/debug/local
[ -n "${SKIP_BUILD-}" ] || cargo build --locked --quiet -p local
key=demo-admin-key-0123456789abcdef
API_KEYS=demo-shop-key-0123456789abcdef ADMIN_KEYS="operator:$key" \
  HOOK_EXEMPT_HOSTS="127.0.0.1:$python_port,127.0.0.1:$node_port" \
  "$local" --ephemeral --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --print-env >"$folder/out.txt" 2>"$folder/log" &
pids+=($!)
for _ in {1..300}; do
  grep -q '^ADMIT_ONE_READY ' "$folder/out.txt" && break
  sleep 0.1
done
url=$(sed -n 's/^ADMIT_ONE_READY http=\([^ ]*\).*/\1/p' "$folder/out.txt")

for of in python node; do
  port=${of}_port
  curl -sf "$url/v1/admin/endpoints" -H "x-admin-key: $key" -d "{\"url\": \"http://127.0.0.1:${!port}/hooks\"}" >"$folder/answer"
  python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["secret"])' "$folder/answer" >"$folder/$of.secret"
  id=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["endpoint"]["endpointId"])' "$folder/answer")
  curl -sf -X POST "$url/v1/admin/endpoints/$id/test" -H "x-admin-key: $key" >/dev/null
done
curl -sf "$url/v1/invite/request" -H 'x-api-key: demo-shop-key-0123456789abcdef' \
  -d '{"userId": "alice", "transactionId": "T-1"}' >/dev/null
wait "$python" "$node"
tail -q -n +2 "$folder/python.txt" "$folder/node.txt"
echo 'endpoints: the packages of the specification verify what is sent'
