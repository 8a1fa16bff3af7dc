"""Put operations into an order allowed by the rules, and into transactions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

from reconciler.diff.diff import Action
from reconciler.diff.renames import Renaming
from reconciler.errors import PlanError
from reconciler.model.datatype import Replaceable
from reconciler.model.on_scratch import FilledByQuery
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Lock, Statement
from reconciler.plan.bodies import replacements
from reconciler.plan.edges import order_graph
from reconciler.plan.graph import Graph, components, find_cycle, has_path, inverted, quotient, sort
from reconciler.plan.locks import LockFinder, strongest_of
from reconciler.plan.old_names import replacing_old_names, with_uses_of_old_names
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.rewrites import combine_rewrites
from reconciler.plan.rules.names import free_name_first
from reconciler.plan.step import Step
from reconciler.plan.swap import (
    is_quick,
    leave_validations,
    proofs_of_bounds,
    seen_with_renamings,
)


def steps_in_order(
    operations: Operations, renamings: Sequence[Renaming] = (), whole: State | None = None
) -> list[Step]:
    """Return the steps of all renamings, then of all operations, ordered by the rules.

    `whole` is the state of the target with all that no change touches. Raises PlanError if the
    rules contradict each other.
    """
    graph = order_graph(operations)
    if cycle := find_cycle(graph):
        raise PlanError(
            "no order works, each of these must come before the next, and the last before the "
            f"first: {', '.join(str(o.ref) for o in cycle)}"
        )
    operations, graph = combine_rewrites(operations, graph)
    predecessors = inverted(graph)
    blocks = _blocks(operations, graph)
    users = replacing_old_names(operations, renamings, whole)
    swapped = seen_with_renamings(operations, graph, renamings, blocks, users)
    renamings = with_uses_of_old_names(renamings, operations, whole, swapped)
    proofs = proofs_of_bounds(operations, swapped, renamings)
    validations = leave_validations(operations, swapped)
    statements = sum(map(len, operations.statements.values())) + 3 * len(proofs)
    finder = LockFinder(operations, whole, renamings)
    writer = _StepWriter(len(str(statements + len(renamings))), finder)
    writer.write_before_renamings({o: p.before for o, p in proofs.items()})
    writer.write_renamings(renamings)
    for block in [b for b in blocks if b[0] in swapped]:
        _write_block(writer, operations, graph, predecessors, block, same_transaction=True)
    for operation, proof in proofs.items():
        writer.write(operation, [(operation, "alter", proof.after)], ())
    for operation, last in validations.items():
        writer.write(operation, [(operation, operations.actions[operation], s) for s in last], ())
    for block in [b for b in blocks if b[0] not in swapped]:
        _write_block(writer, operations, graph, predecessors, block)
    return writer.steps


# -- blocks of operations that commit together -------------------------------------------------


def _blocks(operations: Operations, graph: Graph[Operation]) -> list[list[Operation]]:
    """Group the operations into ordered blocks, to commit each block as a whole.

    A block is a unit, or several units if they are joined, or if operations of each must precede
    operations of the other.
    """
    unit_of = {o: operations.units.get(o, o) for o in graph}
    units = quotient(graph, unit_of)
    for unit, other in [*operations.joined, *_exchanges_of_names(operations, unit_of)]:
        if unit in units and other in units:
            units[unit].add(other)
            units[other].add(unit)
    block_of = {unit: n for n, block in enumerate(components(units)) for unit in block}
    members: dict[int, list[Operation]] = {}
    for operation, unit in unit_of.items():
        members.setdefault(block_of[unit], []).append(operation)
    order = sort(
        _with_bodies(quotient(units, block_of), operations, unit_of, block_of),
        lambda n: _block_key(operations, members[n]),
        lambda n: _table_of(operations, members[n]),
    )
    return [members[n] for n in order]


def _with_bodies(
    graph: Graph[int],
    operations: Operations,
    unit_of: Mapping[Operation, Ref | Operation],
    block_of: Mapping[Ref | Operation, int],
) -> Graph[int]:
    """Return the graph of blocks in which bodies are replaced between what is new and what goes.

    No rule needs this order, so it gives way to the rules.
    """
    found = {block: {*after} for block, after in graph.items()}
    for replacement in replacements(operations):
        body = replacement.operation
        earlier = ((o, body) for o in replacement.creations)
        later = ((body, o) for o in replacement.drops)
        for pair in (*earlier, *later):
            if all(o in unit_of for o in pair):
                first, last = (block_of[unit_of[o]] for o in pair)
                if not has_path(found, last, first):
                    found[first].add(last)
    return found


def _exchanges_of_names(
    operations: Operations, unit_of: Mapping[Operation, Ref | Operation]
) -> Iterator[tuple[Ref | Operation, Ref | Operation]]:
    """Yield pairs of units: the first drops an object, the second reuses the name.

    Nobody is to meet the name while nothing has it. What takes long commits apart.
    """
    slow = {unit for operation, unit in unit_of.items() if not is_quick(operations, operation)}
    for drop, taker in free_name_first(operations):
        if drop is not None and taker is not None and drop.drops:
            units = unit_of[drop], unit_of[taker]
            if not slow & {*units}:
                yield units


def _block_key(operations: Operations, block: Sequence[Operation]) -> tuple[bool, int, Operation]:
    """Return the sort key of a block: the order on scratch if known, then the name.

    What is filled by a query comes last: only the bodies of functions tell what the query needs.
    """
    built = operations.context.scratch_order
    rank = max(built.get(o.ref, 0) if built and not o.drops else -1 for o in block)
    return _fills(operations, block), rank, min(block)


def _table_of(operations: Operations, block: Sequence[Operation]) -> tuple[bool, Ref]:
    """Return the table of a block, whose steps are to stand together, or the object itself."""
    ref = min(block).ref
    return _fills(operations, block), ref.on or ref


def _fills(operations: Operations, block: Sequence[Operation]) -> bool:
    desired = operations.desired
    return any(isinstance(desired.get(o.ref), FilledByQuery) and not o.drops for o in block)


# -- operations of a block -----------------------------------------------------------------------


def _write_block(
    writer: _StepWriter,
    operations: Operations,
    graph: Graph[Operation],
    predecessors: Graph[Operation],
    block: Sequence[Operation],
    *,
    same_transaction: bool = False,
) -> None:
    """Write the steps of a block in a transaction; split a lone operation if a swap is prepared.

    With `same_transaction`, the steps commit with those written before.
    """
    if not same_transaction:
        writer.new_transaction()
    members = {*block}
    order = sort({o: graph[o] & members for o in block}, lambda o: o)
    for operation, statements in _lines(operations, predecessors, order):
        if len(block) == 1 and not same_transaction:
            writer.new_transaction()
        found = _undone_with_rebinding(operations, operation, statements, writer.last_steps.keys())
        origins = operations.origins.get(operation) or [operation] * len(found)
        writer.write(
            operation,
            [(o, operations.actions[o], s) for o, s in zip(origins, found, strict=True)],
            predecessors[operation],
        )


def _lines(
    operations: Operations, predecessors: Graph[Operation], order: Sequence[Operation]
) -> Iterator[tuple[Operation, list[Statement]]]:
    """Yield the operations of a block with statements, statements before a swap first."""
    early = _early(operations, predecessors, order)
    _check_before_swap(operations, [o for o in order if o not in early])
    for operation in order:
        statements = operations.statements[operation]
        if operation in early and (before := [s for s in statements if s.before_swap]):
            yield operation, before
    for operation in order:
        statements = operations.statements[operation]
        yield operation, [s for s in statements if not (s.before_swap and operation in early)]


def _early(
    operations: Operations, predecessors: Graph[Operation], order: Sequence[Operation]
) -> set[Operation]:
    """Find the operations of a block with no need to wait for the rest of the block.

    Drops and independent operations are not waited for. Only operations found here can have
    statements before the transaction of the swap.
    """
    block = {*order}
    return {
        o
        for o in order
        if all(p.drops or _independent(operations, o, p) for p in predecessors[o] & block)
    }


def _check_before_swap(operations: Operations, waiting: Iterable[Operation]) -> None:
    """Raise PlanError for a swap with a predecessor in the same transaction."""
    shadows, recreated = operations.recreation.shadows, operations.recreation.recreated
    for operation in waiting:
        ref = operation.ref
        builds = any(s.before_swap for s in operations.statements[operation])
        if builds and (ref in shadows or recreated.get(ref) in shadows):
            raise PlanError(
                f"{ref} waits for something else that this plan changes: do that first, and "
                "`retype` after it"
            )


def _independent(operations: Operations, operation: Operation, earlier: Operation) -> bool:
    """Tell whether a statement before a swap need not wait for an earlier operation.

    An index or a constraint is built over a shadow column before the swap; a shadow column waits
    only for a new data type.
    """
    shadows = operations.recreation.shadows
    is_type = isinstance(operations.desired.get(earlier.ref), Replaceable)
    return earlier.ref in shadows or (operation.ref in shadows and not is_type)


def _undone_with_rebinding(
    operations: Operations,
    operation: Operation,
    statements: list[Statement],
    done: Set[Operation],
) -> list[Statement]:
    """Suspend, in the undo of a new object, the objects restored on the new object.

    Objects that are suspended already when the object is created need nothing.
    """
    if not statements or statements[-1] != operations.statements[operation][-1]:
        return statements
    *others, last = statements
    for rebinding in operations.rebindings.get(operation, ()):
        if rebinding.suspension not in done - {operation}:
            undo = (*rebinding.suspend, *(last.undo or ()), *rebinding.restore)
            last = last.model_copy(update={"undo": undo})
    return [*others, last]


# -- steps -------------------------------------------------------------------------------------


@dataclass
class _StepWriter:
    """The steps already written, with running numbers of steps and transactions.

    `last_steps` maps each operation to the steps that must be done before its successors run: its
    last step, or without any, the steps that it waits for itself. `preparing` is true after a
    statement that must be committed before a swap, `between` where the next step begins a
    transaction. Transactions are numbered from 1 without gaps.
    """

    width: int
    finder: LockFinder
    steps: list[Step] = field(default_factory=list[Step])
    transaction: int = 0
    between: bool = True
    preparing: bool = False
    after_renamings: set[str] = field(default_factory=set[str])
    last_steps: dict[Operation, set[str]] = field(default_factory=dict[Operation, set[str]])

    def new_transaction(self) -> None:
        """Begin another transaction with the next step."""
        self.between = True

    def write_before_renamings(self, statements: Mapping[Operation, Sequence[Statement]]) -> None:
        """Write statements that the renamings wait for, committed before them."""
        for operation, before in statements.items():
            self.write(operation, [(operation, "alter", s) for s in before], ())
            self.after_renamings = self.after_renamings | self.last_steps[operation]
        self.new_transaction()

    def write_renamings(self, renamings: Iterable[Renaming]) -> None:
        """Write a step for each renaming, each depending on the previous step."""
        for renaming in renamings:
            operation = Operation.create(renaming.becomes)
            step = self._append(operation, "alter", renaming.statement, self.after_renamings)
            self.after_renamings = {step}

    def write(
        self,
        operation: Operation,
        statements: Iterable[tuple[Operation, Action, Statement]],
        predecessors: Iterable[Operation],
    ) -> None:
        """Write the steps of an operation, each depending on the previous step.

        Each statement comes with the operation on the object that it changes.
        """
        waits = {s for p in predecessors for s in self.last_steps.get(p, ())}
        waits = (self.last_steps.get(operation, set[str]()) | waits) or self.after_renamings
        for origin, action, statement in statements:
            begins_swap = self.preparing and not statement.before_swap
            if statement.own_transaction or not statement.transactional or begins_swap:
                self.new_transaction()
            self.preparing = statement.before_swap
            waits = {self._append(origin, action, statement, waits)}
            if statement.long or not statement.transactional:
                self.new_transaction()
        self.last_steps[operation] = waits

    def _append(
        self, operation: Operation, action: Action, statement: Statement, waits: set[str]
    ) -> str:
        """Append a step in the current transaction; return the step's id."""
        locks = self.finder.locks(statement, operation.ref)
        strongest = strongest_of(locks) or Lock(relation=statement.relation, mode=statement.lock)
        if statement.transactional and self.between:
            self.transaction += 1
            self.between = False
        step = Step(
            id=f"{len(self.steps) + 1:0{self.width}}",
            action=action,
            kind=operation.ref.kind,
            identity=operation.ref.identity,
            schema_name=operation.ref.schema,
            sql=statement.sql,
            transactional=statement.transactional,
            transaction=f"t{self.transaction}" if statement.transactional else "",
            lock=strongest.mode,
            relation=strongest.relation,
            locks=locks,
            long=statement.long,
            hazards=(*statement.hazards, *self.finder.scans(statement, operation.ref)),
            cleanup=statement.cleanup,
            undo=statement.undo or (),
            depends_on=tuple(sorted(waits)),
            fill=statement.fill,
            index=statement.index,
            builds_index=statement.builds_index,
            drops_leftover=statement.drops_leftover,
            adds_shadow_column=statement.adds_shadow_column,
            privilege=statement.privilege,
            needs_create_on=statement.needs_create_on,
            question=self.finder.question(statement, operation.ref),
            temporary=statement.temporary,
            environment=statement.environment,
            holds=statement.holds,
            database=statement.database,
            requirements=statement.requirements,
            also=statement.also,
        )
        self.steps.append(step)
        return step.id
