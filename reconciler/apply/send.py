"""Send the statement of a step: with a secret, or to another database of the cluster.

The value of a secret stands in nothing but what is sent: plans, journals and messages have the
placeholder.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress

from psycopg import conninfo

from reconciler.apply import secret
from reconciler.errors import ConnectionFailed, SettingsError, StatementFailed
from reconciler.model.remote import with_value
from reconciler.model.statement import Held
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, adjust, connect, run_sql
from reconciler.server.locks import LockPolicy
from reconciler.server.redaction import hide


def send(connection: Connection, step: Step) -> None:
    """Execute the statement of a step; raises StatementFailed."""
    variable = step.environment
    if not variable:
        run_sql(connection, step.sql)
        return
    if reason := secret.unusable(variable, step.holds):
        raise StatementFailed(reason, sql=step.sql)
    value = secret.sent_value(connection, variable, step.holds)
    try:
        run_sql(connection, with_value(step.sql, variable, value))
    except StatementFailed as error:
        raise StatementFailed(
            _hidden(error.message, step, value),
            sqlstate=error.sqlstate,
            detail=error.detail and _hidden(error.detail, step, value),
            hint=error.hint,
            sql=step.sql,
        ) from None


def _hidden(message: str, step: Step, value: str) -> str:
    if step.holds == "password":
        return message.replace(value, "***")
    return hide(message, value)


def send_elsewhere(target: str, policy: LockPolicy, step: Step) -> None:
    """Execute the statement of a step in another database of the cluster.

    Raises StatementFailed, and so for a database that cannot be connected to.
    """
    try:
        with _connected(target, policy, step.database) as connection:
            adjust(connection, {"lock_timeout": f"{max(int(policy.lock * 1000), 1)}ms"})
            send(connection, step)
    except (ConnectionFailed, SettingsError) as error:
        raise StatementFailed(f"database {step.database}: {error}", sql=step.sql) from None


def unreachable(target: str, policy: LockPolicy, steps: Iterable[Step]) -> Iterator[str]:
    """Yield which databases steps cannot run in."""
    for database in sorted({s.database for s in steps} - {""}):
        try:
            with _connected(target, policy, database):
                pass
        except (ConnectionFailed, SettingsError, StatementFailed) as error:
            yield (
                f"nothing can be done in database {database}, where steps are to run: {error};"
                " REASSIGN OWNED and DROP OWNED there first, or drop that database"
            )


@contextmanager
def _connected(target: str, policy: LockPolicy, database: str) -> Generator[Connection]:
    with connect(conninfo.make_conninfo(target, dbname=database)) as connection:
        with suppress(StatementFailed):
            adjust(connection, {"row_security": "off"})
        adjust(connection, policy.session)
        yield connection


def unusable(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what is wrong with the environment variables that steps need."""
    needed: set[tuple[str, Held]] = {(s.environment, s.holds) for s in steps if s.environment}
    for variable, holds in sorted(needed):
        if reason := secret.unusable(variable, holds):
            yield reason
