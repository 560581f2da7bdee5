# Sourced: puts the Python tools of requirements.txt on the PATH, from a virtual environment under `target` that is made
# once and again when the pins change.

venv="$PWD/target/ci-venv"
if ! cmp -s .ci/requirements.txt "$venv/requirements.txt"; then
  echo "installing $(tr '\n' ' ' <.ci/requirements.txt)"
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement .ci/requirements.txt
  cp .ci/requirements.txt "$venv/requirements.txt"
fi
export PATH="$venv/bin:$PATH"
export SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION="${AWS_DEFAULT_REGION:-us-east-1}"
