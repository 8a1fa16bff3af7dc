"""Problems of declared objects that PostgreSQL refuses, at the lines at fault, with hints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from reconciler.canonicalise.build import sql_rule
from reconciler.canonicalise.canonical import Inputs
from reconciler.canonicalise.hints import hint_for, identifiers_in, missing
from reconciler.errors import Position, Problem, ScratchError, StatementFailed
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.server.connection import Connection
from reconciler.sql import name, text

_QUOTED = re.compile(r'"([^"]+)"')
NOT_SUPPORTED = "0A000"  # a bare word as DEFAULT, among others


def refused(connection: Connection, inputs: Inputs, ref: Ref, error: StatementFailed) -> Problem:
    """Describe the refusal of an object; `ref` is that in the files.

    `connection` leads to a database with the objects that PostgreSQL did not refuse.
    """
    obj = inputs.declaration.objects[ref]
    relation = text(name(ref.on.schema, ref.on.name)) if ref.on is not None else ""
    hints = [
        error.detail,
        _advice(obj) if error.sqlstate == NOT_SUPPORTED else "",
        hint_for(connection, error, relation, inputs.renamings),
    ]
    position = position_of(inputs.declaration, ref, error.message)
    return Problem(
        f"{ref}: {error.message}", position, "; ".join(filter(None, hints)), sql_rule(error)
    )


def require_tablespaces(
    failed: Mapping[Ref, StatementFailed], known: Collection[str], server: str
) -> None:
    """Raise ScratchError if a scratch server lacks a tablespace known to the target."""
    for ref, error in failed.items():
        what, lacking = missing(error.message)
        if what == "tablespace" and lacking in known:
            raise ScratchError(
                f"{server} lacks tablespace {lacking}, which the target has and {ref} needs: create"
                " it there, or name another server with --scratch"
            )


def _advice(obj: Object) -> str:
    found = (f.clause.advice_on(f.text) for f in obj.fragments())
    return next((advice for advice in found if advice), "")


def position_of(declaration: Declaration, ref: Ref, message: str) -> Position | None:
    """Return the position of the key whose value the message speaks of, else of declared SQL."""
    obj = declaration.objects[ref]
    keys = [k for k in _keys(obj) if (ref, k) in declaration.positions]
    named = {word.lower() for word in (missing(message)[1], *_QUOTED.findall(message)) if word}
    speaking = (k for k in keys if named & _identifiers(getattr(obj, _field(obj, k))))
    by_clause = (k for k in keys if message.endswith(f"{k.upper()} expression"))
    key = next(speaking, None) or next(by_clause, None)
    return declaration.position(ref, key or next((k for k in keys if k in obj.sql_fields), ""))


def _keys(obj: Object) -> Iterator[str]:
    """Yield the keys of SQL in their order, then the others."""
    fields = type(obj).model_fields
    for field in (*obj.sql_fields, *(f for f in fields if f not in obj.sql_fields)):
        yield fields[field].alias or field


def _field(obj: Object, key: str) -> str:
    return next((f for f, info in type(obj).model_fields.items() if info.alias == key), key)


def _identifiers(value: object) -> set[str]:
    return {word.lower() for word in identifiers_in(str(value))}
