"""Name the statement that gives a role the privilege that it lacks."""

from __future__ import annotations

import re
from contextlib import suppress

from reconciler.errors import StatementFailed
from reconciler.server.connection import Connection, rows
from reconciler.server.elevation import INSUFFICIENT_PRIVILEGE
from reconciler.sql import compose, raw, text

_DENIED = re.compile(r"permission denied for (?P<kind>[a-z -]+?) (?P<name>\S+)$")
_PARAMETER = re.compile(r'permission denied to set parameter "(?P<name>[^"]+)"$')
_MEMBER = re.compile(r'must be (?:member of role|able to SET ROLE) "(?P<name>[^"]+)"$')
# What `permission denied for KIND` names, with the privileges that commands of a plan need there:
# https://www.postgresql.org/docs/current/ddl-priv.html
_PRIVILEGES = {
    "schema": "USAGE, CREATE ON SCHEMA",
    "database": "CREATE ON DATABASE",
    "table": "SELECT, REFERENCES, TRIGGER ON TABLE",
    "view": "SELECT ON TABLE",
    "materialized view": "SELECT ON TABLE",
    "sequence": "USAGE, SELECT ON SEQUENCE",
    "function": "EXECUTE ON FUNCTION",
    "procedure": "EXECUTE ON PROCEDURE",
    "type": "USAGE ON TYPE",
    "language": "USAGE ON LANGUAGE",
    "foreign-data wrapper": "USAGE ON FOREIGN DATA WRAPPER",
    "foreign server": "USAGE ON FOREIGN SERVER",
    "tablespace": "CREATE ON TABLESPACE",
}


def grant(privileges: str, on: str, role: str) -> str:
    """Return GRANT for privileges `… ON SCHEMA` and the like."""
    return text(compose("GRANT {} {} TO {}", raw(privileges), on, role))


def membership(of: str, role: str) -> str:
    """Return the GRANT that makes a role a member of another one."""
    return text(compose("GRANT {} TO {}", of, role))


def with_remedy(failure: StatementFailed, connection: Connection) -> StatementFailed:
    """Return a failure with the GRANT that PostgreSQL's message calls for, if it calls for one."""
    if failure.sqlstate != INSUFFICIENT_PRIVILEGE or failure.hint:
        return failure
    with suppress(StatementFailed):
        role = rows(connection, "SELECT current_user::text AS role")[0]["role"]
        if missing := remedy(failure.message, role):
            return StatementFailed(
                failure.message,
                sqlstate=failure.sqlstate,
                detail=failure.detail,
                hint=missing,
                sql=failure.sql,
                constraint=failure.constraint,
            )
    return failure


def remedy(message: str, role: str) -> str:
    """Return the GRANT that PostgreSQL's message calls for, "" where it does not tell."""
    if (found := _DENIED.fullmatch(message)) and found["kind"] in _PRIVILEGES:
        return grant(_PRIVILEGES[found["kind"]], found["name"], role)
    if found := _PARAMETER.fullmatch(message):
        return grant("SET ON PARAMETER", found["name"], role)
    if found := _MEMBER.fullmatch(message):
        return membership(found["name"], role)
    return ""
