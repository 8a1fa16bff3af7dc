"""Run a file of SQL over the live schema on scratch, and declare what it has changed.

The file may do anything that an ordinary role may do there. What it changes is read from the
catalog, not from the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from reconciler.canonicalise.build import Build, scratch_context
from reconciler.declare.export import changed_document
from reconciler.errors import ScratchError, StatementFailed
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.introspect.objects import Address
from reconciler.kinds import KINDS
from reconciler.model.context import PlanningContext
from reconciler.model.declared import RenamesParts
from reconciler.model.inheritance import overrides
from reconciler.model.object import Object
from reconciler.model.other_tools import other_tool
from reconciler.model.owned import Grantable, Owned, owner_of
from reconciler.model.privileges import after_owner_change
from reconciler.model.record import ATTACHED
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, Scope
from reconciler.planning import Job, servers_of
from reconciler.server.connection import Connection, connect_to_read, rows, run_sql
from reconciler.server.elevation import INSUFFICIENT_PRIVILEGE, run_statement
from reconciler.server.one_snapshot import one_snapshot
from reconciler.server.scratch import Scratch
from reconciler.server.script import ScriptCommand, split_script
from reconciler.server.time_limit import time_limit_of_environment
from reconciler.sql import compose, name, text

_TRANSACTION = re.compile(r"(BEGIN|START\s+TRANSACTION|COMMIT|END|SET\s+TRANSACTION)\b", re.I)
_WITHOUT_TRACE = re.compile(r"(VACUUM|ANALYZE|REINDEX|CLUSTER|LOCK|CHECKPOINT|DISCARD)\b", re.I)
_ROWS = re.compile(r"(INSERT|UPDATE|DELETE|MERGE|COPY|TRUNCATE)\b", re.IGNORECASE)
_OF_TRANSACTION = re.compile(r"(ROLLBACK|SAVEPOINT|RELEASE|ABORT|PREPARE\s+TRANSACTION)\b", re.I)
_WRITES = re.compile(  # within a command of another kind, which is run nevertheless
    r"(?:SELECT|WITH|VALUES|DO|CALL)\b(?s:.*?)(?:\b(?P<setval>setval)\s*\("
    r"|(?:[;(]|\b(?:BEGIN|THEN|ELSE|LOOP))\s*"
    r"(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE)\b)",
    re.IGNORECASE,
)
_RESTARTS = re.compile(
    r"ALTER\s+SEQUENCE\s[^']*\bRESTART\b"
    r"|ALTER\s+TABLE\s[^']*\bALTER\s+(?:COLUMN\s+)?(?:\w+|\"[^\"]+\")\s[^',]*?\bRESTART\b",
    re.IGNORECASE,
)
_SEQUENCE_VALUE = "it sets the value of a sequence, which no file declares"
_CONCURRENTLY = re.compile(
    r"(CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REFRESH\s+MATERIALIZED\s+VIEW"
    r"|ALTER\s+TABLE\s[^';]*\sDETACH\s+PARTITION\s[^';]*)\s+CONCURRENTLY\b",
    re.IGNORECASE,
)
_SET_LOCAL = re.compile(r"SET\s+LOCAL\b", re.IGNORECASE)
_EXTENSION = re.compile(
    r'CREATE\s+EXTENSION\s+(?:IF\s+NOT\s+EXISTS\s+)?"?([a-z][\w-]*)"?'
    r'(?:\s+WITH)?(?:\s+SCHEMA\s+"?([a-z]\w*)"?)?',
    re.IGNORECASE,
)
_Parts = Mapping[tuple[Address, int], str]  # the object and the id of a part → its name
_ORDINARY = "on scratch the file is run as an ordinary role, even where the target's is a superuser"
AS_FOR_PSQL = ('SET search_path TO "$user", public', "SET check_function_bodies TO on")


@dataclass(frozen=True)
class Imported:
    """The YAML of the changes; each part of the file that is not in there, by line; and notes."""

    document: str
    left_out: Sequence[tuple[int, str]]
    notes: Sequence[str]


def import_script(
    script: str, target: str, scratch: str, session: Mapping[str, str] | None = None
) -> Imported:
    """Run a script over a copy of the target's objects; raises ScratchError for lack of a copy."""
    with connect_to_read(target, session) as connection:
        live = introspect(connection)
    job = Job(target, Declaration(), Scope(frozenset({"*"}), everything=True), scratch)
    limit = time_limit_of_environment()
    refused: list[str] = []
    with limit:
        for server in servers_of(job, live, limit):
            try:
                return _imported(script, live, server)
            except ScratchError as error:
                refused.append(str(error))
    raise ScratchError("\n".join(refused))


