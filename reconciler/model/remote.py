"""Secrets in commands, and the capability of objects that connect elsewhere: subscriptions.

Such an object is never made on scratch, where it could connect. Its connection string is read
neither from the catalog nor from files: `{secret}` is the one that the server has, and
`{env: RECONCILE_NAME}` the value of an environment variable at the moment when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, WithJsonSchema

from reconciler.model.kept_off_scratch import KeptOffScratch
from reconciler.sql import literal, text

Conninfo = Mapping[str, str | None]
SECRET: dict[str, str | None] = {"secret": None}
_VARIABLE = re.compile(r"RECONCILE_[A-Z0-9_]+")


def _is_variable(written: Mapping[str, str | None]) -> bool:
    variable = written.get("env")
    return len(written) == 1 and bool(variable and _VARIABLE.fullmatch(variable))


def _checked(written: dict[str, str | None]) -> dict[str, str | None]:
    if written == SECRET or _is_variable(written):
        return written
    raise ValueError(
        "a connection string may hold a password, so it is kept out of files: write"
        " {env: RECONCILE_NAME}, an environment variable of `apply` that holds it, or {secret},"
        " which keeps what the server has"
    )


def _checked_password(written: dict[str, str | None]) -> dict[str, str | None]:
    if _is_variable(written):
        return written
    raise ValueError(
        "a password is kept out of files: write {env: RECONCILE_NAME}, an environment variable of"
        " `apply` that holds it"
    )


def _schema(held: str, **others: object) -> dict[str, Any]:
    variable = {
        "type": "string",
        "pattern": f"^{_VARIABLE.pattern}$",
        "description": f"the environment variable of `apply` that holds the {held}",
    }
    return {
        "type": "object",
        "properties": {**others, "env": variable},
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


_KEPT = {"type": "null", "description": "keeps what the server has"}
SecretConninfo = Annotated[
    dict[str, str | None],
    AfterValidator(_checked),
    WithJsonSchema(_schema("connection string", secret=_KEPT)),
]
SecretPassword = Annotated[
    dict[str, str | None],
    AfterValidator(_checked_password),
    WithJsonSchema(_schema("password")),
]


class ConnectsElsewhere(KeptOffScratch):
    """An object that connects to another server."""

    unproven: ClassVar[str] = "can be had: none is made on scratch, where it could connect"


def placeholder(variable: str) -> str:
    """Return what stands for the value of an environment variable in a command, as in psql.

    Raises ValueError for a name that a declaration could not have.
    """
    if _VARIABLE.fullmatch(variable) is None:
        raise ValueError(f"{variable} is no name RECONCILE_… of an environment variable")
    return f":'{variable}'"


def with_value(sql: str, variable: str, value: str) -> str:
    """Return a command with the value in place of the variable."""
    before, _, after = sql.partition(placeholder(variable))
    return f"{before}{text(literal(value))}{after}"
