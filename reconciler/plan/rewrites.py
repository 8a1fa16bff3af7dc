"""Combine the rewrites of a table: PostgreSQL writes the rows once for one ALTER TABLE.

Of two columns that depend on each other, such as a generated one and the one it reads, each keeps a
statement of its own: PostgreSQL refuses both in one. It also fails to set the expression of one
column and the type of another that has an index or a constraint. So does a column that no undo
leads back, since a rollback leaves all of a step's object as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler.model.statement import (
    HazardKind,
    Question,
    Statement,
    TableRewrite,
    hazard_of_rewrites,
)
from reconciler.plan.graph import Graph, find_cycle, graph_of, has_path
from reconciler.plan.operations import Operation, Operations, Phase


def combine_rewrites(
    operations: Operations, graph: Graph[Operation]
) -> tuple[Operations, Graph[Operation]]:
    """Return operations and graph with one more operation for each combined rewrite.

    It includes the quick statements before and after each rewrite, such as the change of a default.
    """
    for candidates in _candidates(operations):
        layers = _layers(operations, candidates, graph)
        for group in layers:
            combined = _graph_with(_operation(group), group, graph)
            if len(group) > 1 and not find_cycle(combined):
                graph, operations = combined, _with_combined(operations, group)
        operations = _committing_together(operations, layers)
    return operations, graph


def _candidates(operations: Operations) -> Iterator[Sequence[Operation]]:
    """Yield the operations that rewrite a table, for tables with several."""
    by_table: dict[str, list[Operation]] = {}
    for operation, statements in operations.statements.items():
        quick = statements[: _quick(statements)]
        rewrites = [s.rewrite for s in statements if s.rewrite is not None]
        if operation in operations.one_way or operation in operations.rebindings:
            continue
        if any(h.hazard is HazardKind.IRREVERSIBLE for s in statements for h in s.hazards):
            continue
        if len(rewrites) == 1 and any(s.rewrite for s in quick):
            by_table.setdefault(rewrites[0].table, []).append(operation)
    yield from (sorted(found) for found in by_table.values() if len(found) > 1)


def _quick(statements: Sequence[Statement]) -> int:
    """Count the first statements that can share a transaction."""
    return next((n for n, s in enumerate(statements) if not s.brief), len(statements))


def _layers(
    operations: Operations, candidates: Sequence[Operation], graph: Graph[Operation]
) -> list[list[Operation]]:
    """Group operations, in order, so that PostgreSQL accepts each group in one ALTER TABLE.

    None of a group must precede another of the group.
    """
    levels, layers = _levels(candidates, graph), dict[int, list[Operation]]()
    kinds = {o: _kind(operations, o) for o in candidates}
    retyping = {levels[o] for o in candidates if kinds[o] == "type"}
    for operation in sorted(candidates, key=lambda o: kinds[o] == "expression"):
        level = levels[operation]
        if kinds[operation] == "expression":
            fitting = (n for n in layers if n >= level and n not in retyping)
            level = min(fitting, default=len(candidates))
        layers.setdefault(level, []).append(operation)
    return [layers[n] for n in sorted(layers)]


def _levels(candidates: Sequence[Operation], graph: Graph[Operation]) -> dict[Operation, int]:
    """Return the length of the longest chain of candidates that must precede each."""
    found: dict[Operation, int] = {}

    def level(operation: Operation) -> int:
        if operation not in found:
            before = [c for c in candidates if c != operation and has_path(graph, c, operation)]
            found[operation] = max((level(b) + 1 for b in before), default=0)
        return found[operation]

    return {o: level(o) for o in candidates}


def _kind(operations: Operations, operation: Operation) -> str:
    """Return the kind of an operation's only rewrite."""
    return next(s.rewrite.kind for s in operations.statements[operation] if s.rewrite is not None)


def _operation(group: Sequence[Operation]) -> Operation:
    """Return the operation that rewrites the table for a group of columns."""
    first = group[0]
    return Operation(Phase.REWRITE, first.order, first.ref)


def _graph_with(
    combined: Operation, group: Sequence[Operation], graph: Graph[Operation]
) -> Graph[Operation]:
    """Return the graph with the operation before each of the group, after all that precedes one."""
    members = {*group}
    edges = ((a, b) for a, ends in graph.items() for b in ends)
    before = ((a, combined) for a, ends in graph.items() if ends & members)
    return graph_of(graph, (*edges, *before, *((combined, b) for b in group)))


