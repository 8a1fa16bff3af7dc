#!/usr/bin/env bash
# Find the plan that was saved for what is to be applied, and write it to $2/plan.json.
#
# $1 is the name of the plan. After a merge that is the plan of the pull request's head commit; of a
# run that was started by hand, the plan that this run has made. Writes the output
# `pull-request`, and the reason to $2/apply.md if there is no plan.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=api.sh
. "$(dirname "${BASH_SOURCE[0]}")/api.sh"
# shellcheck source-path=SCRIPTDIR source=markdown.sh
. "$(dirname "${BASH_SOURCE[0]}")/markdown.sh"

api_url=$GITHUB_API_URL api_header="Authorization: Bearer $GITHUB_TOKEN"
name=$1 folder=$2
rm -rf "$folder"
mkdir -p "$folder"

refuse() {
    printf '%s\n' "$1" "Start the workflow by hand on this branch: it plans, waits for a review, and applies that plan." |
        markdown_of_text "reconcile: not applied" > "$folder/apply.md"
    echo "::error title=no plan to apply::$1"
    exit 1
}

head=$GITHUB_SHA
if [ "$GITHUB_EVENT_NAME" = push ]; then
    merged=$(api_items "repos/$GITHUB_REPOSITORY/commits/$GITHUB_SHA/pulls" '.[]' | jq --slurp \
        --compact-output --arg commit "$GITHUB_SHA" '
        map(select(.merged_at != null and .merge_commit_sha == $commit)) | .[0] // empty')
    if [ -z "$merged" ]; then
        refuse "Commit $GITHUB_SHA merges no pull request, so that nobody has reviewed a plan of it."
    fi
    head=$(jq --raw-output .head.sha <<< "$merged")
    jq --raw-output '"pull-request=\(.number)"' <<< "$merged" >> "$GITHUB_OUTPUT"
fi

# A fork's runs save artifacts in this repository too: only those of its own branches count.
artifact=$(api_items "repos/$GITHUB_REPOSITORY/actions/artifacts?name=reconcile-$name-$head" '.artifacts[]' |
    jq --slurp --raw-output --arg head "$head" '
    map(select((.expired | not) and .workflow_run.head_sha == $head
        and .workflow_run.head_repository_id == .workflow_run.repository_id))
    | sort_by(.created_at) | last | .id // empty')
if [ -z "$artifact" ]; then
    refuse "No plan is saved for commit $head: it came from a fork, its plan has expired, or none was made."
fi
archive=$(mktemp)
api GET "repos/$GITHUB_REPOSITORY/actions/artifacts/$artifact/zip" --output "$archive"
if ! unzip -p "$archive" plan.json > "$folder/plan.json" 2> /dev/null; then
    rm -f "$folder/plan.json"
    refuse "The last planning for commit $head has failed."
fi
rm -f "$archive"
