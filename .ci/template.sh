#!/usr/bin/env bash
# Checks what is deployed and documented without building it: template.yaml, samconfig.toml, docs/openapi.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/venv.sh

quietly() {
  local output
  if ! output=$("$@" 2>&1); then
    printf '%s\n' "$output" >&2
    echo "failed: $*" >&2
    exit 1
  fi
}

quietly cfn-lint --regions us-east-1 eu-west-1 ap-south-1 -- template.yaml
if sam --version >/dev/null 2>&1; then
  for environment in default staging prod; do
    quietly sam validate --lint --config-env "$environment"
  done
else
  echo 'sam does not run here: template.yaml was checked by cfn-lint alone, samconfig.toml not at all' >&2
fi
quietly openapi-spec-validator docs/openapi.yaml
echo 'template, samconfig and OpenAPI document: valid'
