"""The capability of objects that connect to another server with a secret: subscriptions.

Such an object is never made on scratch, where it could connect. Its connection string is read
neither from the catalog nor from files: `{secret}` is the one that the server has, and
`{env: RECONCILE_NAME}` the value of an environment variable at the moment when it is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self, cast

from pydantic import AfterValidator, WithJsonSchema

from reconciler.model.object import Object
from reconciler.sql import literal, text

Conninfo = Mapping[str, str | None]
SECRET: dict[str, str | None] = {"secret": None}
_VARIABLE = re.compile(r"RECONCILE_[A-Z0-9_]+")
NOTHING = "SELECT"  # what runs on scratch in place of a command


def _checked(written: dict[str, str | None]) -> dict[str, str | None]:
    variable = written.get("env")
    if written == SECRET or (len(written) == 1 and variable and _VARIABLE.fullmatch(variable)):
        return written
    raise ValueError(
        "a connection string may hold a password, so it is kept out of files: write"
        " {env: RECONCILE_NAME}, an environment variable of `apply` that holds it, or {secret},"
        " which keeps what the server has"
    )


_SCHEMA = {
    "type": "object",
    "properties": {
        "secret": {"type": "null", "description": "keeps what the server has"},
        "env": {
            "type": "string",
            "pattern": f"^{_VARIABLE.pattern}$",
            "description": "the environment variable of `apply` that holds the connection string",
        },
    },
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": False,
}
SecretConninfo = Annotated[
    dict[str, str | None], AfterValidator(_checked), WithJsonSchema(cast("dict[str, Any]", _SCHEMA))
]


class Obstacle(NamedTuple):
    """A reason why a declared object cannot be had, the key at fault, and what to do."""

    key: str
    reason: str
    remedy: str


class ConnectsElsewhere(Object):
    """An object that connects to another server."""

    commands: ClassVar[tuple[str, ...]]  # the beginnings of all commands on objects of the kind

    def obstacles(self, live: Self | None) -> Iterator[Obstacle]:
        """Yield why the declared object cannot be created, or cannot replace `live`."""
        raise NotImplementedError


def on_scratch(sql: str, kinds: Iterable[type[ConnectsElsewhere]]) -> str:
    """Return a command as it runs on scratch: nothing in place of one on such an object."""
    return NOTHING if any(sql.startswith(k.commands) for k in kinds) else sql


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
