"""Find names in the bodies of functions, which PostgreSQL stores as they were written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import NamedTuple

from reconciler.kinds import KINDS
from reconciler.model.object import InlinePart, Object
from reconciler.model.on_scratch import RunsBody
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operation, Operations

_WORD = re.compile(r"[\w$]+")


def body_of(obj: Object | None) -> str:
    """Return the body of a function that PostgreSQL stores as text, else ""."""
    return (obj.literal_body() or "") if isinstance(obj, RunsBody) else ""


class Bodies:
    """The bodies of functions, found by the words in them, in upper or lower case."""

    def __init__(self, bodies: Mapping[Ref, str]) -> None:
        self._bodies = {ref: body.lower() for ref, body in bodies.items()}

    @cached_property
    def _by_word(self) -> Mapping[str, set[Ref]]:
        found: dict[str, set[Ref]] = {}
        for ref, body in self._bodies.items():
            for word in {*_WORD.findall(body)}:
                found.setdefault(word, set()).add(ref)
        return found

    def naming(self, name: str) -> Set[Ref]:
        """Return the functions whose bodies have a name, or other piece of SQL, as a word."""
        word = name.lower()
        if not word or _WORD.fullmatch(word):
            return self._by_word.get(word, set())
        whole = re.compile(rf"(?<![\w$]){re.escape(word)}(?![\w$])")
        return {ref for ref, body in self._bodies.items() if whole.search(body)}

    def naming_any(self, names: Iterable[str]) -> Set[Ref]:
        """Return the functions whose bodies have one of the names as a word."""
        return {ref for name in names for ref in self.naming(name)}


def final_bodies(operations: Operations, live: State) -> Mapping[Ref, str]:
    """Map functions to their bodies as they will be; `live` has all that is there."""
    objects = {**live.objects, **operations.desired.objects}
    return {ref: body for ref, obj in objects.items() if (body := body_of(obj))}


def can_be_named(ref: Ref) -> bool:
    """Tell whether bodies name such objects, unlike indexes, constraints, policies, triggers."""
    kind = KINDS[ref.kind]
    return not issubclass(kind, PartitionedObject) and (
        ref.on is None or issubclass(kind, InlinePart)
    )


def replaced_bodies(operations: Operations) -> Mapping[Ref, str]:
    """Map each function that gets another body to its present one."""
    found = dict[Ref, str]()
    for operation, statements in operations.statements.items():
        before = body_of(operations.live.get(operation.ref))
        after = body_of(operations.desired.get(operation.ref))
        if statements and not operation.drops and before and after and before != after:
            found[operation.ref] = before
    return found


class Replacement(NamedTuple):
    """The operation that replaces a body, with operations on what the bodies may use.

    `creations` create what the new body may use and the old one cannot, `drops` drop what the old
    one may use and the new one cannot.
    """

    operation: Operation
    creations: Sequence[Operation]
    drops: Sequence[Operation]


def replacements(operations: Operations) -> Iterator[Replacement]:
    """Yield the replacements of bodies of functions.

    Sessions call the function at once: what is new comes before it, and what goes comes after it,
    where that can be.
    """
    replaced = replaced_bodies(operations)
    new, live, desired = operations.created, operations.live, operations.desired
    created = _by_name(Operation.create(r) for r in new if r not in live) if replaced else {}
    gone = (Operation.drop(r) for r in operations.dropped if r not in desired)
    dropped = _by_name(gone) if replaced else {}
    for ref, before in replaced.items():
        creations = _mentioned(body_of(desired.get(ref)), created)
        drops = _mentioned(before, dropped)
        part_of = operations.part_of
        yield Replacement(
            Operation.create(ref),
            [part_of.get(o, o) for o in creations],
            [part_of.get(o, o) for o in drops],
        )


def _by_name(operations: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Map the names of objects, in lower case, to operations; bodies name no indexes."""
    found: dict[str, list[Operation]] = {}
    for operation in operations:
        if can_be_named(operation.ref):
            found.setdefault(operation.ref.name.lower(), []).append(operation)
    return found


def _mentioned(body: str, by_name: Mapping[str, Sequence[Operation]]) -> list[Operation]:
    """Return the operations on objects whose names a body has."""
    text = body.lower()
    plain = by_name.keys() & {*_WORD.findall(text)}
    others = (name for name in by_name if not _WORD.fullmatch(name) and name in text)
    return [o for name in sorted({*plain, *others}) for o in by_name[name]]
