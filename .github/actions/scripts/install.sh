#!/usr/bin/env bash
# Install reconcile into an environment of its own, and put it on the PATH of the steps that follow.
#
# RECONCILE_INSTALL  what pip installs; empty: the repository in which this file lies
# PYTHON             the interpreter, at least 3.11
set -euo pipefail

environment=$RUNNER_TEMP/reconcile-python
if [ -x "$environment/bin/reconcile" ]; then
    exit 0 # by an earlier step of the job
fi
requirement=${RECONCILE_INSTALL:-}
if [ -z "$requirement" ]; then
    repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
    if ! grep -qs '^name = "pg-reconciler"$' "$repository/pyproject.toml"; then
        echo "::error::$repository is not the repository of reconcile: name what to install by the input \`install\`"
        exit 1
    fi
    requirement="${repository}[embedded]"
fi
# -I: not even a file venv.py of the pull request takes the place of the module.
"${PYTHON:-python3}" -I -m venv "$environment"
"$environment/bin/pip" install --quiet "$requirement"
echo "$environment/bin" >> "$GITHUB_PATH"
