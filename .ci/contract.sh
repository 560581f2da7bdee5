#!/usr/bin/env bash
# Calls every route of the local stack with whatever docs/openapi.yaml allows and forbids, and fails on an answer that it does
# not document: a status, a body, a header, a 5xx.
#   .ci/contract.sh [EXAMPLES]     of each route, 60 by default
set -euo pipefail
cd "$(dirname "$0")/.."

# Apart from the other tools, whose versions of shared libraries it does not share.
venv=target/contract-venv
pin='schemathesis==4.32.5'
if [ "$(cat "$venv/pin" 2>/dev/null)" != "$pin" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "$pin"
  echo "$pin" >"$venv/pin"
fi

folder=$(mktemp -d)
touch "$folder/out"
cargo build --locked --quiet -p local
API_KEYS=demo-shop-key-0123456789abcdef ADMIN_KEYS=operator:demo-admin-key-0123456789abcdef \
  TELEGRAM_WEBHOOK_SECRET=demo-webhook-secret-0123456789 \
  target/debug/local --ephemeral --listen 127.0.0.1:0 --aws-listen 127.0.0.1:0 --print-env >"$folder/out" 2>"$folder/log" &
stack=$!
trap 'kill "$stack" 2>/dev/null || true; wait "$stack" 2>/dev/null || true; rm -rf "$folder" || true' EXIT
for _ in {1..300}; do
  grep -q '^ADMIT_ONE_READY ' "$folder/out" && break
  kill -0 "$stack" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
  sleep 0.1
done
url=$(sed -n 's/^ADMIT_ONE_READY http=\([^ ]*\).*/\1/p' "$folder/out")

# What it makes up is well-formed by the schema and yet refused where a rule is no schema's (an id that nobody has), so
# refusing good data and accepting odd data are no findings.
cat >"$folder/schemathesis.toml" <<'TOML'
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.enabled = false
TOML
"$venv/bin/schemathesis" --config-file "$folder/schemathesis.toml" run docs/openapi.yaml --url "$url" \
  --max-examples "${1-60}" --seed 7 --phases examples,coverage,fuzzing --no-color --warnings off \
  -H 'x-api-key: demo-shop-key-0123456789abcdef' -H 'x-admin-key: demo-admin-key-0123456789abcdef' \
  -H 'X-Telegram-Bot-Api-Secret-Token: demo-webhook-secret-0123456789' >"$folder/report" 2>&1 || {
  cat "$folder/report" >&2
  echo 'contract.sh: the local stack and docs/openapi.yaml do not agree' >&2
  exit 1
}
grep -E 'passed|generated|Operations' "$folder/report" || tail -n 5 "$folder/report"
echo 'contract: every answer is documented'
