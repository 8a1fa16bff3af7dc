#!/usr/bin/env bash
# Write the output `plan`: the folder for the files of the plan with the name $1.
set -euo pipefail

if [[ ! $1 =~ ^[A-Za-z0-9_-]{1,40}$ ]]; then
    echo "::error::the input \`name\` has other characters than letters, digits, - and _"
    exit 1
fi
echo "plan=$RUNNER_TEMP/reconcile/$1" >> "$GITHUB_OUTPUT"
