"""Check the preconditions of declared objects on the live server: tables, schemas, roles, versions.

PostgreSQL would refuse these too, but later and without the position in the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from difflib import get_close_matches
from functools import cache

from reconciler.canonicalise.hints import did_you_mean
from reconciler.errors import Position, Problem
from reconciler.introspect.introspect import Snapshot
from reconciler.kinds import KINDS
from reconciler.model.declared import Shorthand, files
from reconciler.model.facts import Removal
from reconciler.model.global_object import GlobalObject
from reconciler.model.inheritance import parents_of
from reconciler.model.kept_off_scratch import KeptOffScratch
from reconciler.model.object import InlinePart, Object
from reconciler.model.on_scratch import evaluated
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.model.successor import Counts
from reconciler.model.typed_table import is_typed

Declared = Mapping[Ref, Object]
_CALLED = re.compile(r""""((?:[^"]|"")+)"\s*\(|([^\W\d][\w$]*)\s*\(""")


def unmet_preconditions(
    live: Snapshot, declaration: Declaration, declared: Declared, source: Mapping[Ref, Ref]
) -> list[Problem]:
    """Return the problems of all declared objects; `source` maps their refs to the files' refs.

    Objects that are declared as they are in `live` are those of `live`, and have none.
    """
    checks = _Preconditions(live, declaration, declared, source)
    return [
        *checks.parents(),
        *checks.roles(),
        *checks.dropped_roles(),
        *checks.server(),
        *checks.results(),
        *checks.denials(),
        *checks.elsewhere(),
        *checks.misplaced(),
    ]


def name_conflicts(
    live: Snapshot,
    declaration: Declaration,
    declared: Declared,
    source: Mapping[Ref, Ref],
    dropped: Set[Ref],
) -> list[Problem]:
    """Report new relations with the name of another, remaining relation.

    Tables, views, sequences, indexes, and the indexes of constraints share one namespace:
    https://www.postgresql.org/docs/current/catalog-pg-class.html
    """
    problems: list[Problem] = []
    new = {r: o for r, o in declared.items() if r not in live.state}
    if not new:
        return problems
    relation_names = live.names.keys() - _freed_names(live, declared, dropped)
    for ref, obj in new.items():
        name = (ref.schema, obj.relation_name or "")
        if obj.relation_name is None or name not in relation_names:
            continue
        if ref.on is not None and live.names[name] == ref.on.name:
            continue  # an index that the table inherits from its parent
        holder = _holder(live, name)
        by = "another relation" if holder is None else holder.with_relation
        message = f"{ref}: the name {ref.schema}.{obj.relation_name} is taken by {by}"
        position = declaration.position(source[ref])
        hint = _renamed_table(live, declared, obj, holder) or "choose another, or drop what has it"
        problems.append(Problem(message, position, hint, "name-taken"))
    return problems


def _holder(live: Snapshot, name: tuple[str, str]) -> Ref | None:
    """Return the live object whose relation has a name."""
    found = (o.ref for o in live.state.objects.values() if (o.ref.schema, o.relation_name) == name)
    return next(found, None)


def _renamed_table(live: Snapshot, declared: Declared, obj: Object, holder: Ref | None) -> str:
    """Return a hint where the table of an index seems to have been renamed; "" elsewhere."""
    table, now = obj.ref.on, holder.on if holder else None
    if table is None or now is None or table in live.state or now in declared:
        return ""
    return (
        f"if {table} was renamed to {now.name}: rename it back, or declare {now.name} with"
        f" `renamed_from: {table.name}` in its place"
    )


def counters_of_partitions(
    live: Snapshot,
    declaration: Declaration,
    declared: Declared,
    source: Mapping[Ref, Ref],
    replaced: Set[Ref],
) -> list[Problem]:
    """Report identities of tables that become partitions of the new tables `replaced`.

    The new table would number its rows from the start again, and a partition has no identity.
    """
    problems: list[Problem] = []
    for ref, obj in live.state.objects.items() if replaced else ():
        table = declared.get(ref.on) if ref.on is not None else None
        if table is None or not (isinstance(obj, Counts) and obj.counts) or ref in declared:
            continue
        if replaced & {*parents_of(table)}:
            message = f"{ref} has an identity, which a table that becomes a partition cannot keep"
            hint = "turn it into a default with nextval() first; the new table takes the sequence"
            position = declaration.position(source[table.ref])
            problems.append(Problem(message, position, hint, "identity-of-a-partition"))
    return problems


def _freed_names(live: Snapshot, declared: Declared, dropped: Set[Ref]) -> set[tuple[str, str]]:
    """Collect names of dropped or renamed relations, and of unfinished builds."""
    renamed = {
        r
        for r, o in declared.items()
        if r in live.state and o.relation_name != live.state[r].relation_name
    }
    freed = {(r.schema, live.state[r].relation_name or "") for r in dropped | renamed}
    return freed | {(r.schema, r.name) for r in live.context.leftovers}


