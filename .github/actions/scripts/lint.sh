#!/usr/bin/env bash
# Look for faults; write SARIF to the file $1, and print the findings. They do not fail the job.
#
# The annotations of plan.sh hold those of them that concern what the plan changes.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=arguments.sh
. "$(dirname "${BASH_SOURCE[0]}")/arguments.sh"

mkdir -p "$(dirname "$1")"
if [ ${#database[@]} = 0 ]; then
    # Without a target, lint looks at no database. No list of processes shows the variable.
    export RECONCILE_LINT_TARGET=$DATABASE_URL
fi
status=0
reconcile lint "${database[@]}" --format sarif --out "$1" --format text || status=$?
case $status in
    0 | 2) ;;
    *) exit 1 ;;
esac
