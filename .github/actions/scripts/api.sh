# shellcheck shell=bash
# shellcheck disable=SC2154 # api_url and api_header are set by the scripts that read this file
# Call the API at $api_url. The header $api_header holds the token: curl reads it from a file, so
# that no list of processes shows it.

api() { # METHOD PATH [curl's options]
    local method=$1 path=$2
    shift 2
    local tries=(--retry 3)
    if [ "$method" = POST ]; then
        tries=() # twice would be two comments
    fi
    curl --silent --show-error --fail-with-body --location "${tries[@]}" --request "$method" \
        --config <(printf 'header = "%s"\n' "$api_header") --header "Content-Type: application/json" \
        "$@" "$api_url/$path"
}

api_items() { # PATH FILTER: print the items of all pages, one JSON document a line
    local path=$1 filter=$2 page=1 separator='?' headers body
    case $path in *\?*) separator='&' ;; esac
    headers=$(mktemp)
    while true; do
        body=$(api GET "$path${separator}per_page=100&page=$page" --dump-header "$headers") || {
            printf '%s\n' "$body" >&2
            rm -f "$headers"
            return 1
        }
        jq --compact-output "$filter" <<< "$body"
        grep -qi '^link:.*rel="next"' "$headers" || break
        page=$((page + 1))
    done
    rm -f "$headers"
}