class _Preconditions:
    """The checks over a declaration."""

    def __init__(
        self,
        live: Snapshot,
        declaration: Declaration,
        declared: Declared,
        source: Mapping[Ref, Ref],
    ) -> None:
        self.live, self.declaration = live, declaration
        self.declared, self.source = declared, source
        known = live.state.objects
        self.changed = {r: o for r, o in declared.items() if o is not known.get(r)}

    def _position(self, ref: Ref, key: str = "") -> Position | None:
        return self.declaration.position(self.source[ref], key)

    def parents(self) -> Iterator[Problem]:
        """Check tables and schemas of the objects."""
        for ref in self.changed:
            yield from self._definition(ref)
            yield from self._main_key(ref)
            yield from self._parent(ref)
            yield from self._schema(ref)

    def _definition(self, ref: Ref) -> Iterator[Problem]:
        """Require columns for a new table."""
        sections = inline_sections(ref.kind)
        if not sections or ref in self.live.state or self._is_defined(ref, sections):
            return
        message = f"{ref} does not exist, and no {sections[0]} are declared to create it with"
        hint = f"declare its {sections[0]}, or create it first"
        yield Problem(message, self._position(ref), hint, "no-columns")

    def _is_defined(self, ref: Ref, sections: list[str]) -> bool:
        if parents_of(self.declared[ref]) or self.declaration.recorded:
            return True
        return self.declaration.is_defined(self.source[ref], sections)

    def _main_key(self, ref: Ref) -> Iterator[Problem]:
        """Require the type of a new column, unless a parent or a type may have the column."""
        obj = self.declared[ref]
        if not isinstance(obj, InlinePart) or not obj.main_key or getattr(obj, obj.main_key):
            return
        table = self.declared.get(ref.on) or self.live.state.get(ref.on) if ref.on else None
        if table is None or parents_of(table) or is_typed(table):
            return
        if ref in self.live.state or ref in self.live.state.inherited(table.ref):
            return
        message = f"{ref} does not exist, and no {obj.main_key} is declared to create it with"
        others = [o.ref.name for o in self.live.state.objects_on(table.ref) if o.kind == obj.kind]
        nearest = did_you_mean(get_close_matches(ref.name, others, 2))
        hint = f"{nearest} {obj.main_key} creates it: {{{obj.main_key}: bigint, …}}".strip()
        yield Problem(message, self._position(ref), hint, "missing-field")

    def _parent(self, ref: Ref) -> Iterator[Problem]:
        if ref.on is not None and ref.on not in self.live.state and ref.on not in self.declared:
            message, hint = f"{ref}: {ref.on} does not exist", f"declare {ref.on} too"
            yield Problem(message, self._position(ref), hint, "table-not-found")

    def _schema(self, ref: Ref) -> Iterator[Problem]:
        schema = ref.schema
        if schema and schema not in self.live.schemas and ref.schema_ref not in self.declared:
            message = f"{ref}: schema {schema} does not exist"
            hint = f"schemas: {{{schema}: {{}}}} would create it"
            yield Problem(message, self._position(ref), hint, "schema-not-found")

    def roles(self) -> Iterator[Problem]:
        """Check owners and grantees."""
        declared = {r.name for r, o in self.declared.items() if isinstance(o, GlobalObject)}
        known = self.live.roles | declared
        for ref, obj in self.changed.items():
            for role in sorted(obj.roles() - known):
                nearest = did_you_mean(get_close_matches(role, known, 2))
                hint = f"{nearest} roles: {{{role}: {{}}}} would create it, as would CREATE ROLE"
                message = f"{ref}: role {role} does not exist"
                position = self._position(ref, self._key_naming(obj, self.source[ref], role))
                yield Problem(message, position, hint.strip(), "role-not-found")

    def dropped_roles(self) -> Iterator[Problem]:
        """Refuse to drop roles that are still needed, or whose objects nobody is to get."""
        absent = {r: o for r, o in self.declaration.absent.items() if isinstance(o, GlobalObject)}
        gone = {r.name for r in absent}
        for ref, obj in self.declared.items() if gone else ():
            for role in sorted(obj.roles() & gone):
                message = f"{ref}: role {role} is declared absent"
                position = self._position(ref, self._key_naming(obj, self.source[ref], role))
                hint = "name another role, or keep this one"
                yield Problem(message, position, hint, "role-not-found")
        for ref, removal in self.live.context.removals.items():
            yield from self._removal(ref, removal, gone)

    def _removal(self, ref: Ref, removal: Removal, gone: Set[str]) -> Iterator[Problem]:
        position = self.declaration.position(ref)
        if ref.name == self.live.context.user:
            message = f"{ref} cannot be dropped: it is the role that applies the plan"
            yield Problem(message, position, "connect as another role", "dependent-refused")
        if removal.owning and not removal.heir:
            places = ", ".join(f"database {d}" if d else "the cluster" for d in removal.owning)
            message = f"{ref} cannot be dropped: it owns objects in {places}"
            hint = "reassign_owned_to: ROLE, beside state: absent, says who gets them"
            yield Problem(message, position, hint, "dependent-refused")
        if removal.heir and (removal.heir in gone or removal.heir not in self.live.roles):
            message = f"{ref}: role {removal.heir}, which is to get what it owns, is not there"
            position = self.declaration.position(ref, "reassign_owned_to")
            yield Problem(message, position, "name a role that exists", "role-not-found")

    def _key_naming(self, obj: Object, origin: Ref, role: str) -> str:
        """Return the key under which the files name a role: `grants.ROLE`, `owner`, `to`."""
        fields = type(obj).model_fields.items()
        keys = {info.alias or f: str(getattr(obj, f)) for f, info in fields if f != "ref"}
        found = [f"{k}.{role}" for k in keys] + [k for k, v in keys.items() if role in v]
        return next((k for k in found if (origin, k) in self.declaration.positions), "")

    def server(self) -> Iterator[Problem]:
        """Check the installed files of extensions, and the server's version."""
        for ref, obj in self.changed.items():
            if ref not in self.live.state and ref.name in files(obj) - self.live.available:
                message = f"{ref}: the server does not have its files"
                hint = "install them there first"
                yield Problem(message, self._position(ref), hint, "extension-not-installed")
            for field, major in obj.required_versions().items():
                yield from self._version(ref, field, major)

    def _version(self, ref: Ref, field: str, major: int) -> Iterator[Problem]:
        actual = self.live.context.server.major
        if actual < major:
            message = f"{ref}: {field} needs PostgreSQL {major}; this server is {actual}"
            position = self._position(ref, field)
            yield Problem(message, position, "leave it out", "server-too-old")

    def results(self) -> Iterator[Problem]:
        """Refuse routines in expressions of which only the result is stored.

        Routines have no body on scratch, so that the result would be another.
        """
        routines = {r.name for r in (*self.live.state, *self.declared) if r.arguments is not None}
        for ref, obj in self.declared.items():
            for field, expression in evaluated(obj).items():
                called = {m[1] or m[2].lower() for m in _CALLED.finditer(expression)} & routines
                if called:
                    message = f"{ref}: {field}: {min(called)}() does not run while a plan is made"
                    position = self._position(ref, field)
                    hint = "write what it returns"
                    yield Problem(message, position, hint, "routine-in-value")

    def elsewhere(self) -> Iterator[Problem]:
        """Refuse what only another server, or a secret that no file holds, would let us do."""
        for ref, obj in self.changed.items():
            if isinstance(obj, KeptOffScratch):
                live = self.live.state.get(ref)
                known = live if isinstance(live, KeptOffScratch) else None
                for key, reason, remedy in obj.obstacles(known):
                    position = self._position(ref, key)
                    yield Problem(f"{ref} {reason}", position, remedy, "not-made-here")

    def misplaced(self) -> Iterator[Problem]:
        """Refuse keys that mean nothing beside the live values of the keys left out."""
        for ref, obj in self.changed.items():
            if obj.omitted_is_default or self.declaration.recorded:
                continue
            for field, reason in obj.over(self.live.state.get(ref)).misplaced():
                key = type(obj).model_fields[field].alias or field
                if field in obj.model_fields_set:
                    position = self._position(ref, key)
                    message = f"{ref}: {key} means nothing {reason}"
                    yield Problem(message, position, rule="misplaced-key")

    def denials(self) -> Iterator[Problem]:
        """Refuse `unique: false` on a column with a unique constraint, to be dropped by name."""
        for ref, origin in self.source.items() if not self.declaration.recorded else ():
            obj = self.declaration.objects[origin]  # the live object has no short forms
            if not isinstance(obj, Shorthand) or ref.on is None:
                continue
            for field, other in obj.denied(self.live.state.objects_on(ref.on)):
                if other.ref not in self.declaration.absent:
                    own = KINDS[other.kind].section
                    message = f"{ref}: {field} says no, but there is {other.ref}"
                    hint = f"on the table, {own}: {{{other.ref.name}: {{state: absent}}}} drops it"
                    position = self._position(ref, field)
                    yield Problem(message, position, hint, "contradiction")


@cache
def inline_sections(kind: str) -> list[str]:
    """List the sections of kinds created as part of objects of `kind`."""
    return [
        k.section for k in KINDS.values() if issubclass(k, InlinePart) and kind in k.parent_kinds
    ]
