#!/usr/bin/env bash
# Plan once, and write the plan to the folder $1:
#
# plan.json  the plan to apply; absent after an error
# plan.txt   the whole plan for people; absent after an error
# plan.md    the comment, cut to GitHub's limit; also for an error, and for "nothing to do"
#
# RECONCILE_FOR_ROLE is the role that applies the plan, which owns new objects.
#
# Prints annotations on GitHub, the plan elsewhere. Exit status: 0 if there is a plan, else 1.
set -euo pipefail
folder=$1
rm -rf "$folder"
mkdir -p "$folder"
# shellcheck source-path=SCRIPTDIR source=markdown.sh
. "$(dirname "${BASH_SOURCE[0]}")/markdown.sh"
# shellcheck source-path=SCRIPTDIR source=arguments.sh
. "$(dirname "${BASH_SOURCE[0]}")/arguments.sh"
if [ -n "${RECONCILE_FOR_ROLE:-}" ]; then
    options+=(--for-role "$RECONCILE_FOR_ROLE")
fi
shown=text
if [ "${GITHUB_ACTIONS:-}" = true ]; then
    shown=github
fi
status=0
reconcile plan "${database[@]}" "${options[@]}" \
    --format json --out "$folder/plan.json" \
    --format text --out "$folder/plan.txt" \
    --format markdown --out "$folder/plan.md" \
    --format "$shown" 2> "$folder/messages.txt" || status=$?
cat "$folder/messages.txt" >&2
if [ ! -s "$folder/plan.md" ]; then
    markdown_of_text "reconcile: planning failed" < "$folder/messages.txt" > "$folder/plan.md"
fi
case $status in
    0 | 2) ;;
    *) rm -f "$folder/plan.json"; exit 1 ;;
esac
