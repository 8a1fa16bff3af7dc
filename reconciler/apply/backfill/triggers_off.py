"""Disable triggers for the transactions of a backfill, by session_replication_role.

https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SESSION-REPLICATION-ROLE
"""

from __future__ import annotations

from reconciler.errors import StatementFailed
from reconciler.model.statement import Fill
from reconciler.server.connection import Connection, rows, run_sql, translated

INSUFFICIENT_PRIVILEGE = "42501"
DISABLE_TRIGGERS = "SET LOCAL session_replication_role = replica"
FOREIGN_KEYS = """
    SELECT k.conname::text AS name FROM pg_constraint AS k
    JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)
    WHERE k.conrelid = to_regclass(%s) AND k.contype = 'f' AND a.attname = (parse_ident(%s))[1]
    ORDER BY 1"""


def assert_triggers_can_be_disabled(connection: Connection, spec: Fill) -> None:
    """Raise StatementFailed if triggers may not be disabled.

    The role may lack the privilege, or a trigger of a foreign key must check the values.
    """
    if spec.throttle.triggers:
        return
    if keys := rows(connection, FOREIGN_KEYS, [spec.relation, spec.column]):
        raise StatementFailed(
            f"triggers: false would leave {spec.column} unchecked by the foreign key "
            f"{keys[0]['name']} of {spec.relation}",
            hint="let the triggers fire, or add the foreign key after the backfill",
        )
    try:
        with translated(), connection.transaction():
            run_sql(connection, DISABLE_TRIGGERS)
    except StatementFailed as e:
        if e.sqlstate != INSUFFICIENT_PRIVILEGE:
            raise
        role = rows(connection, "SELECT current_user::text AS role")[0]["role"]
        raise StatementFailed(
            "triggers: false needs a superuser, or (since PostgreSQL 15) a role that may set "
            f"session_replication_role; {role} may not",
            hint=f"GRANT SET ON PARAMETER session_replication_role TO {role}, "
            "or leave triggers out of the backfill",
        ) from e
