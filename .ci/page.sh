#!/usr/bin/env bash
# The page's browser tests against a bundle of its own; the screenshots are in target/ci-page.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/bundle.sh

start_bundle "$PWD/target/ci-page"
BUNDLE_URL=$BUNDLE_URL SCREENSHOTS=$PWD/target/ci-page .ci/page/run.sh
