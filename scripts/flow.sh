#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Flow and fault tests: the real binary, official SDKs. Arguments go to pytest. FAIRLEAD_BIN: where the programs are.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/deps.sh test
wanted=$(sha256sum tests/flow/requirements.txt tests/flow/package.json | sha256sum)
if [ "$(cat .venv/.wanted 2>/dev/null)" != "$wanted" ]; then
    echo "Installing the SDKs that the flow tests use"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/flow/requirements.txt
    npm install --prefix tests/flow --no-audit --no-fund --no-package-lock --silent >/dev/null
    echo "$wanted" >.venv/.wanted
fi
export FAIRLEAD_BIN=${FAIRLEAD_BIN:-$PWD/bin}
exec .venv/bin/python -m pytest -p no:cacheprovider tests/flow tests/fault "$@"
