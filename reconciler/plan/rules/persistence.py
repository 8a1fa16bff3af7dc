"""Order operations on tables that become logged or unlogged, and on foreign keys between them.

At no moment may a logged table refer to an unlogged one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.model.persistence import MayBeUnlogged
from reconciler.model.ref import Ref
from reconciler.model.references import References
from reconciler.model.state import State
from reconciler.plan.operations import Operations
from reconciler.plan.rules.dependencies import Pair


def change_persistence_along_references(operations: Operations) -> Iterator[Pair]:
    """Make a referencing table unlogged before the other, and logged after it."""
    becomes = _becomes_unlogged(operations)
    for key in _foreign_keys(operations.live, becomes):
        if operations.drop_of(key.ref) or key.ref.on is None or key.referenced_table is None:
            continue
        first, second = key.ref.on, key.referenced_table
        if not becomes.get(first, becomes.get(second)):
            first, second = second, first
        if {first, second} <= becomes.keys():
            yield operations.create_of(first), operations.create_of(second)


def drop_reference_before_changing_persistence(operations: Operations) -> Iterator[Pair]:
    """Drop a foreign key before one of its tables becomes logged or unlogged."""
    becomes = _becomes_unlogged(operations)
    for key in _foreign_keys(operations.live, becomes):
        for table in (key.ref.on, key.referenced_table):
            if table is not None and table in becomes:
                yield operations.drop_of(key.ref), operations.create_of(table)


def create_reference_after_changing_persistence(operations: Operations) -> Iterator[Pair]:
    """Create a foreign key after its tables have become logged or unlogged."""
    becomes = _becomes_unlogged(operations)
    for key in _foreign_keys(operations.desired, becomes):
        if key.ref not in operations.live or operations.drop_of(key.ref):
            for table in (key.ref.on, key.referenced_table):
                if table is not None and table in becomes:
                    yield operations.create_of(table), operations.create_of(key.ref)


def _becomes_unlogged(operations: Operations) -> Mapping[Ref, bool]:
    """Map tables that become unlogged to True, those that become logged to False."""
    live, changed = operations.live, {c.ref for c in operations.changes}
    tables = (t for t in operations.desired.of(MayBeUnlogged) if t.ref in changed)
    return {
        t.ref: t.is_unlogged
        for t in tables
        if isinstance(old := live.get(t.ref), MayBeUnlogged) and old.is_unlogged != t.is_unlogged
    }


def _foreign_keys(state: State, becomes: Mapping[Ref, bool]) -> Iterator[References]:
    """Yield the foreign keys of a state, if any table becomes logged or unlogged."""
    for obj in state.of(References) if becomes else ():
        if obj.referenced_table not in (None, obj.ref.on):
            yield obj
