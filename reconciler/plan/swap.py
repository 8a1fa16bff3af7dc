"""Find what must be seen together with a renaming: whatever takes the name that it frees.

An application that meets the old name between the two would find nothing, or an empty table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from reconciler.diff.renames import Renaming
from reconciler.kinds import KINDS
from reconciler.model.inheritance import parents_of
from reconciler.model.ref import Ref
from reconciler.plan.graph import Graph, inverted
from reconciler.plan.operations import Operation, Operations, Phase

Block = Sequence[Operation]


def taking_freed_names(
    operations: Operations,
    graph: Graph[Operation],
    renamings: Sequence[Renaming],
    blocks: Sequence[Block],
) -> Set[Operation]:
    """Return the operations to commit in the transaction of the renamings.

    These create an object under a freed name, and complete it by parts and partitions, with
    everything that must precede them. What takes long, or cannot run in a transaction block, stays
    outside, and so does what would have to follow it.
    """
    block_of = {operation: block for block in blocks for operation in block}
    predecessors, found = inverted(graph), set[Operation]()
    takers = [o for o in graph if _takes(o.ref, operations, renamings) and not o.drops]
    tables = {o.ref for o in takers} | {r.becomes for r in renamings}
    completing = [o for o in graph if _completes(o, operations, tables)]
    for operation in [*takers, *completing] if takers else ():
        needed = _closure(operation, predecessors, block_of)
        if all(is_quick(operations, o) for o in needed):
            found |= needed
    return found


def _takes(ref: Ref, operations: Operations, renamings: Sequence[Renaming]) -> bool:
    """Tell whether an object is created under a name that a renaming frees."""
    if ref not in operations.created:
        return False
    spaces = KINDS[ref.kind].namespaces()
    return any(
        (r.was.schema, r.was.name, r.becomes.on) == (ref.schema, ref.name, ref.on)
        and (r.was.kind == ref.kind or KINDS[r.was.kind].namespaces() & spaces)
        for r in renamings
        if not r.part
    )


def _completes(operation: Operation, operations: Operations, tables: Set[Ref]) -> bool:
    """Tell whether an operation makes a part or a partition of one of the tables."""
    obj = operations.desired.get(operation.ref) or operations.live.get(operation.ref)
    if obj is None or operation.phase == Phase.PRE_DROP:
        return False
    return operation.ref.on in tables or bool({*parents_of(obj)} & tables)


def _closure(
    operation: Operation, predecessors: Graph[Operation], block_of: Mapping[Operation, Block]
) -> set[Operation]:
    """Collect an operation, its block, and all that must precede them."""
    found, queue = set[Operation](), [operation]
    while queue:
        for each in block_of[queue.pop()]:
            if each not in found:
                found.add(each)
                queue += predecessors[each]
    return found


def is_quick(operations: Operations, operation: Operation) -> bool:
    """Tell whether all statements run for a moment only, and in a transaction block."""
    return all(
        s.transactional and not (s.own_transaction or s.before_swap or s.long or s.fill)
        for s in operations.statements[operation]
    )
