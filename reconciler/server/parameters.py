"""List the parameters set first by every session, whatever a role or a database sets.

https://www.postgresql.org/docs/current/runtime-config-client.html

FIXED     what SQL means, and how PostgreSQL prints it; nobody changes these
DEFAULTS  what a run may change by `--set` and `session` of reconcile.yml
READING   what a run may change as well, where it only reads: catalogs may be large
KEPT      what the administrator of a database chose for the roles and new objects in it
"""

from __future__ import annotations

from collections.abc import Mapping

# With pg_temp at the end, a temporary object cannot stand for one of pg_catalog.
SEARCH_PATH = "pg_catalog, pg_temp"

FIXED: Mapping[str, str] = {
    "search_path": SEARCH_PATH,
    "client_encoding": "UTF8",
    # how SQL is read
    "standard_conforming_strings": "on",
    "backslash_quote": "safe_encoding",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "xmloption": "content",
    "timezone_abbreviations": "Default",
    # how values are printed, and often read as well
    "quote_all_identifiers": "off",
    "bytea_output": "hex",
    "xmlbinary": "base64",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "lc_numeric": "C",
    "lc_time": "C",
    # what a statement does
    "check_function_bodies": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    "exit_on_error": "off",
}
DEFAULTS: Mapping[str, str] = {
    "timezone": "UTC",  # also of literals without a time zone
    "row_security": "on",
    "gin_fuzzy_search_limit": "0",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_session_timeout": "0",  # a session is idle while we wait for others
    "client_min_messages": "error",
}
# How long a client that stands still may keep a transaction and its locks: the limit of the role or
# the database, else a minute.
IDLE_LIMIT = """
    pg_catalog.set_config(
        'idle_in_transaction_session_timeout',
        CASE WHEN pg_catalog.current_setting('idle_in_transaction_session_timeout')
                  OPERATOR(pg_catalog.=) '0' THEN '1min'
            ELSE pg_catalog.current_setting('idle_in_transaction_session_timeout') END, false)"""

DEFAULTS_SINCE_17: Mapping[str, str] = {"transaction_timeout": "0"}
READING: Mapping[str, str] = {"work_mem": "16MB"}

# How soon the server notices that an applying client is gone, in the units of pg_settings.
CLIENT_CHECKS: Mapping[str, int] = {
    "tcp_keepalives_idle": 30,
    "tcp_keepalives_interval": 10,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 60_000,
    "client_connection_check_interval": 10_000,  # an error where the server's system lacks it
}

KEPT = (
    "role",
    "default_transaction_read_only",
    "default_tablespace",
    "default_table_access_method",
    "temp_tablespaces",
)
