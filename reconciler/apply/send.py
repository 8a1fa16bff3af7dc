"""Send the statement of a step, with the secret that only the environment holds.

The value stands in nothing but what is sent: plans, journals and messages have the placeholder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from reconciler.errors import StatementFailed
from reconciler.model.remote import with_value
from reconciler.plan.step import Step
from reconciler.server.connection import Connection, run_sql
from reconciler.server.redaction import hide, parsed


def send(connection: Connection, step: Step) -> None:
    """Execute the statement of a step; raises StatementFailed."""
    variable = step.environment
    if not variable:
        run_sql(connection, step.sql)
        return
    if reason := _unusable(variable):
        raise StatementFailed(reason, sql=step.sql)
    value = os.environ[variable]
    try:
        run_sql(connection, with_value(step.sql, variable, value))
    except StatementFailed as error:
        raise StatementFailed(
            hide(error.message, value),
            sqlstate=error.sqlstate,
            detail=error.detail and hide(error.detail, value),
            hint=error.hint,
            sql=step.sql,
        ) from None


def unusable(steps: Iterable[Step]) -> Iterator[str]:
    """Yield what is wrong with the environment variables that steps need."""
    for variable in sorted({s.environment for s in steps} - {""}):
        if reason := _unusable(variable):
            yield reason


def _unusable(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        return f"the environment variable {variable} is not set: it holds a connection string"
    if parsed(value) is None:  # what libpq cannot read, PostgreSQL would print
        return (
            f"the environment variable {variable} holds no connection string that libpq can read:"
            " host=… dbname=… user=… password=…, or postgresql://…"
        )
    return ""
