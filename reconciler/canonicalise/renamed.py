"""Run renamings on scratch, and read the live state after them; identify renamed routines."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace

from reconciler.canonicalise.build import Build, listed, scratch_context, sql_rule
from reconciler.canonicalise.closure import dependency_closure
from reconciler.canonicalise.guard import Guarded, require_as_put_in
from reconciler.canonicalise.identify import identified
from reconciler.canonicalise.named import named_objects
from reconciler.diff.renames import Renaming, refs_after
from reconciler.diff.routines import Arguments, routines_named
from reconciler.errors import DeclarationError, Problem, ScratchError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.unfilled import filled_as
from reconciler.model.ref import Ref
from reconciler.model.signature import ARGUMENT_TYPES
from reconciler.model.state import Declaration, State
from reconciler.server.connection import Connection, rows
from reconciler.server.elevation import run_statement
from reconciler.server.scratch import Scratch

_ROUTINES = f"""
    SELECT p.oid::int8 AS oid, {ARGUMENT_TYPES} AS arguments FROM pg_proc AS p
    JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_'"""


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
    state = _renamed_state(scratch, live, members, renamings, declaration)
    unaffected = {r: o for r, o in live.state.objects.items() if r not in members}
    new_refs = refs_after(live.state, renamings)
    owners = {new_refs.get(r, r): owner for r, owner in live.context.owners.items()}
    return replace(
        live,
        state=State({**unaffected, **state.objects}, {**live.state.edges, **state.edges}),
        context=replace(live.context, owners=owners),
        names=_relation_names(live, members, new_refs),
    )


def arguments_asked(
    scratch: Scratch,
    live: Snapshot,
    declaration: Declaration,
    refs: Set[Ref],
    renamings: Sequence[Renaming],
) -> dict[Ref, Arguments]:
    """Let PostgreSQL spell the arguments of declared routines, beside those that they may be.

    The declared types have their names after the renamings, the arguments have the names before.
    A routine is left out whose types do not exist. Raises ScratchError and DeclarationError.
    """
    declared = {r: declaration.objects[r] for r in refs}
    paths = {r: declaration.search_path.get(r, "") for r in refs}
    known = {o.ref for obj in declared.values() for o in routines_named(live.state, obj)}
    known |= named_objects(live.state, declared, paths)
    members = dependency_closure(live.state, frozenset(), named=known)
    with _built(scratch, live, members, "routines of renamed names") as connection:
        before = {row["oid"]: row["arguments"] for row in rows(connection, _ROUTINES)}
        for renaming in renamings:
            if renaming.was in members or renaming.was == renaming.becomes:
                _rename(connection, renaming, declaration)
        after = {row["arguments"]: before[row["oid"]] for row in rows(connection, _ROUTINES)}
        asked = replace(declaration, objects=declared, absent={})
        found = identified(connection, asked, frozenset())
    arguments = {r: o.ref.arguments for r, o in found.items() if o.ref.arguments is not None}
    return {r: Arguments(after.get(spelled, spelled), spelled) for r, spelled in arguments.items()}


def _needs_after(renaming: Renaming, declaration: Declaration) -> Set[Ref]:
    """Return the needs of the object after the renaming, such as another schema."""
    declared = declaration.objects.get(renaming.becomes)
    return declared.needs() if declared else frozenset()


def _renamed_state(
    scratch: Scratch,
    live: Snapshot,
    members: Set[Ref],
    renamings: Sequence[Renaming],
    declaration: Declaration,
) -> State:
    """Build the affected objects, rename, and read back."""
    with _built(scratch, live, members, "what depends on renamed objects") as connection:
        for renaming in renamings:
            _rename(connection, renaming, declaration)
        new_refs = refs_after(live.state, renamings)
        as_before = {new_refs.get(r, r): live.state[r] for r in members}
        return filled_as(introspect(connection, live.context.server).state, as_before)


def _rename(connection: Connection, renaming: Renaming, declaration: Declaration) -> None:
    """Run a renaming; raises DeclarationError where PostgreSQL refuses it."""
    try:
        run_statement(connection, renaming.statement.sql)
    except StatementFailed as e:
        ref = renaming.becomes
        at = declaration.position(ref, "renamed_from")
        message = f"{ref}: it cannot be renamed: {e.message}"
        raise DeclarationError([Problem(message, at, e.detail or e.hint, sql_rule(e))]) from None


@contextmanager
def _built(
    scratch: Scratch, live: Snapshot, members: Set[Ref], title: str
) -> Generator[Connection]:
    """Build live objects, and check that the server has them as they are; `title` names them."""
    objects = {r: o for r, o in live.state.objects.items() if r in members}
    roles = {role for o in objects.values() for role in o.roles()}
    context = scratch_context(live.context, scratch.server)
    with scratch.database(roles, live.context.user, live.context.tablespaces) as connection:
        build = Build(connection, State(objects, live.state.edges), context, {})
        if failed := build.create_all():
            raise ScratchError(f"{scratch.description} cannot hold {title} ({listed(failed)})")
        built = introspect(connection, live.context.server)
        owners = {live.context.user: built.context.user}
        require_as_put_in(Guarded(State(objects), filled_as(built.state, objects), owners=owners))
        yield connection


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