def _imported(script: str, live: Snapshot, server: Scratch) -> Imported:
    context = live.context
    with server.database(live.roles, context.user, context.tablespaces) as connection:
        build = Build(connection, live.state, scratch_context(context, server.server), {})
        notes = [
            f"{ref} could not be built on scratch, and was not there: {error.message}"
            for ref, error in build.create_all().items()
        ]
        before, parts = introspect(connection, context.server), _parts(connection)
        for setting in AS_FOR_PSQL:
            run_sql(connection, setting)
        left_out = [
            (command.line, reason)
            for command in split_script(script)
            if (reason := _run(connection, command))
        ]
        run_sql(connection, "RESET ROLE")
        after = introspect(connection, context.server)
        renamed = _renamed_parts(parts, _parts(connection), after.addresses)
    return Imported(_document(before, after, renamed, context), left_out, notes)


def _run(connection: Connection, command: ScriptCommand) -> str:
    """Run a command as an ordinary role; return why it is not followed, or "" if it is."""
    sql = command.sql
    has_no_trace = _TRANSACTION.match(sql) or _WITHOUT_TRACE.match(sql)
    if has_no_trace and not command.is_psql:
        return ""
    reason = _not_run(command)
    if not reason:
        sql = _CONCURRENTLY.sub(r"\1", _SET_LOCAL.sub("SET", sql, count=1), count=1)
        try:
            _execute(connection, sql)
            reason = _written_beside(sql)
        except StatementFailed as error:
            is_refused = error.sqlstate == INSUFFICIENT_PRIVILEGE
            reason = f"{error.message} ({_ORDINARY})" if is_refused else error.message
    return f"{reason}: {_shown(sql)}" if reason else ""


def _not_run(command: ScriptCommand) -> str:
    """Tell why a command is not run, or return ""."""
    if command.is_psql:
        return "a command of psql, which PostgreSQL does not know"
    if _ROWS.match(command.sql):
        return "it changes rows, which no file declares but as a `backfill`"
    if _OF_TRANSACTION.match(command.sql):
        return "each command is run by itself, without a transaction"
    return ""


def _execute(connection: Connection, sql: str) -> None:
    if extension := _EXTENSION.fullmatch(sql):
        within = compose(" SCHEMA {}", extension[2].lower()) if extension[2] else ""
        create = compose("CREATE EXTENSION IF NOT EXISTS {}", extension[1])
        run_statement(connection, text(create) + (text(within) if within else ""))
    else:
        run_sql(connection, sql)


def _written_beside(sql: str) -> str:
    """Tell what a command that has been run changes beside objects, or return ""."""
    found = _WRITES.match(sql)
    if _RESTARTS.match(sql) or (found and found["setval"]):
        return _SEQUENCE_VALUE
    return "only what it does to objects is declared, not the rows that it changes" if found else ""


def _shown(sql: str) -> str:
    """Return the first line of a command."""
    first, *others = sql.splitlines()
    return f"{first} …" if others else first


def _document(
    before: Snapshot,
    after: Snapshot,
    parts: Mapping[Ref, Mapping[str, str]],
    context: PlanningContext,
) -> str:
    """Declare what has changed; objects with the same address are the same under any name."""
    stayed = [(before.addresses[a], r) for a, r in after.addresses.items() if a in before.addresses]
    pairs = _before_and_after(before, after, stayed)
    old = {obj.ref: was for obj, was in pairs}
    changed = {
        obj.ref: _declared(obj, was, parts.get(obj.ref, {}))
        for obj, was in pairs
        if not other_tool(obj.ref) and not _is_same(obj, was)
    }
    return changed_document(
        changed,
        _gone(before, {*old, *(was for was, _ in stayed)}),
        {r: o for r, o in old.items() if o is not None},
        {r: _as_created(o, context) for r, o in changed.items() if old[r] is None},
    )


