#!/usr/bin/env bash
# The page's browser tests against a local stack of its own; the screenshots are in target/ci-page.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/stack.sh

start_stack "$PWD/target/ci-page"
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh
