"""Put what there is to do into an order that works, and into transactions: Work → steps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import networkx as nx

from reconciler.diff.diff import Action, Change
from reconciler.diff.renames import Renaming
from reconciler.errors import PlanError
from reconciler.model.datatype import Replaceable
from reconciler.model.inheritance import is_partitioned
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.plan.edges import ambiguous_calls, find_edges, hidden_dependents, whole_row_callers
from reconciler.plan.operations import Operation, Operations, collect_operations, making
from reconciler.plan.step import Step


def in_order(
    operations: Operations, given: Sequence[Change], renamings: Sequence[Renaming] = ()
) -> list[Step]:
    """The steps of all that there is to do, the renamings first; raises PlanError where no order works."""
    for node in operations.one_way:
        first, *more = operations.statements[node]
        back, hazards = _undo_statements(operations, node.ref)
        told = {"undo": (*back, *(first.undo or ())), "hazards": (*first.hazards, *hazards)}
        operations.statements[node] = [first.model_copy(update=told), *more]
    return _steps(operations, find_edges(operations, given), renamings)


def _undo_statements(
    operations: Operations, ref: Ref
) -> tuple[tuple[str, ...], tuple[Hazard, ...]]:
    """The undo of an alteration that only a replacement takes back: the steps of a plan in the other direction.

    What was dropped before is not there yet when it is undone.
    """
    there = State(
        {
            **{r: o for r, o in operations.live.objects.items() if r not in operations.dropped},
            ref: operations.desired[ref],
        },
        operations.live.edges,
    )
    back = collect_operations(
        [Change(ref, operations.desired[ref], operations.live[ref])],
        there,
        operations.live,
        operations.context,
    )
    for whole in (
        r for r in back.recreation.recreated if r in there and is_partitioned(there[r])
    ):  # it would go with its rows
        return (), (
            Hazard(
                hazard=HazardKind.IRREVERSIBLE,
                reason=f"{ref} cannot be taken back while {whole} is partitioned by it",
            ),
        )
    return tuple(s.sql for s in in_order(back, ())), ()


def _steps(
    operations: Operations, edges: set[tuple[Operation, Operation]], renamings: Sequence[Renaming]
) -> list[Step]:
    graph: nx.DiGraph[Operation] = nx.DiGraph()
    graph.add_nodes_from(sorted(operations.statements))
    graph.add_edges_from(sorted(edges))
    for one, other in (
        *ambiguous_calls(operations),
        *whole_row_callers(operations),
        *hidden_dependents(operations),
    ):
        if one is not None and other is not None and not nx.has_path(graph, other, one):
            graph.add_edge(one, other)
    if not nx.is_directed_acyclic_graph(graph):
        cycle = ", ".join(str(one.ref) for one, _ in cast("Any", nx).find_cycle(graph))
        raise PlanError(f"no order works, each of these needs the next to come first: {cycle}")
    blocks = _blocks(operations, graph)
    width = len(str(sum(map(len, operations.statements.values())) + len(renamings)))
    steps = [
        _step(
            f"{n:0{width}}",
            making(r.becomes),
            "alter",
            r.statement,
            0,
            {f"{n - 1:0{width}}"} if n > 1 else set(),
        )
        for n, r in enumerate(renamings, 1)
    ]
    renamed = {s.id for s in steps[-1:]}
    last: dict[Operation, set[str]] = {}
    transaction = 0
    for block in blocks:
        transaction += 1
        for node, statements in _line_up(operations, graph, block):
            waits = last[node] = (
                last.get(node, set())
                | {s for p in graph.predecessors(node) for s in last.get(p, ())}
                or renamed
            )
            if len(block) == 1:
                transaction += 1
            for statement in operations.undone_beneath(node, statements, last.keys() - {node}):
                if statement.own_transaction or not statement.transactional:
                    transaction += 1
                step_id = f"{len(steps) + 1:0{width}}"
                steps.append(
                    _step(step_id, node, operations.actions[node], statement, transaction, waits)
                )
                if not statement.transactional or statement.long:
                    transaction += 1
                waits = {step_id}
                last[node] = waits
    return _numbered(steps)


def _line_up(
    operations: Operations, graph: nx.DiGraph[Operation], block: list[Operation]
) -> Iterable[tuple[Operation, list[Statement]]]:
    """The nodes of a block with what they do: what stands ahead of the transaction that they share, and what is in it.

    What needs something that the block makes cannot go ahead of it.
    """
    order = list(nx.lexicographical_topological_sort(graph.subgraph(block)))
    early = {
        n
        for n in order
        if all(p.drop or _beside(operations, n, p) for p in graph.predecessors(n) if p in order)
    }
    _assert_ahead(operations, [n for n in order if n not in early])
    for node in order:
        if node in early and (ahead := [s for s in operations.statements[node] if s.before_swap]):
            yield node, ahead
    for node in order:
        yield (
            node,
            [s for s in operations.statements[node] if not (s.before_swap and node in early)],
        )


def _assert_ahead(operations: Operations, nodes: Iterable[Operation]) -> None:
    """Raise PlanError where what should stand ahead of an exchange would come in its midst."""
    shadows = operations.recreation.shadows
    for ref in (n.ref for n in nodes if any(s.before_swap for s in operations.statements[n])):
        if ref in shadows or operations.recreation.recreated.get(ref) in shadows:
            raise PlanError(
                f"{ref} waits for something else that this plan changes: do that first, and `retype` after it"
            )


def _beside(operations: Operations, node: Operation, earlier: Operation) -> bool:
    """Whether what stands ahead does not wait for that: it is built over a twin, or is one, of a type that is there."""
    shadows = operations.recreation.shadows
    return earlier.ref in shadows or (
        node.ref in shadows and not isinstance(operations.desired.get(earlier.ref), Replaceable)
    )


def _numbered(steps: list[Step]) -> list[Step]:
    """Number the transactions from one, as they come."""
    numbers = {
        t: f"t{n}"
        for n, t in enumerate(dict.fromkeys(s.transaction for s in steps if s.transaction), 1)
    }
    return [s.model_copy(update={"transaction": numbers.get(s.transaction, "")}) for s in steps]


def _step(
    step_id: str,
    node: Operation,
    action: Action,
    statement: Statement,
    transaction: int,
    waits: set[str],
) -> Step:
    return Step(
        id=step_id,
        action=action,
        kind=node.ref.kind,
        identity=node.ref.identity,
        schema_name=node.ref.schema,
        sql=statement.sql,
        transactional=statement.transactional,
        transaction=f"t{transaction}" if statement.transactional else "",
        lock=statement.lock,
        relation=statement.relation,
        long=statement.long,
        hazards=statement.hazards,
        cleanup=statement.cleanup,
        undo=statement.undo or (),
        depends_on=tuple(sorted(waits)),
        fill=statement.fill,
        index=statement.index,
        builds_index=statement.builds_index,
        adds_shadow_column=statement.adds_shadow_column,
        privilege=statement.privilege,
        needs_create_on=statement.needs_create_on,
    )


def _blocks(operations: Operations, graph: nx.DiGraph[Operation]) -> list[list[Operation]]:
    """Nodes that must commit together, in order: units, and units between which order runs both ways, merged."""
    unit = {n: operations.units.get(n, n) for n in graph}
    quotient: nx.DiGraph[Any] = nx.DiGraph()
    quotient.add_nodes_from(unit.values())
    quotient.add_edges_from((unit[a], unit[b]) for a, b in graph.edges if unit[a] != unit[b])
    merged = nx.condensation(quotient)
    members: dict[int, list[Operation]] = {}
    for node, key in unit.items():
        members.setdefault(merged.graph["mapping"][key], []).append(node)

    scratch_order = operations.context.scratch_order

    def first(block: int) -> tuple[int, Operation]:
        return max(
            scratch_order.get(n.ref, 0) if scratch_order and not n.drop else -1
            for n in members[block]
        ), min(members[block])

    order = cast(
        "Iterable[int]", cast("Any", nx).lexicographical_topological_sort(merged, key=first)
    )
    return [members[block] for block in order]
