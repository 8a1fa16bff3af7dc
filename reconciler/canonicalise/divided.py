"""Move declared members of an object to another where PostgreSQL stores the members there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from reconciler.canonicalise.overlay import Desired
from reconciler.errors import StatementFailed
from reconciler.model.declared import DividesMembers
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection, run_sql
from reconciler.sql import compose, literal, text


def with_members_divided(
    connection: Connection, declaration: Declaration, live: State, desired: Desired
) -> Declaration:
    """Return the declaration with the members of changed operator classes where they are stored.

    `connection` leads to a scratch database with the live state. A class that needs what is not
    live is left as it is: PostgreSQL divides the members when it creates the class.
    """
    objects: dict[Ref, Object] = {}
    divided = {r: o for r, o in declaration.objects.items() if isinstance(o, DividesMembers)}
    if not divided:
        return declaration
    origins, positions = dict(declaration.search_path), dict(declaration.positions)
    for ref, obj in divided.items():
        if desired.objects.get(ref) == live.get(ref):
            continue
        whole = objects.get(obj.whole) or desired.objects.get(obj.whole)
        if whole is None or obj.whole not in live:
            continue
        path = declaration.search_path.get(ref, "")
        run_sql(connection, text(compose("SET search_path TO {}", literal(path))))
        with suppress(StatementFailed):
            objects[ref], objects[obj.whole] = obj.divided(whole, connection)
            origins.setdefault(obj.whole, path)
            if at := declaration.position(ref):
                positions.setdefault((obj.whole, ""), at)
    if not objects:
        return declaration
    return replace(
        declaration,
        objects={**declaration.objects, **objects},
        search_path=origins,
        positions=positions,
    )
