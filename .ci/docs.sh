#!/usr/bin/env bash
# Renders docs/API.md from docs/openapi.yaml and docs/architecture.svg from docs/architecture.dot.
#   .ci/docs.sh            writes them
#   .ci/docs.sh --check    fails if they are not what would be written, and reads the workflows
set -euo pipefail
cd "$(dirname "$0")/.."

# Not in .ci/docs: what is installed stays under target.
tools=$PWD/target/ci-docs
mkdir -p "$tools"
if ! cmp -s .ci/docs/package-lock.json "$tools/installed.json"; then
  cp .ci/docs/package.json .ci/docs/package-lock.json "$tools/"
  npm ci --prefix "$tools" --no-audit --no-fund --ignore-scripts --loglevel=error
  cp .ci/docs/package-lock.json "$tools/installed.json"
fi
cp .ci/docs/*.mjs "$tools/"

node "$tools/api.mjs" docs/openapi.yaml >"$tools/API.md"
node "$tools/picture.mjs" docs/architecture.dot >"$tools/architecture.svg"
if [ "${1-}" = --check ]; then
  for file in API.md architecture.svg; do
    cmp -s "$tools/$file" "docs/$file" || { echo "docs/$file is not what its source says: run .ci/docs.sh" >&2; exit 1; }
  done
  node "$tools/workflows.mjs" .github/workflows/*.yml
else
  cp "$tools/API.md" "$tools/architecture.svg" docs/
fi
