"""Order operations on overloaded routines and callers."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.kinds import KINDS
from reconciler.model.deferred import CreatedAsShell
from reconciler.model.object import InlinePart
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.operations import Operation, Operations, Phase
from reconciler.plan.rules.dependencies import Pair, live_needs


def create_caller_after_dropping_routine(operations: Operations) -> Iterator[Pair]:
    """Create a recreated caller after dropping the routine: the call means another overload."""
    for ref, routine in _callers_of_dropped(operations):
        yield operations.drop_of(routine), operations.create_of(ref)


def drop_caller_before_changing_overloads(operations: Operations) -> Iterator[Pair]:
    """Drop the caller of a dropped routine before creating or altering further overloads."""
    for ref, routine in _callers_of_dropped(operations):
        for operation in operations.statements:
            if not operation.drops and operation.ref.is_overload_of(routine):
                yield operations.drop_of(ref), operation


def drop_caller_before_creating_overload(operations: Operations) -> Iterator[Pair]:
    """Drop a caller before creating an overload: the call would be ambiguous."""
    for ref, routine in live_needs(operations):
        drop = operations.drop_of(ref)
        if routine.arguments is None or drop is None:
            continue
        for operation in operations.statements:
            if operation.ref not in operations.live and operation.ref.is_overload_of(routine):
                yield drop, operation


def drop_routine_before_altering_types(operations: Operations) -> Iterator[Pair]:
    """Drop a routine before altering argument types: DROP spells the old type names."""
    for ref, needed in live_needs(operations):
        if ref.arguments is None or ref in operations.desired:
            continue
        is_base_type = isinstance(operations.live[needed], CreatedAsShell)  # and keeps its name
        if operations.drop_of(needed) is None and not is_base_type:
            yield operations.drop_of(ref), operations.create_of(needed)


def drop_overload_before_creating_caller(operations: Operations) -> Iterator[Pair]:
    """Drop an overload before creating a caller of a new overload."""
    dropped: dict[tuple[str, str, str], list[Ref]] = {}
    for ref in sorted(operations.dropped - operations.created, key=lambda r: r.order):
        if ref.arguments is not None:
            dropped.setdefault((ref.kind, ref.schema, ref.name), []).append(ref)
    for ref in operations.desired if dropped else ():
        if (create := operations.create_of(ref)) is None:
            continue
        for routine in _new_routines(operations, ref):
            for overload in dropped.get((routine.kind, routine.schema, routine.name), ()):
                yield operations.drop_of(overload), create


def whole_row_callers(operations: Operations) -> Iterator[Pair]:
    """Order callers of routines with rows of a changed table as the result.

    A view lists all columns of the rows, as they are when it is created: it is dropped before a
    column is created or dropped, and created after.
    """
    changed: dict[Ref, list[Operation]] = {}
    for operation in operations.statements:
        if _changes_columns(operations, operation):
            table = operation.ref.on or operation.ref
            changed.setdefault(table, []).append(operation)
    if not changed:
        return
    for ref, table in _calls_returning_rows(operations.live, changed):
        yield from ((operations.drop_of(ref), o) for o in changed[table])
    for ref, table in _calls_returning_rows(operations.desired, changed):
        yield from ((o, operations.create_of(ref)) for o in changed[table])


def _changes_columns(operations: Operations, operation: Operation) -> bool:
    """Tell whether the operation creates or drops an inline part of a table."""
    return (
        operation.phase in (Phase.CREATE, Phase.DROP)
        and operation.ref.on is not None
        and issubclass(KINDS[operation.ref.kind], InlinePart)
        and operations.actions[operation] != "alter"
    )


def _calls_returning_rows(
    state: State, tables: dict[Ref, list[Operation]]
) -> Iterator[tuple[Ref, Ref]]:
    """Yield pairs of a caller and a table, for each routine dependent on the table."""
    for ref in state:
        for routine in state.needs(ref):
            if routine.arguments is not None:
                yield from ((ref, table) for table in state.needs(routine) & tables.keys())


def _new_routines(operations: Operations, ref: Ref) -> Iterator[Ref]:
    """Yield the routines called by the desired object and not yet created."""
    for needed in operations.desired.needs(ref):
        if needed.arguments is not None and needed not in operations.live:
            yield needed


def _callers_of_dropped(operations: Operations) -> Iterator[tuple[Ref, Ref]]:
    """Yield pairs of a dropped or recreated caller and a routine dropped for good."""
    recreation = operations.recreation
    for ref, needed in live_needs(operations):
        if needed.arguments is None or operations.drop_of(needed) is None:
            continue
        replaced = needed in recreation.recreated or needed in recreation.suspended
        if not replaced and ref not in recreation.suspended and operations.drop_of(ref):
            yield ref, needed
