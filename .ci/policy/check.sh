#!/usr/bin/env bash
# Checks a plain CloudFormation template against the rules of checkov (policy/checkov.yaml says which) and our own
# (policy/own.py): policy/check.sh FILE
# checkov pins what SAM needs otherwise, so it has a virtual environment of its own.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/target/ci-policy-venv
if ! cmp -s .ci/policy/requirements.txt "$venv/requirements.txt"; then
  echo "installing $(tr '\n' ' ' <.ci/policy/requirements.txt)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/policy/requirements.txt
  cp .ci/policy/requirements.txt "$venv/requirements.txt"
fi
python3 .ci/policy/own.py "$1"
"$venv/bin/checkov" --config-file .ci/policy/checkov.yaml --file "$1" --output json --soft-fail | python3 -c '
import json, sys
report = json.load(sys.stdin)
for check in report["results"]["failed_checks"]:
    print(check["check_id"], check["resource"], check["check_name"])
summary = report["summary"]
# A template that it can not read is one without faults to it.
if summary["failed"] or summary["parsing_errors"] or summary["passed"] < 100:
    sys.exit("policy: %(passed)d held, %(failed)d did not, %(parsing_errors)d could not be read" % summary)
'
