#!/usr/bin/env bash
# Write the Markdown file $3 into the note of merge request $1 that begins with the marker of $2.
#
# The note is the one that has the marker and was written by the user of RECONCILE_TOKEN; without
# one, it is created. https://docs.gitlab.com/api/notes/
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../../.github/actions/scripts/api.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../.github/actions/scripts/api.sh"
# Authorization is the header that curl does not send on to another host, such as an object storage.
api_url=$CI_API_V4_URL api_header="Authorization: Bearer $RECONCILE_TOKEN"

notes="projects/$CI_PROJECT_ID/merge_requests/$1/notes" marker="<!-- $2 -->" file=$3
request=$(mktemp)
if [ ! -s "$file" ]; then
    file=$(mktemp)
    printf '## reconcile: the job failed\n\nIt ended without a result: see the log.\n' > "$file"
fi
# A line such as /approve would be a quick action, and older versions of GitLab see them in blocks of
# code that hold a shorter fence: a space before the line keeps it text.
jq --raw-input --slurp --arg marker "$marker" --arg tail "Commit $CI_COMMIT_SHA; [log]($CI_JOB_URL)" '
    (split("\n") | map(if test("^/[A-Za-z]") then " \(.)" else . end) | join("\n")) as $text
    | {body: "\($marker)\n\($text)\n\n\($tail)"}' "$file" > "$request"
author=$(api GET user | jq .id)
found=$(api_items "$notes" '.[]' | jq --slurp --raw-output \
    --arg marker "$marker" --argjson author "$author" '
    map(select(.author.id == $author and (.body | startswith($marker)))) | .[0].id // empty')
if [ -n "$found" ]; then
    api PUT "$notes/$found" --data "@$request" > /dev/null
else
    api POST "$notes" --data "@$request" > /dev/null
fi
rm -f "$request"
