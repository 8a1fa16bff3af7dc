"""Read the objects of the whole cluster that a declaration, a plan or a run names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from reconciler.errors import SettingsError
from reconciler.introspect.introspect import Snapshot
from reconciler.introspect.objects import look
from reconciler.kinds import KINDS
from reconciler.model.facts import Removal
from reconciler.model.global_object import GlobalObject
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection
from reconciler.server.roles import PREDEFINED

GLOBAL = frozenset(k for k, kind in KINDS.items() if issubclass(kind, GlobalObject))


def with_global_objects(live: Snapshot, connection: Connection, refs: Iterable[Ref]) -> Snapshot:
    """Return the snapshot with those of the cluster's objects among `refs` that exist."""
    wanted = {r for r in refs if r.kind in GLOBAL} - live.state.objects.keys()
    if not wanted:
        return live
    kinds, identities = {r.kind for r in wanted}, [r.identity for r in wanted]
    found, _ = look(connection, kinds, identities)
    objects = {**live.state.objects, **{r: o for r, o in found.items() if r in wanted}}
    return replace(live, state=State(objects, live.state.edges))


def with_named_objects(live: Snapshot, connection: Connection, names: Iterable[str]) -> Snapshot:
    """Return the snapshot with the cluster's objects among names such as `role app`."""
    parts = [n.partition(" ") for n in names]
    return with_global_objects(live, connection, (Ref(kind, "", own) for kind, _, own in parts))


def for_declaration(
    live: Snapshot, connection: Connection, declaration: Declaration
) -> tuple[Snapshot, Declaration]:
    """Return both with the cluster's objects of the declaration, and what dropping them means."""
    declared = [o for o in declaration.objects.values() if isinstance(o, GlobalObject)]
    absent = [o for o in declaration.absent.values() if isinstance(o, GlobalObject)]
    if not (declared or absent):
        return live, declaration
    live = with_global_objects(live, connection, (o.ref for o in (*declared, *absent)))
    recorded = {o.ref: o.as_recorded(connection) for o in declared}
    found = (o for o in live.state.objects.values() if isinstance(o, GlobalObject))
    context = replace(live.context, removals=_removals(live, connection, absent))
    if any(o.names_database for o in (*recorded.values(), *found)):
        context = replace(context, database=live.database.partition("/")[2])
    declaration = replace(declaration, objects={**declaration.objects, **recorded})
    return replace(live, context=context), declaration


def _removals(
    live: Snapshot, connection: Connection, absent: Iterable[GlobalObject]
) -> dict[Ref, Removal]:
    going = [o for o in absent if o.ref in live.state]
    removals: dict[Ref, Removal] = {}
    for kind in {type(o) for o in going}:
        removals |= kind.removals(connection, [o for o in going if type(o) is kind])
    return removals


class RolesAsked(NamedTuple):
    """The roles to export: those of these names, and with `named` those that objects name."""

    names: frozenset[str] = frozenset()
    named: bool = False


NO_ROLES = RolesAsked()


def asked_roles(
    live: Snapshot, connection: Connection, asked: RolesAsked, objects: Iterable[Object]
) -> dict[Ref, Object]:
    """Return the roles, without the predefined ones; raises SettingsError for an unknown name."""
    if unknown := sorted(asked.names - live.roles):
        raise SettingsError(f"no such role: {', '.join(unknown)}")
    names = set(asked.names)
    if asked.named:
        names |= {role for o in objects for role in o.roles()}
    own = sorted(n for n in names if not n.startswith(PREDEFINED))
    found = with_global_objects(live, connection, [Ref(k, "", n) for k in GLOBAL for n in own])
    return {r: o for r, o in found.state.objects.items() if r.kind in GLOBAL}
