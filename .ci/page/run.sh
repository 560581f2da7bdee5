#!/bin/sh
# Tests the page of a running local stack in a headless browser: STACK_URL=http://127.0.0.1:9000 [SCREENSHOTS=folder] .ci/page/run.sh [TESTS]
# TESTS is page.test.mjs unless told; the others need a stack whose chat is claimed, and order.test.mjs says what more.
set -eu
: "${STACK_URL:?where the local stack listens, such as http://127.0.0.1:9000}"
browser=${CHROMIUM:-/usr/bin/chromium}
if [ -n "${SCREENSHOTS:-}" ]; then
  mkdir -p "$SCREENSHOTS"
  SCREENSHOTS=$(cd "$SCREENSHOTS" && pwd)
  export SCREENSHOTS
fi
cd "$(dirname "$0")"
if [ ! -x "$browser" ]; then
  # A font with the metrics of a common system font: without any, a headless browser draws boxes.
  apt-get update
  apt-get install -y --no-install-recommends chromium fonts-inter
fi
npm ci --no-audit --no-fund
exec node --test "${1:-page.test.mjs}"