def _gone(before: Snapshot, here: Set[Ref]) -> Mapping[Ref, Object]:
    """Return the objects that are not there any more, without those on tables that are gone."""
    gone = {r: o for r, o in before.state.objects.items() if r not in here and not other_tool(r)}
    return {r: o for r, o in gone.items() if r.on not in gone}


def _before_and_after(
    before: Snapshot, after: Snapshot, stayed: Sequence[tuple[Ref, Ref]]
) -> Sequence[tuple[Object, Object | None]]:
    """Return each object after, with the object before, None for a new one.

    `stayed` are the refs before and after of what is still there.
    """
    old_refs: dict[Ref, Ref] = {}
    for was, ref in stayed:  # a column has its own address first, then those in child tables
        old_refs.setdefault(ref, was)
    pairs = [
        (obj, _overridden_before(obj, before.state.get(old_refs.get(ref, ref))))
        for ref, obj in after.state.objects.items()
    ]
    return [*pairs, *_overrides_ended(before, after, stayed)]


def _overridden_before(obj: Object, old: Object | None) -> Object | None:
    """Return the object before; None for a new override, of which only the inherited was there."""
    return None if overrides(obj) and not overrides(old) else old


def _overrides_ended(
    before: Snapshot, after: Snapshot, stayed: Sequence[tuple[Ref, Ref]]
) -> Iterator[tuple[Object, Object]]:
    """Yield what child tables inherit in place of an override, as an override, and the override."""
    new_refs = dict(reversed(stayed))
    for was, ref in stayed:
        old, now = before.state.get(was), after.state.get(ref)
        table = new_refs.get(was.on) if was.on is not None else None
        if old is None or now is None or not overrides(old) or table in (None, ref.on):
            continue
        given = type(old).model_fields.keys() - {"ref", "inherited"}
        given = {f for f in given if getattr(old, f) != type(old).model_fields[f].get_default()}
        update = {f: None if f in ATTACHED else getattr(now, f) for f in given}
        yield old.model_copy(update={**update, "ref": ref._replace(on=table)}), old


def _is_same(obj: Object, old: Object | None) -> bool:
    """Tell whether nothing has changed, apart from the name of the table."""
    if old is None or _renamed_from(obj.ref, old.ref):
        return False
    return old.model_copy(update={"ref": obj.ref}) == obj


def _declared(obj: Object, old: Object | None, parts: Mapping[str, str]) -> Object:
    """Return a changed object with its old name, and the old names of its parts."""
    if isinstance(obj, RenamesParts) and parts:
        obj = obj.with_parts_from(parts)
    if old is not None and (was := _renamed_from(obj.ref, old.ref)):
        return obj.model_copy(update={"renamed_from": was})
    return obj


def _as_created(obj: Object, context: PlanningContext) -> Object:
    """Return a new object with the owner and the privileges that CREATE on the target gives it."""
    update: dict[str, object] = {}
    if isinstance(obj, Owned):
        update["owner"] = context.user
    if isinstance(obj, Grantable):
        initial = obj.initial_grants(context, obj.ref.schema)
        owner = owner_of(obj) or context.user
        update["grants"] = after_owner_change(initial, context.user, owner)
    return obj.model_copy(update=update)


def _parts(connection: Connection) -> _Parts:
    """Read the names of the parts that keep an id under any name."""
    kinds = [k for k in KINDS.values() if issubclass(k, RenamesParts)]
    with one_snapshot(connection):
        return {
            ((r["address"][0], r["address"][1], r["address"][2]), r["part"]): r["name"]
            for kind in kinds
            if (query := kind.parts_catalog())
            for r in rows(connection, query)
        }


def _renamed_parts(
    before: _Parts, after: _Parts, addresses: Mapping[Address, Ref]
) -> Mapping[Ref, Mapping[str, str]]:
    """Map the new names of parts to the old names, by object."""
    found: dict[Ref, dict[str, str]] = {}
    for part, new in after.items():
        ref, old = addresses.get(part[0]), before.get(part, new)
        if ref is not None and old != new:
            found.setdefault(ref, {})[new] = old
    return found


def _renamed_from(ref: Ref, old: Ref) -> str:
    moved: Iterable[str] = (old.schema,) if ref.on is None and ref.schema != old.schema else ()
    return text(name(*moved, old.name)) if moved or ref.name != old.name else ""
