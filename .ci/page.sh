#!/usr/bin/env bash
# The page's browser tests, each against a local stack of its own; the screenshots are in target/ci-page.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/stack.sh

start_stack "$PWD/target/ci-page"
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh
kill "$stack"
wait "$stack" || true

# The phone, and the pages of claim links and of orders, are there where a chat is claimed; the till where something is sold.
export CLAIM_KEY=a-claim-key-of-the-tests-of-pages-0123456789
CHAT_DELIVERY=claim PAYMENTS_MODE=test start_stack "$PWD/target/ci-page"
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh phone.test.mjs
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh claim.test.mjs
AWS_URL=$(sed -n "s/^export AWS_ENDPOINT_URL='\\(.*\\)'/\\1/p" target/ci-page/stack.out)
export AWS_URL
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh order.test.mjs
STACK_URL=$STACK_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh till.test.mjs
