#!/usr/bin/env bash
# Apply the plan that was saved for the merged merge request, and say in a note what became of it.
#
# $1 is the folder of the plan. In a pipeline that was started by hand, the plan of its job lies there.
# Exit status: 0 if all was done and every check passed, else 1.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
scripts=$here/../../.github/actions/scripts

status=0
if [ "$CI_PIPELINE_SOURCE" = push ]; then
    rm -rf "$1"
    bash "$here/find-plan.sh" "$1" || status=$?
fi
if [ "$status" = 0 ]; then
    bash "$scripts/apply.sh" "$1/plan.json" "$1/apply.md" || status=$?
fi
if [ -s "$1/merge-request" ]; then
    bash "$here/note.sh" "$(cat "$1/merge-request")" "reconcile apply" "$1/apply.md"
fi
exit "$status"
