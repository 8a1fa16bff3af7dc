"""Problems of declared objects that PostgreSQL refuses, at the lines at fault, with hints."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Set
from dataclasses import dataclass

from reconciler.canonicalise.build import Build, listed, sql_rule
from reconciler.canonicalise.canonical import Inputs
from reconciler.canonicalise.failing_parts import Failures
from reconciler.canonicalise.hints import hint_for, identifiers_in, missing
from reconciler.errors import (
    DeclarationError,
    Position,
    Problem,
    ScratchError,
    StatementFailed,
)
from reconciler.model.markers import PlatformDependent
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection
from reconciler.server.scratch import Scratch
from reconciler.sql import name, text

_QUOTED = re.compile(r'"([^"]+)"')
NOT_SUPPORTED = "0A000"  # a bare word as DEFAULT, among others


@dataclass(frozen=True)
class Refusals:
    """What PostgreSQL refuses of a state on a scratch server.

    `source` maps declared objects to their refs in the files. `dropped` objects go.
    """

    scratch: Scratch
    inputs: Inputs
    dropped: Set[Ref]
    source: Mapping[Ref, Ref]

    def raise_if_fatal(self, build: Build, failed: Failures, live: State) -> None:
        """Raise DeclarationError for declared objects, ScratchError for an unsuitable server.

        An embedded server that refuses a live object differs from the target. A server on the
        target's own cluster may refuse live objects that depend on the database.
        """
        if not failed:
            return
        ours, server = self.scratch.ours, self.scratch.description
        copied = {r: e for r, e in failed.items() if ours or r in self.source}
        require_tablespaces(copied, self.inputs.live.context.tablespaces.names, server)
        platform = {
            r: e for r, e in failed.items() if isinstance(build.state[r], PlatformDependent)
        }
        if ours and platform:
            reasons = listed(platform, None)
            raise ScratchError(f"{server} may lack what the target has ({reasons})")
        problems = [self._problem(build, r, e, live) for r, e in build.causes(failed).items()]
        if reported := [p for p in problems if p]:
            raise DeclarationError(reported)
        if ours:
            raise ScratchError(
                f"{server} cannot hold {len(failed)} of the target's objects ({listed(failed)})"
            )

    def _problem(
        self, build: Build, ref: Ref, error: StatementFailed, live: State
    ) -> Problem | None:
        if ref in self.source:
            return refused(build.connection, self.inputs, self.source[ref], error)
        if ref in live:
            message = f"{ref} cannot stay as it is next to the declared objects: {error.message}"
            lacking = missing(error.message)[1]
            gone = {str(r) for r in self.dropped - self.inputs.declaration.absent.keys()}
            along = sorted(r for r in gone if lacking and r.endswith(lacking))
            reasons = [f"{r} goes along with what is dropped" for r in along]
            hint = "; ".join([*reasons, "declare it as it should be, or with state: absent"])
            if ref.schema and ref.schema_ref in self.inputs.declaration.absent:
                flags = f"--prune --schema {ref.schema}"
                hint += f"; {flags} drops with the schema all that is in it"
            return Problem(message, None, hint, "dependent-refused")
        return None


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
