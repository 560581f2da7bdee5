#!/usr/bin/env bash
# Checks what is deployed and documented without building it: template.yaml as it is written and as AWS gets it,
# samconfig.toml, docs/openapi.yaml and what is rendered from it, the workflows.
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

regions=(us-east-1 eu-west-1 ap-south-1)
quietly cfn-lint --regions "${regions[@]}" -- template.yaml .github/aws/deploy-role.yaml
# What a parameter is decides what SAM adds, so once as a newcomer has it and once as prod.
mkdir -p target/ci-template
quietly python .ci/transform.py target/ci-template/default.json TelegramChatId=-1001234567890 Stage=default
quietly python .ci/transform.py target/ci-template/prod.json TelegramChatId=-1001234567890 Stage=prod \
  DeploymentType=Canary10Percent5Minutes AlarmEmail=someone@example.com
# And what takes kept tables into a new stack.
quietly python .ci/import.py admit-one target/ci-template/import
quietly cfn-lint --regions "${regions[@]}" -- target/ci-template/*.json target/ci-template/import/template.json
quietly .ci/policy/check.sh target/ci-template/prod.json
if sam --version >/dev/null 2>&1; then
  for environment in default staging prod; do
    quietly sam validate --lint --config-env "$environment"
  done
else
  echo 'sam does not run here: template.yaml was checked by cfn-lint alone, samconfig.toml not at all' >&2
fi
quietly openapi-spec-validator docs/openapi.yaml
quietly .ci/docs.sh --check
echo 'template, policy, samconfig, OpenAPI document, rendered documents and workflows: valid'
