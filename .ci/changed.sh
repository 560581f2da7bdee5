#!/usr/bin/env bash
# Prints, as JSON for a workflow's matrix, the steps of .ci/run that a change needs beside the quick ones; those of one entry
# run one after the other.
#   .ci/changed.sh [BASE]     what has changed since this commit; all steps without one, or if it is not known
set -euo pipefail
cd "$(dirname "$0")/.."

all='["clippy docs", "tests", "smoke page contract", "functions verification", "package", "fuzz"]'
if [ -z "${1-}" ] || ! files=$(git diff --name-only --no-renames "$1...HEAD" 2>/dev/null); then
  echo "$all"
  exit
fi
package=''
while read -r file; do
  case $file in
  docs/ONE_MACHINE.md | packaging/* | .ci/package*) package=', "package"' ;;
  # What the tests read of them is in their lists.
  *.md | docs/*.svg | docs/*.dot | docs/*.png | LICENSE-* | .editorconfig | .gitignore | '') ;;
  *)
    echo "$all"
    exit
    ;;
  esac
done <<<"$files"
echo "[\"consistency\"$package]"