def _with_combined(operations: Operations, group: Sequence[Operation]) -> Operations:
    """Move the quick statements of a group into the combined operation."""
    combined, found = _operation(group), operations.statements
    parts = _parts({o: found[o][: _quick(found[o])] for o in group})
    units = {o: operations.units[o] for o in group if o in operations.units}
    unit = next(iter(units.values()), combined.ref)
    remaining = {o: found[o][_quick(found[o]) :] for o in group}
    return replace(
        operations,
        statements={**found, **remaining, combined: [s for _, s in parts]},
        actions={**operations.actions, combined: "alter"},
        origins={**operations.origins, combined: [o for o, _ in parts]},
        units={**operations.units, combined: unit},
        joined=operations.joined | {(unit, u) for u in units.values() if u != unit},
    )


def _parts(group: Mapping[Operation, list[Statement]]) -> list[tuple[Operation, Statement]]:
    """Return all before the rewrites, the combined one, and all after, each with its operation."""
    place = {o: next(n for n, s in enumerate(found) if s.rewrite) for o, found in group.items()}
    combined = _combined([found[place[o]] for o, found in group.items()], [*group])
    return [
        *((o, s) for o, found in group.items() for s in found[: place[o]]),
        (next(iter(group)), combined),
        *((o, s) for o, found in group.items() for s in found[place[o] + 1 :]),
    ]


def _combined(statements: Sequence[Statement], group: Sequence[Operation]) -> Statement:
    """Return one ALTER TABLE for several; the undo is one ALTER TABLE as well."""
    rewrites = [s.rewrite for s in statements if s.rewrite is not None]
    hazard = hazard_of_rewrites(rewrites)
    others = (h for s in statements for h in s.hazards if h.hazard != hazard.hazard)
    return statements[0].model_copy(
        update={
            "sql": _alter(rewrites[0], [r.action for r in rewrites]),
            "hazards": (hazard, *dict.fromkeys(others)),
            "undo": tuple(_undo(statements)),
            "needs_create_on": max(s.needs_create_on for s in statements),
            "also": tuple((o.ref.kind, o.ref.identity) for o in group[1:]),
            "rewrite": None,
            "question": _question(statements, group),
        }
    )


def _question(statements: Sequence[Statement], group: Sequence[Operation]) -> Question | None:
    """Return the first question, with all others; each names its object."""
    asked = [
        s.question.model_copy(update={"subject": str(o.ref)})
        for s, o in zip(statements, group, strict=True)
        if s.question is not None
    ]
    return asked[0].model_copy(update={"more": tuple(asked[1:])}) if asked else None


def _undo(statements: Sequence[Statement]) -> Iterator[str]:
    """Yield the undo of all statements, with the actions of ALTER TABLE in one."""
    actions: list[str] = []
    rest: list[str] = []
    for statement in reversed(statements):
        undo, rewrite = list(statement.undo or ()), statement.rewrite
        if rewrite is not None and rewrite.undo and _alter(rewrite, [rewrite.undo]) in undo[:1]:
            actions.append(rewrite.undo)
            undo = undo[1:]
        rest += undo
    if actions and (rewrite := statements[0].rewrite) is not None:
        yield _alter(rewrite, actions)
    yield from rest


def _alter(rewrite: TableRewrite, actions: Sequence[str]) -> str:
    return f"ALTER TABLE {rewrite.table} {', '.join(actions)}"


def _committing_together(
    operations: Operations, layers: Sequence[Sequence[Operation]]
) -> Operations:
    """Let the layers of one table commit in one transaction, if none takes long."""
    combined = ((_operation(group), group[0]) for group in layers)
    found = [next(o for o in pair if o in operations.statements) for pair in combined]
    if len(layers) < 2 or not all(s.brief for o in found for s in operations.statements[o]):
        return operations
    units = {o: operations.units.get(o, o.ref) for o in found}
    first = units[found[0]]
    joined = {(first, unit) for unit in units.values() if unit != first}
    return replace(
        operations, units={**operations.units, **units}, joined=operations.joined | joined
    )
