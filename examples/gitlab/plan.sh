#!/usr/bin/env bash
# Plan, and write the plan into a note of the merge request, if there is one.
#
# $1 is the folder of the plan. Exit status: 0 if there is a plan, else 1.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
scripts=$here/../../.github/actions/scripts

status=0
bash "$scripts/plan.sh" "$1" || status=$?
if [ -n "${CI_MERGE_REQUEST_IID:-}" ]; then
    bash "$here/note.sh" "$CI_MERGE_REQUEST_IID" "reconcile plan" "$1/plan.md"
fi
exit "$status"
