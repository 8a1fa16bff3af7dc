"""Run renamings on scratch, and read the live state after them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from reconciler.canonicalise.build import Build, listed, scratch_context
from reconciler.canonicalise.closure import dependency_closure
from reconciler.canonicalise.guard import Guarded, require_as_put_in
from reconciler.diff.renames import Renaming, refs_after
from reconciler.errors import ScratchError
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.unfilled import filled_as
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.elevation import run_statement
from reconciler.server.scratch import Scratch


def with_renamings(
    scratch: Scratch, live: Snapshot, declaration: Declaration, renamings: Sequence[Renaming]
) -> Snapshot:
    """Return the live snapshot after the renamings.

    They run on scratch, since only PostgreSQL knows what else a renaming changes: the SQL of views,
    the names of constraints. Raises ScratchError where the server cannot hold the objects.
    """
    roots = {r.was for r in renamings}
    roots |= {n for r in renamings for n in _needs_after(r, declaration)}
    members = dependency_closure(live.state, roots)
    state = _renamed_state(scratch, live, members, renamings)
    unaffected = {r: o for r, o in live.state.objects.items() if r not in members}
    new_refs = refs_after(live.state, renamings)
    owners = {new_refs.get(r, r): owner for r, owner in live.context.owners.items()}
    return replace(
        live,
        state=State({**unaffected, **state.objects}, {**live.state.edges, **state.edges}),
        context=replace(live.context, owners=owners),
        names=_relation_names(live, members, new_refs),
    )


def _needs_after(renaming: Renaming, declaration: Declaration) -> Set[Ref]:
    """Return the needs of the object after the renaming, such as another schema."""
    declared = declaration.objects.get(renaming.becomes)
    return declared.needs() if declared else frozenset()


def _renamed_state(
    scratch: Scratch, live: Snapshot, members: Set[Ref], renamings: Sequence[Renaming]
) -> State:
    """Build the affected objects, rename, and read back."""
    objects = {r: o for r, o in live.state.objects.items() if r in members}
    roles = {role for o in objects.values() for role in o.roles()}
    context = scratch_context(live.context, scratch.server)
    with scratch.database(roles, live.context.user, live.context.tablespaces) as connection:
        build = Build(connection, State(objects, live.state.edges), context, {})
        if failed := build.create_all():
            raise ScratchError(
                f"{scratch.description} cannot hold what depends on renamed objects "
                f"({listed(failed)})"
            )
        built = introspect(connection, live.context.server)
        owners = {live.context.user: built.context.user}
        put_in = State(objects)
        require_as_put_in(Guarded(put_in, filled_as(built.state, objects), owners=owners))
        for renaming in renamings:
            run_statement(connection, renaming.statement.sql)
        new_refs = refs_after(live.state, renamings)
        as_before = {new_refs.get(r, r): o for r, o in objects.items()}
        return filled_as(introspect(connection, live.context.server).state, as_before)


def _relation_names(
    live: Snapshot, members: Set[Ref], new_refs: Mapping[Ref, Ref]
) -> dict[tuple[str, str], str]:
    freed = {(old.schema, old.name) for old, new in new_refs.items() if old != new}
    unchanged = {name: table for name, table in live.names.items() if name not in freed}
    renamed = {
        (new_refs[r].schema, new_refs[r].name): live.names.get((r.schema, r.name), "")
        for r in members
        if live.state[r].relation_name == r.name
    }
    return unchanged | renamed
