"""Find what must be seen together with a renaming: what takes the old name, or still uses it.

An application that meets the old name between the two would find nothing, or an empty table; a
function that uses it would fail.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from reconciler.diff.renames import Renaming
from reconciler.kinds import KINDS
from reconciler.model.bound_proof import BoundProof, bound_check, prove_bound
from reconciler.model.inheritance import parents_of
from reconciler.model.object import InlinePart
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.statement import Statement
from reconciler.model.table_like import InheritableTable
from reconciler.plan.bodies import replacements
from reconciler.plan.graph import Graph, inverted
from reconciler.plan.operations import Operation, Operations, Phase

Block = Sequence[Operation]


def seen_with_renamings(
    operations: Operations,
    graph: Graph[Operation],
    renamings: Sequence[Renaming],
    blocks: Sequence[Block],
    users: Sequence[Operation],
) -> Set[Operation]:
    """Return the operations to commit in the transaction of the renamings.

    These create an object under a freed name, and complete it by parts and partitions, or replace a
    function that uses an old name, one of `users`, with everything that must precede them. What
    takes long, or cannot run in a transaction block, stays outside, and so does what would have to
    follow it.
    """
    block_of = {operation: block for block in blocks for operation in block}
    predecessors, found = inverted(graph), set[Operation]()
    takers = [o for o in graph if _reuses_name(o, operations, renamings)]
    for operation in _along_with(takers, operations, graph, renamings):
        needed = _closure([operation], predecessors, block_of)
        if all(_commits_quickly(operations, o) for o in needed):
            found |= needed
    for replacement in replacements(operations) if users else ():
        if replacement.operation not in users:
            continue
        together = (replacement.operation, *replacement.creations)
        together = [o for o in together if o in block_of]
        needed = _closure(together, predecessors, block_of)
        if all(is_quick(operations, o) for o in needed):
            found |= needed
    return found


def _along_with(
    takers: Sequence[Operation],
    operations: Operations,
    graph: Graph[Operation],
    renamings: Sequence[Renaming],
) -> Iterator[Operation]:
    """Yield the operations that take freed names, complete the new tables, or refer to them."""
    tables = {o.ref for o in takers} | {r.becomes for r in renamings}
    new = {o.ref for o in takers if not o.drops}
    yield from takers
    for operation in graph if takers else ():
        if _completes(operation, operations, tables) or _refers_to_new(operation, operations, new):
            yield operation


def _reuses_name(
    operation: Operation, operations: Operations, renamings: Sequence[Renaming]
) -> bool:
    """Tell whether an object is created or renamed under a name that a renaming frees.

    What such an object takes the place of is dropped with it.
    """
    ref, renamed = operation.ref, {r.becomes for r in renamings if not r.part}
    if operation.drops:
        return ref in renamed and ref not in operations.desired
    if ref not in operations.created and ref not in renamed:
        return False
    namespaces = KINDS[ref.kind].namespaces()
    return any(
        (r.was.schema, r.was.name, r.becomes.on) == (ref.schema, ref.name, ref.on)
        and (r.was.kind == ref.kind or KINDS[r.was.kind].namespaces() & namespaces)
        for r in renamings
        if not r.part
    )


def _completes(operation: Operation, operations: Operations, tables: Set[Ref]) -> bool:
    """Tell whether an operation makes a part or a partition of one of the tables."""
    obj = operations.desired.get(operation.ref) or operations.live.get(operation.ref)
    if obj is None or operation.phase == Phase.PRE_DROP:
        return False
    return operation.ref.on in tables or bool({*parents_of(obj)} & tables)


def _refers_to_new(operation: Operation, operations: Operations, new: Set[Ref]) -> bool:
    """Tell whether an existing object refers to a new table under the freed name from then on."""
    ref = operation.ref
    if ref not in operations.live or ref not in operations.desired:
        return False
    return bool({n.on or n for n in operations.desired.needs(ref)} & new)


def _closure(
    operations: Sequence[Operation],
    predecessors: Graph[Operation],
    block_of: Mapping[Operation, Block],
) -> set[Operation]:
    """Collect operations, their blocks, and all that must precede them."""
    found, queue = set[Operation](), [*operations]
    while queue:
        for each in block_of[queue.pop()]:
            if each not in found:
                found.add(each)
                queue += predecessors[each]
    return found


def is_quick(operations: Operations, operation: Operation) -> bool:
    """Tell whether all statements run for a moment only, and in a transaction block."""
    return all(map(_is_quick, operations.statements[operation]))


def _is_quick(statement: Statement) -> bool:
    alone = statement.own_transaction or statement.before_swap
    return statement.transactional and not (alone or statement.long or statement.fill)


def _commits_quickly(operations: Operations, operation: Operation) -> bool:
    """Tell whether an operation is quick, but for a validation that can be left for later."""
    return is_quick(operations, operation) or bool(validation_of(operations, operation))


def validation_of(operations: Operations, operation: Operation) -> list[Statement]:
    """Return the last statements of an operation that validate what the quick ones have added.

    Empty if all are quick, or others are not.
    """
    statements = operations.statements[operation]
    slow = next((n for n, s in enumerate(statements) if not _is_quick(s)), len(statements))
    last = statements[slow:] if slow else []
    return last if all(s.long and s.own_transaction and s.transactional for s in last) else []


def leave_validations(
    operations: Operations, swapped: Set[Operation]
) -> dict[Operation, list[Statement]]:
    """Take the validations out of the operations of the renamings' transaction; return them."""
    found = {o: last for o in sorted(swapped) if (last := validation_of(operations, o))}
    for operation, last in found.items():
        operations.statements[operation] = operations.statements[operation][: -len(last)]
    return found


# -- bounds proven beforehand ----------------------------------------------------------------------


def proofs_of_bounds(
    operations: Operations, swapped: Set[Operation], renamings: Sequence[Renaming]
) -> dict[Operation, BoundProof]:
    """Find the tables that the renamings' transaction attaches, and prove their bounds before it.

    The operations are left with the statements of that transaction.
    """
    found = dict[Operation, BoundProof]()
    for operation in sorted(swapped):
        table = operations.desired.get(operation.ref)
        if not isinstance(table, InheritableTable) or not _has_key(operations, table, renamings):
            continue
        now = next((r.was for r in renamings if r.becomes == table.ref and not r.part), table.ref)
        statements = operations.statements[operation]
        built = _built_by_attaching(operations, table.ref)
        proof = prove_bound(table, now, statements, operations.context, built)
        if proof is not None:
            found[operation] = proof
            operations.statements[operation] = list(proof.attach)
            _keep_leftover(operations, table.ref)
    return found


def _built_by_attaching(operations: Operations, table: Ref) -> list[Ref]:
    """List the indexes of the parent that the table has no equal of."""
    own = [o for o in operations.live.objects_on(table) if isinstance(o, PartitionedObject)]
    return [
        ref
        for ref, obj in operations.desired.inherited(table).items()
        if isinstance(obj, PartitionedObject) and obj.relation_name is not None
        if not any(obj.equals(o) for o in own)
    ]


def _has_key(
    operations: Operations, table: InheritableTable, renamings: Sequence[Renaming]
) -> bool:
    """Tell whether the table has the columns of the partition key before the plan, as after it."""
    keys, _ = operations.context.bounds.get(table.ref, ((), ""))
    columns = [o.ref for o in operations.live.objects_on(table.ref) if o.ref.name in keys]
    inline = {r for r in columns if isinstance(operations.live[r], InlinePart)}
    changing = {o.ref for o, s in operations.statements.items() if s}
    changing |= {r.becomes for r in renamings}
    return len(inline) == len(keys) and not inline & changing


def _keep_leftover(operations: Operations, table: Ref) -> None:
    """Leave the CHECK of an interrupted run to the statement that replaces it."""
    for operation in operations.statements:
        ref = operation.ref
        if operation.drops and (ref.on, ref.name) == (table, bound_check(table)):
            operations.statements[operation] = []
