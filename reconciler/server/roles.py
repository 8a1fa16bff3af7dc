"""Tell ordinary roles from roles able to act outside a database or on other sessions."""

from __future__ import annotations

from reconciler.server.connection import Connection, rows

PREDEFINED = "pg_"  # the beginning of the names that PostgreSQL keeps for roles of its own
# https://www.postgresql.org/docs/current/predefined-roles.html
UNCONFINED = [
    "pg_create_subscription",
    "pg_execute_server_program",
    "pg_read_server_files",
    "pg_signal_autovacuum_worker",
    "pg_signal_backend",
    "pg_write_server_files",
]

# Rows of pg_roles that are not ordinary; the parameter is UNCONFINED. A role with CREATEROLE can
# make itself a member of others before PostgreSQL 16, one with REPLICATION can fill the disk with
# replication slots: both outlive a rollback.
_POWERFUL = """
    (r.rolsuper OR r.rolcreaterole OR r.rolreplication OR r.rolname = ANY (%s))"""

_OWN_POWER = f"""
    SELECT session_user::text AS own, r.rolname::text AS role,
           CASE WHEN r.rolsuper THEN ', a superuser'
                WHEN r.rolcreaterole THEN ', a role with CREATEROLE'
                WHEN r.rolreplication THEN ', a role with REPLICATION' ELSE '' END AS what
    FROM pg_catalog.pg_roles AS r
    WHERE {_POWERFUL} AND pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
    ORDER BY r.rolname <> session_user, r.rolname"""

_ORDINARY = f"""
    SELECT o.rolname::text AS role FROM pg_catalog.pg_roles AS o
    WHERE NOT pg_catalog.starts_with(o.rolname::text, 'pg_') AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_roles AS r
        WHERE {_POWERFUL} AND pg_catalog.pg_has_role(o.oid, r.oid, 'MEMBER'))
    ORDER BY 1"""


def own_power(connection: Connection) -> str:
    """Name the session's user and the reason against an ordinary role; "" for an ordinary role.

    A member of a role can become that role, directly or not, so the roles of all its roles count.
    """
    found = rows(connection, _OWN_POWER, [UNCONFINED])
    if not found:
        return ""
    own, role, what = found[0]["own"], found[0]["role"], found[0]["what"]
    return f"{own}{what}" if role == own else f"{own}, a member of {role}{what}"


def ordinary_roles(connection: Connection) -> list[str]:
    """List the ordinary roles of the server, without predefined roles."""
    return [r["role"] for r in rows(connection, _ORDINARY, [UNCONFINED])]
