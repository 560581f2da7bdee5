#!/bin/sh
# Libraries of the Bot API that nobody here wrote, unchanged but for their base URL, against the local stack: they start,
# poll, send, edit and stop while the bot's webhook runs. Needs python3, node, npm and cargo, and their registries.
#   local/tests/clients/run.sh [folder for what is installed]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-${TMPDIR:-/tmp}/admit-one-clients}
mkdir -p "$folder"
cp "$here"/requirements.txt "$here"/package.json "$here"/*.py "$here"/*.mjs "$folder"
[ -x "$folder/venv/bin/python" ] || python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
(cd "$folder" && npm install --silent --no-audit --no-fund)
${CARGO:-cargo} build --quiet --locked --manifest-path "$here/teloxide/Cargo.toml" --target-dir "$folder/target"
cp "$folder/target/debug/teloxide-client" "$folder"
cd "$here/../../.."
CLIENTS="$folder" ${CARGO:-cargo} test -p local --test it -- --ignored --exact actors::libraries::libraries_work_unchanged
