#!/usr/bin/env bash
# Renders docs/openapi.yaml as a page to read, target/API.md, and docs/architecture.svg from docs/architecture.dot; fills the
# figures of README.md from docs/REPORT.md.
#   .ci/docs.sh            writes them
#   .ci/docs.sh --check    fails if one is not what its source says, and reads the workflows
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

node "$tools/api.mjs" docs/openapi.yaml >target/API.md
node "$tools/picture.mjs" docs/architecture.dot >"$tools/architecture.svg"
# The first table of the report takes the place of what stands between the marks.
awk '
  FNR == NR { if (/^\|/) { table = table $0 "\n"; seen = 1 } else if (seen) nextfile; next }
  /^<!-- figures/ { print; printf "\n%s\n", table; skipping = 1; next }
  /^<!-- end of figures/ { skipping = 0 }
  !skipping
' docs/REPORT.md README.md >"$tools/README.md"
if [ "${1-}" = --check ]; then
  cmp -s "$tools/README.md" README.md ||
    { echo 'README.md has other figures than docs/REPORT.md: run .ci/docs.sh' >&2; exit 1; }
  cmp -s "$tools/architecture.svg" docs/architecture.svg ||
    { echo 'docs/architecture.svg is not what its source says: run .ci/docs.sh' >&2; exit 1; }
  node "$tools/workflows.mjs" .github/workflows/*.yml
else
  cp "$tools/architecture.svg" docs/
  cp "$tools/README.md" README.md
fi
