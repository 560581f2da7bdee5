#!/bin/sh
# Stripe's own clients for Python and Node, unchanged but for their base URL, against the simulated Stripe: they create,
# pay, read, expire, refund, list, subscribe, are refused, repeat, and check the signature of a webhook. Needs python3,
# node and npm, and their registries.
#   simulators/tests/clients/stripe/run.sh [folder for what is installed]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${TMPDIR:-/tmp}/admit-one-stripe-clients}
mkdir -p "$folder"
cp "$here"/requirements.txt "$here"/package.json "$here"/*.py "$here"/*.mjs "$folder"
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
(cd "$folder" && npm install --silent --no-audit --no-fund)
cd "$here/../../../.."
CLIENTS="$folder" ${CARGO:-cargo} test -p simulators --test stripe -- --ignored --exact clients::official_clients_work_unchanged
