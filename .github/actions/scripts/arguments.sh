# shellcheck shell=bash
# shellcheck disable=SC2034 # the arrays are used by the scripts that read this file
# Set the arrays `database` and `options`, for reconcile's command line, from the environment:
#
# RECONCILE_START    a file of SQL that makes a database; it takes the place of the target
# RECONCILE_TARGET   a name from reconcile.yml, or `embedded`; empty: DATABASE_URL names the database
# RECONCILE_OPTIONS  further options, separated by spaces or line breaks

if [ -n "${RECONCILE_START:-}" ]; then
    database=(--start "$RECONCILE_START")
elif [ -n "${RECONCILE_TARGET:-}" ]; then
    database=(--target "$RECONCILE_TARGET")
elif [ -n "${DATABASE_URL:-}" ]; then
    database=() # reconcile reads the variable, and no list of processes shows it
else
    echo "error: no database: set database-url, target or start (/dev/null for an empty one)" >&2
    exit 1
fi
# It ends without the delimiter, a zero byte, so that `read` has a status of 1.
read -r -d '' -a options <<< "${RECONCILE_OPTIONS:-}" || true
