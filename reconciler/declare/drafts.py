"""Collect the declarations of each object, and build the objects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.checks.model import Check
from reconciler.checks.workload import Query
from reconciler.declare.advice import advice_on
from reconciler.declare.comments import cut_by_comment
from reconciler.declare.fields import FieldValue, key_of
from reconciler.declare.home_schema import HomeNames
from reconciler.declare.layout import Kinds, sections_of
from reconciler.declare.nodes import Scalar, duplicate
from reconciler.declare.positions import Positions
from reconciler.declare.renames import impossible_renames
from reconciler.declare.validate import Subject, validated
from reconciler.errors import Position, Problem
from reconciler.model.declared import Shorthand
from reconciler.model.object import Object
from reconciler.model.owned import Owned
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import schema_user
from reconciler.model.state import Declaration
from reconciler.sql import name, text

RENAMED = "renamed_from"  # the key of the only field needed once the objects are built


@dataclass
class Draft:
    """The declaration of an object in the documents read until now.

    `derived` are fields from the key, such as a routine's arguments. `readable` is False where a
    problem of a field is reported. `owner` is the document's default owner.
    """

    kind: type[Object]
    position: Position
    search_path: str
    owner: str | None = None
    absent: bool = False
    fields: dict[str, FieldValue] = field(default_factory=dict[str, FieldValue])
    derived: dict[str, Any] = field(default_factory=dict[str, Any])
    readable: bool = True


class Drafts:
    """The drafts of all objects, by ref."""

    def __init__(self, kinds: Kinds, problems: list[Problem]) -> None:
        self.kinds, self.problems = kinds, problems
        self.drafts: dict[Ref, Draft] = {}
        self.parts: list[tuple[Ref, Draft]] = []  # fields of objects, declared elsewhere
        self.exclusive: dict[Ref, frozenset[str]] = {}
        self.positions = Positions()
        self.faulty: set[Ref] = set()

    def add(self, ref: Ref, draft: Draft) -> None:
        """Add a draft, or merge the draft into an earlier one.

        Several documents may declare children of the same table; each field stands in one document.
        """
        first = self.drafts.setdefault(ref, draft)
        if first is draft:
            return
        if first.absent or draft.absent:
            state = " absent" if first.absent else " present"
            self.problems.append(duplicate(str(ref), draft.position, first.position, state))
        elif self._is_second_definition(ref, first, draft):
            self.problems.append(duplicate(str(ref), draft.position, first.position))
        else:
            self._merge(ref, first, draft)

    def _is_second_definition(self, ref: Ref, first: Draft, second: Draft) -> bool:
        """Tell whether objects without children are declared twice, rather than supplemented."""
        if sections_of(self.kinds, ref.kind):
            return False
        return ref.on is not None or bool(first.fields and second.fields)

    def _merge(self, ref: Ref, first: Draft, second: Draft) -> None:
        for key in second.fields.keys() & first.fields:
            positions = second.fields[key].position, first.fields[key].position
            self.problems.append(duplicate(f"{key} of {ref}", *positions))
        if second.fields and not first.fields:
            first.position, first.search_path = second.position, second.search_path
        first.fields = {**second.fields, **first.fields}
        first.readable &= second.readable

    def _add_part(self, ref: Ref, part: Draft) -> None:
        """Add a field to an object, where nothing but `true` may stand."""
        draft = self.drafts.setdefault(ref, part)
        self.positions.add(ref, {"": part.position})
        if draft.absent:
            problem = duplicate(str(ref), part.position, draft.position, " absent")
            self.problems.append(problem)
        for key, value in part.fields.items():
            first = draft.fields.get(key)
            if draft is not part and first is not None and first.value is not True:
                title = f"{key} of {ref}"
                self.problems.append(duplicate(title, value.position, first.position))
            draft.fields[key] = value
            self.positions.put(ref, key, value.position)

    def add_exclusive(self, ref: Ref, kinds: frozenset[str]) -> None:
        """Record kinds with complete lists of children."""
        self.exclusive[ref] = self.exclusive.get(ref, frozenset()) | kinds

    def declaration(
        self, checks: Mapping[str, Check], workload: Mapping[str, Query]
    ) -> Declaration:
        """Build all objects; the invalid are reported and left out."""
        for ref, part in self.parts:
            self._add_part(ref, part)
        objects, absent = self._objects(), self._absent()
        expanding = {kind for kind in self.kinds.values() if issubclass(kind, Shorthand)}
        for obj in [o for o in objects.values() if type(o) in expanding]:
            assert isinstance(obj, Shorthand)
            self._expand_shorthand(obj, objects)
        names = HomeNames.of(objects.values())
        objects = {r: names.with_schema(o, self.drafts[r].search_path) for r, o in objects.items()}
        self.problems += self._in_reserved_schemas()
        self.problems += impossible_renames(objects, self._renames())
        return Declaration(
            objects=objects,
            absent=absent,
            exclusive=self.exclusive,
            search_path={r: d.search_path for r, d in self.drafts.items()},
            positions=self.positions,
            checks=checks,
            workload=workload,
            schemas=frozenset(_schema_names(self.drafts)),
        )

    def _objects(self) -> dict[Ref, Object]:
        """Build the objects to have, and keep only what else is needed of their drafts."""
        objects: dict[Ref, Object] = {}
        for ref, draft in self.drafts.items():
            if draft.absent:
                continue
            before = len(self.problems)
            if obj := self._object(ref, draft):
                objects[ref] = obj.share_fields_set()
                old = draft.fields.get(RENAMED)
                draft.fields = {} if old is None else {RENAMED: old}
            if len(self.problems) > before or not draft.readable:
                self.faulty.add(ref)
        return objects

    def _absent(self) -> dict[Ref, Object]:
        """Build the objects to drop."""
        absent: dict[Ref, Object] = {}
        for ref, draft in self.drafts.items():
            if draft.absent:
                values: dict[str, Any] = {k: f.value for k, f in draft.fields.items()}
                absent[ref] = draft.kind.model_construct(ref=ref, **draft.derived, **values)
        return absent

    def _renames(self) -> dict[Ref, tuple[Position, str]]:
        """Return position and text of each `renamed_from`."""
        found = {r: d.fields[RENAMED] for r, d in self.drafts.items() if _is_renamed(d)}
        texts = {r: f.node.source for r, f in found.items() if isinstance(f.node, Scalar)}
        return {r: (found[r].node.position, text) for r, text in texts.items()}

    def _in_reserved_schemas(self) -> Iterator[Problem]:
        """Report objects in schemas of PostgreSQL and of the journal, once for each table."""
        for ref, draft in self.drafts.items():
            if ref.on is not None and ref.on in self.drafts:
                continue
            schema = ref.name if ref == Ref("", ref.name, "").schema_ref else ref.schema
            user = schema_user(schema)
            if user:
                message = f"{ref}: schema {schema} belongs to {user} and is not managed"
                hint = "declare it in a schema of your own"
                yield Problem(message, draft.position, hint, "reserved-schema")

    def _object(self, ref: Ref, draft: Draft) -> Object | None:
        subject = Subject(ref, draft.position, draft.readable)
        obj = validated(draft.kind, draft.fields, subject, self.problems, ref=ref, **draft.derived)
        if obj is not None:
            found = [*_traps(obj, draft), *_misplaced(obj, draft)]
            found += cut_by_comment(obj, draft.fields)
            if found:
                self.problems += found
        if draft.owner is not None and isinstance(obj, Owned) and obj.owner is None:
            return obj.model_copy(update={"owner": draft.owner})
        return obj

    def _expand_shorthand(self, obj: Shorthand, objects: dict[Ref, Object]) -> None:
        """Add further objects of the short form: the constraint of `unique: true`."""
        expanded = [*obj.expand_shorthand()]
        if not expanded:
            return
        before = _before_renaming(obj, objects)
        old = expanded if before is obj else [*before.expand_shorthand()]
        for (ref, fields), (old_ref, _) in zip(expanded, old, strict=True):
            if ref in self.drafts:
                self._number(obj, ref, fields, objects)
                continue
            schema = (old_ref.schema,) if ref.on is None and old_ref.schema != ref.schema else ()
            old_name = text(name(*schema, old_ref.name))
            renamed = {"renamed_from": old_name} if schema or old_ref.name != ref.name else {}
            self._add_further(obj, ref, {**fields, **renamed}, objects)

    def _number(
        self, obj: Shorthand, ref: Ref, fields: dict[str, Any], objects: dict[Ref, Object]
    ) -> None:
        """Add a further object under a numbered name; report one whose name is taken."""
        draft, numbered = self.drafts[obj.ref], obj.numbered(ref, self.drafts)
        if numbered is None:
            problem = duplicate(str(ref), draft.position, self.drafts[ref].position)
            if together := self._together(ref, objects):
                hint = f"{problem.hint}, or declare both as one: {together}"
                problem = replace(problem, hint=hint)
            self.problems.append(problem)
            return
        objects[obj.ref], free = numbered
        self._add_further(obj, free, fields, objects)

    def _together(self, ref: Ref, objects: Mapping[Ref, Object]) -> str:
        """Return one entry for what short forms declare as the same object, "" for other forms."""
        beside = (o for o in objects.values() if o.ref.on == ref.on and isinstance(o, Shorthand))
        forms = [f for o in beside for r, f in o.expand_shorthand() if r == ref]
        keys = {key for fields in forms for key in fields}
        if len(forms) < 2 or len(keys) > 1:
            return ""
        key = keys.pop()
        listed = ", ".join(item for fields in forms for item in fields[key])
        return f"{self.kinds[ref.kind].section}: {{{ref.name}: {{{key}: [{listed}]}}}}"

    def _add_further(
        self, obj: Shorthand, ref: Ref, fields: dict[str, Any], objects: dict[Ref, Object]
    ) -> None:
        """Add a further object of the short form, owned as the parent is."""
        draft, kind = self.drafts[obj.ref], self.kinds[ref.kind]
        values: dict[str, Any] = {"ref": ref, **fields}
        parent = objects.get(obj.ref.on) if obj.ref.on else None
        if issubclass(kind, Owned) and isinstance(parent, Owned) and parent.owner is not None:
            values["owner"] = parent.owner
        objects[ref] = kind.model_validate(values)
        self.drafts[ref] = replace(draft, kind=kind, fields={}, derived={})
        self.positions.put(ref, "", draft.position)


def _is_renamed(draft: Draft) -> bool:
    return RENAMED in draft.fields


def _misplaced(obj: Object, draft: Draft) -> Iterator[Problem]:
    """Report keys without an effect beside the declared keys."""
    if not obj.omitted_is_default:  # the live object may have what the key needs
        return
    for misplaced, reason in obj.misplaced():
        key = key_of(draft.kind, misplaced)
        if key in draft.fields:
            position = draft.fields[key].position
            hint = advice_on(draft.kind, (key,))
            message = f"{obj.ref}: {key} means nothing {reason}"
            yield Problem(message, position, hint, "misplaced-key")


def _traps(obj: Object, draft: Draft) -> Iterator[Problem]:
    """Report texts that SQL reads otherwise than they look."""
    for fragment in obj.fragments():
        if trap := fragment.clause.trap_in(fragment.text):
            message, hint = trap
            key = key_of(draft.kind, fragment.field)
            value = draft.fields.get(key)
            position = value.node.position if value else draft.position
            yield Problem(f"{key}: {message}", position, hint, "means-otherwise")


def _before_renaming(obj: Shorthand, objects: Mapping[Ref, Object]) -> Shorthand:
    """Return the object with the names of the object and the parent before renaming."""
    parent_ref = obj.ref.on
    parent = objects.get(parent_ref) if parent_ref else None
    if parent is not None and parent.old_ref is not None:
        parent_ref = parent.old_ref
    old = obj.old_ref or obj.ref
    if old.on != parent_ref:
        old = old._replace(on=parent_ref)
    schema = parent_ref.schema if parent_ref is not None else old.schema
    if old.schema != schema:
        old = old._replace(schema=schema)
    return obj if old == obj.ref else obj.model_copy(update={"ref": old})


def _schema_names(drafts: Mapping[Ref, Draft]) -> set[str]:
    """Collect the schemas of the objects, and the declared schemas."""
    schemas = {r.schema for r in drafts if r.schema}
    without = (r for r in drafts if not r.schema)
    return schemas | {r.name for r in without if r == Ref("", r.name, "").schema_ref}
