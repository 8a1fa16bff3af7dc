#!/usr/bin/env bash
# Write the Markdown file $3 into the comment of pull request $1 that begins with the marker of $2.
#
# The comment is the one that has the marker and was written by RECONCILE_AUTHOR, so that nobody
# else's is overwritten; without one, it is created.
#
# RECONCILE_MORE  the URL under which all files of the plan lie
# RECONCILE_HEAD  the commit of the pull request
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=api.sh
. "$(dirname "${BASH_SOURCE[0]}")/api.sh"

api_url=$GITHUB_API_URL api_header="Authorization: Bearer $GITHUB_TOKEN"
number=$1 marker="<!-- $2 -->" file=$3
if [ ! -s "$file" ]; then
    file=$(mktemp)
    printf '## reconcile: the job failed\n\nIt ended without a result: see the log.\n' > "$file"
fi
tail="Commit ${RECONCILE_HEAD:-$GITHUB_SHA}; [log]($GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID)"
if [ -n "${RECONCILE_MORE:-}" ]; then
    tail="$tail; [the whole plan]($RECONCILE_MORE)"
fi

request=$(mktemp)
# GitHub accepts 65,536 characters. `plan --format markdown` leaves room for the lines that are added
# here; anything longer is cut at a line.
jq --raw-input --slurp --arg marker "$marker" --arg tail "$tail" '
    "\n\nThe rest does not fit into a comment." as $cut
    | (65535 - ($marker + "\n\n\n" + $tail | length)) as $room
    | if length <= $room then . else
        (.[:$room - ($cut | length)] | split("\n")[:-1] | join("\n")) + $cut
      end
    | {body: "\($marker)\n\(.)\n\n\($tail)"}' "$file" > "$request"

comments="repos/$GITHUB_REPOSITORY/issues/$number/comments"
found=$(api_items "$comments" '.[]' | jq --slurp --raw-output \
    --arg marker "$marker" --arg author "$RECONCILE_AUTHOR" '
    map(select(.user.login == $author and (.body // "" | startswith($marker)))) | .[0].id // empty')
if [ -n "$found" ]; then
    api PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$found" --data "@$request" > /dev/null
else
    api POST "$comments" --data "@$request" > /dev/null
fi
rm -f "$request"
