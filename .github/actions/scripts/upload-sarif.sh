#!/usr/bin/env bash
# Show the SARIF file $1 under *Code scanning*; where the repository has none, warn and go on.
#
# https://docs.github.com/en/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=api.sh
. "$(dirname "${BASH_SOURCE[0]}")/api.sh"

api_url=$GITHUB_API_URL api_header="Authorization: Bearer $GITHUB_TOKEN"
packed=$(mktemp) request=$(mktemp)
gzip --stdout "$1" | base64 --wrap=0 > "$packed"
jq --null-input --rawfile sarif "$packed" --arg commit "$GITHUB_SHA" --arg ref "$GITHUB_REF" \
    '{commit_sha: $commit, ref: $ref, sarif: $sarif}' > "$request"
if ! answer=$(api POST "repos/$GITHUB_REPOSITORY/code-scanning/sarifs" --data "@$request"); then
    reason=$(jq --raw-output '.message // empty' <<< "$answer" 2> /dev/null | tr '\r\n' '  ' || true)
    echo "::warning title=code scanning::The findings of lint are not shown there: ${reason:-no answer}"
fi
rm -f "$packed" "$request"
