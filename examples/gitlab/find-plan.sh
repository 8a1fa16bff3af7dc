#!/usr/bin/env bash
# Find the plan of the merge request that CI_COMMIT_SHA merges, and write it to $1/plan.json.
#
# It is the plan of the merge request's last pipeline. Writes the number of the merge request to
# $1/merge-request, and the reason to $1/apply.md if there is no plan.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")
# shellcheck source-path=SCRIPTDIR source=../../.github/actions/scripts/api.sh
. "$here/../../.github/actions/scripts/api.sh"
# shellcheck source-path=SCRIPTDIR source=../../.github/actions/scripts/markdown.sh
. "$here/../../.github/actions/scripts/markdown.sh"
# Authorization is the header that curl does not send on to another host, such as an object storage.
api_url=$CI_API_V4_URL api_header="Authorization: Bearer $RECONCILE_TOKEN"

project="projects/$CI_PROJECT_ID" folder=$1
mkdir -p "$folder"

refuse() {
    printf '%s\n' "$1" "Run a pipeline by hand on this branch: it plans, waits for you, and applies that plan." |
        markdown_of_text "reconcile: not applied" | tee "$folder/apply.md"
    exit 1
}

merged=$(api_items "$project/repository/commits/$CI_COMMIT_SHA/merge_requests" '.[]' | jq --slurp \
    --raw-output --arg commit "$CI_COMMIT_SHA" '
    map(select(.state == "merged"
        and ([.merge_commit_sha, .squash_commit_sha, .sha] | index($commit)))) | .[0].iid // empty')
if [ -z "$merged" ]; then
    refuse "Commit $CI_COMMIT_SHA merges no merge request, so that nobody has reviewed a plan of it."
fi
echo "$merged" > "$folder/merge-request"

# Pipelines of a fork belong to the fork: their plan was not made for this database.
pipeline=$(api_items "$project/merge_requests/$merged/pipelines" '.[]' | jq --slurp --raw-output \
    --argjson project "$CI_PROJECT_ID" '
    map(select(.project_id == $project)) | max_by(.id) | .id // empty')
if [ -n "$pipeline" ]; then
    job=$(api_items "$project/pipelines/$pipeline/jobs" '.[]' | jq --slurp --raw-output '
        map(select(.name == "reconcile-plan" and .status == "success")) | max_by(.id) | .id // empty')
fi
if [ -z "${job:-}" ]; then
    refuse "The last pipeline of merge request !$merged has made no plan: it failed, or it ran in a fork."
fi
if ! api GET "$project/jobs/$job/artifacts/reconcile-plan/plan.json" --output "$folder/plan.json"; then
    rm -f "$folder/plan.json"
    refuse "The plan of merge request !$merged has expired."
fi
