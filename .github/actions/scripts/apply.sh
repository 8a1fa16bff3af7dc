#!/usr/bin/env bash
# Apply the plan $1 if planning again gives the same steps; write Markdown that says so to $2.
#
# The YAML files at hand vouch for the plan: it is refused where they, or the database, lead to
# another one. Exit status: 0 if all was done and every check passed, else 1.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=markdown.sh
. "$(dirname "${BASH_SOURCE[0]}")/markdown.sh"
# shellcheck source-path=SCRIPTDIR source=arguments.sh
. "$(dirname "${BASH_SOURCE[0]}")/arguments.sh"

plan=$1 report=$2
messages=$(mktemp)
status=0
reconcile apply "$plan" "${database[@]}" "${options[@]}" --yes > "$messages" 2>&1 || status=$?
cat "$messages"
case $status in
    0) verdict="reconcile: applied" ;;
    2) verdict="reconcile: applied, but a check did not pass" ;;
    *) verdict="reconcile: not applied" ;;
esac
# An error is the last thing that is printed; otherwise the end tells how each step went.
if grep -q '^error: ' "$messages"; then
    sed -n '/^error: /,$p' "$messages"
else
    tail -n 40 "$messages"
fi | markdown_of_text "$verdict" > "$report"
if [ "$status" != 0 ] && [ "$status" != 2 ]; then
    again="start the workflow"
    if [ -n "${GITLAB_CI:-}" ]; then
        again="run a pipeline"
    fi
    printf '\n%s\n' "If the database or the files are no longer those of the plan, $again by hand on this branch." >> "$report"
fi
rm -f "$messages"
[ "$status" = 0 ]
