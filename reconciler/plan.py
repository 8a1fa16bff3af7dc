"""Put changes into an order that works: (changes, live, desired, situation) → Plan, a frozen value.

What is shown is what is run: reports render it, the executor walks it, a saved one is read back to the letter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal, cast

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field

from reconciler.connection import redacted
from reconciler.diff import Action, Change, Difference
from reconciler.errors import PlanError
from reconciler.kinds import KINDS
from reconciler.ref import Ref
from reconciler.state import Object, Situation, State
from reconciler.statement import Danger, Fill, Hazard, Statement


class Step(BaseModel):
    """One command of a plan.

    Steps with the same `transaction` commit together; one with none ("") runs outside a transaction block. `undo` is
    run, last step first, to go back. A step whose `depends_on` failed is not run. `long` waits for locks as long as
    it takes, because it blocks nobody. `mend` clears away what a failed try leaves behind. `fill` marks a backfill, which runs in batches.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    action: Action
    kind: str
    identity: str
    sql: str
    transactional: bool
    transaction: str = ""
    lock: str = ""
    relation: str = ""
    long: bool = False
    hazards: tuple[Danger, ...] = ()
    mend: tuple[str, ...] = ()
    undo: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    fill: Fill | None = None


class Planned(BaseModel):
    """One change of a plan: what differs, and the object before and after as plain data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    kind: str
    identity: str
    differences: tuple[Difference, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Plan(BaseModel):
    """What will be done to `target`, and all that is needed to do it safely.

    `fingerprint` maps every object that the plan touches or stands on to a digest of what it was; `digest` covers the
    document itself.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    target: str = Field(description="the database, without a password")
    database: str = Field(default="", description="what tells it from every other: system identifier and name")
    in_sync: bool
    unchanged: int = Field(default=0, description="declared objects that are as they should be")
    scratch: str = Field(default="", description="the server on which the plan was proven")
    changes: tuple[Planned, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    fingerprint: dict[str, str] = Field(default_factory=dict)
    digest: str = ""

    def sealed(self) -> Plan:
        """The plan with its digest."""
        return self.model_copy(update={"digest": self._digest()})

    def intact(self) -> bool:
        """Whether nobody has edited the document since it was sealed."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        return sha256(self.model_copy(update={"digest": ""}).model_dump_json().encode()).hexdigest()

    def hazards(self) -> dict[Hazard, list[str]]:
        """Every hazard with its reasons."""
        found: dict[Hazard, list[str]] = {}
        for step in self.steps:
            for danger in step.hazards:
                found.setdefault(danger.hazard, []).append(danger.reason)
        return found

    def transactions(self) -> list[list[Step]]:
        """The steps, those that commit together in one list."""
        groups: list[list[Step]] = []
        for step in self.steps:
            if groups and step.transaction and groups[-1][0].transaction == step.transaction:
                groups[-1].append(step)
            else:
                groups.append([step])
        return groups


@dataclass(frozen=True, order=True)
class _Node:
    """One thing to do with one object: drop it, make it (create or alter), or finish what is made."""

    drop: bool
    late: bool
    order: tuple[str, ...]
    ref: Ref = field(compare=False)


@dataclass
class _Work:
    """What is gathered on the way from changes to steps."""

    statements: dict[_Node, list[Statement]] = field(default_factory=dict[_Node, list[Statement]])
    actions: dict[_Node, Action] = field(default_factory=dict[_Node, Action])
    stands_for: dict[_Node, _Node] = field(default_factory=dict[_Node, _Node])
    disturbed: set[Ref] = field(default_factory=set[Ref])  # altered only while nothing stands on them
    units: dict[_Node, Ref] = field(default_factory=dict[_Node, Ref])

    def find(self, ref: Ref, *, drop: bool) -> _Node | None:
        """The node that does this to the object, perhaps on behalf of a larger one."""
        node = _node(ref, drop=drop)
        while node in self.stands_for:
            node = self.stands_for[node]
        return node if node in self.statements else None


def make_plan(
    changes: Sequence[Change],
    live: State,
    desired: State,
    situation: Situation,
    *,
    target: str = "",
    database: str = "",
    scratch: str = "",
    unchanged: int = 0,
    notes: Sequence[str] = (),
    fingerprint: Mapping[str, str] | None = None,
) -> Plan:
    """Order the changes into steps; a pure function. Raises PlanError where no order works."""
    work = _work(changes, live, desired, situation)
    steps = _steps(work, _edges(work, live, desired))
    planned = [
        Planned(
            action=c.action,
            kind=c.ref.kind,
            identity=c.ref.identity,
            differences=c.differences,
            before=c.live.fields() if c.live else None,
            after=c.desired.fields() if c.desired else None,
        )
        for c in changes
    ]
    leftovers = [Planned(action="drop", kind=n.ref.kind, identity=n.ref.identity) for n in work.actions if n.drop and n.ref not in live]
    return Plan(
        target=redacted(target),
        database=database,
        in_sync=not steps,
        unchanged=unchanged,
        scratch=scratch,
        changes=(*planned, *leftovers),
        steps=tuple(steps),
        notes=tuple(notes),
        fingerprint=dict(fingerprint or {}),
    ).sealed()


def touched(changes: Sequence[Change], live: State, desired: State) -> set[Ref]:
    """What a plan of these changes touches, stands on, or has standing on it."""
    refs = {c.ref for c in changes}
    standing = live.dependents()
    return refs | {n for r in refs for n in (*live.needs(r), *desired.needs(r), *standing.get(r, ()))}


def fingerprint(refs: Iterable[Ref], state: State) -> dict[str, str]:
    """A digest of each object as it is, "" for what is not there."""
    return {str(r): _print(state.get(r)) for r in sorted(refs, key=lambda r: (r.kind, r.order))}


def _print(obj: Object | None) -> str:
    return sha256(obj.model_dump_json().encode()).hexdigest()[:16] if obj else ""


def _node(ref: Ref, *, drop: bool) -> _Node:
    return _Node(drop=drop, late=False, order=(*ref.order,), ref=ref)


def _late(ref: Ref) -> _Node:
    return _Node(drop=False, late=True, order=(*ref.order,), ref=ref)


def _work(changes: Sequence[Change], live: State, desired: State, situation: Situation) -> _Work:
    work = _Work()
    created = frozenset(c.ref for c in changes if c.live is None)
    dropped = {c.ref for c in changes if c.desired is None}
    situation = replace(situation, created=created)
    for leftover in situation.leftovers:
        if found := list(KINDS[leftover.kind].discard(leftover)):
            _add(work, _node(leftover, drop=True), "drop", found)
    for change in changes:
        if change.desired is None:
            _drop(work, change.ref, live, dropped, situation)
        elif change.live is None:
            _create(work, change.desired, desired, created, situation)
    rebuilt = _rebuilt([c for c in changes if c.live and c.desired], live, situation)
    work.disturbed = set(rebuilt.values())
    for ref, root in rebuilt.items():
        if not (ref.on in rebuilt and live[ref].folds) and ref not in dropped:
            _rebuild(work, ref, root, (live, desired), (created | rebuilt.keys(), dropped | rebuilt.keys()), situation)
    for change in changes:
        if change.live and change.desired and change.ref not in rebuilt:
            _alter(work, change.live, change.desired, situation)
    return work


def _alter(work: _Work, live: Object, desired: Object, situation: Situation) -> None:
    statements = desired.alter(live, situation)
    assert statements is not None
    _add(work, _node(desired.ref, drop=False), "alter", statements, desired.together)
    if late := desired.complete(live, situation):
        _add(work, _late(desired.ref), "alter", late, desired.together)


def _add(work: _Work, node: _Node, action: Action, statements: list[Statement], unit: Ref | None = None) -> None:
    work.statements[node] = statements
    work.actions[node] = action
    if unit is not None:
        work.units[node] = unit


def _create(work: _Work, obj: Object, desired: State, created: frozenset[Ref], situation: Situation, root: Ref | None = None) -> None:
    ref = obj.ref
    if obj.folds and ref.on in created:
        work.stands_for[_node(ref, drop=False)] = _node(ref.on, drop=False)
        return
    unseen = ref.on if ref.on in created else None
    statements = obj.create(situation, desired.parts(ref), online=unseen is None and root is None)
    unit = root or unseen or obj.together or ref
    _add(work, _node(ref, drop=False), "create", statements, unit)
    if late := obj.complete(None, situation):
        _add(work, _late(ref), "alter", late, unit)


def _rebuild(
    work: _Work, ref: Ref, root: Ref, states: tuple[State, State], moved: tuple[frozenset[Ref], set[Ref]], situation: Situation
) -> None:
    """Drop and make again on account of `root`; `moved` is all that is created, and all that is dropped."""
    live, desired = states
    _drop(work, ref, live, moved[1], situation, root)
    if (again := desired.get(ref)) is not None:
        _create(work, again, desired, moved[0], situation, root)
        _forgive(work, ref, live, situation)


def _forgive(work: _Work, ref: Ref, live: State, situation: Situation) -> None:
    """What was just as dangerous before is no danger of this plan."""
    node = _node(ref, drop=False)
    known = {d for s in live[ref].create(situation, live.parts(ref), online=False) for d in s.dangers}
    mild = [s.model_copy(update={"dangers": tuple(d for d in s.dangers if d not in known)}) for s in work.statements.get(node, ())]
    if mild:
        work.statements[node] = mild


def _drop(work: _Work, ref: Ref, live: State, dropped: set[Ref], situation: Situation, root: Ref | None = None) -> None:
    if ref.on is not None and ref.on in dropped:
        work.stands_for[_node(ref, drop=True)] = _node(ref.on, drop=True)
        return
    lost = [live[r] for r in live if r.on == ref and r in dropped]
    _add(work, _node(ref, drop=True), "drop", live[ref].drop(situation, lost, online=root is None), root or live[ref].together)


def _rebuilt(altered: Sequence[Change], live: State, situation: Situation) -> dict[Ref, Ref]:
    """What must be dropped before and made again after, and on whose account: one short loop, for every kind."""
    standing = live.dependents()
    found: dict[Ref, Ref] = {}
    for change in altered:
        assert change.live and change.desired
        replaced = change.desired.alter(change.live, situation) is None
        if not replaced and not change.desired.disturbs(change.live):
            continue
        todo = [change.ref] if replaced else [r for r in standing.get(change.ref, ()) if not live[r].follows]
        while todo:
            ref = todo.pop()
            if ref not in found:
                if live[ref].folds and ref != change.ref:
                    raise PlanError(f"{change.ref} must be dropped and made again, but {ref} stands on it and would lose its values")
                found[ref] = change.ref
                todo += standing.get(ref, ())
    return found


def _edges(work: _Work, live: State, desired: State) -> set[tuple[_Node, _Node]]:
    """Which node comes before which, from what each object needs in either state."""
    edges: set[tuple[_Node, _Node]] = set()

    def before(one: _Node | None, other: _Node | None) -> None:
        if one is not None and other is not None and one != other:
            edges.add((one, other))

    _make_in_order(work, desired, before)
    _drop_in_order(work, live, before)
    _finish_last(work, desired, before)
    _free_names(work, before)
    return edges


Before = Callable[[_Node | None, _Node | None], None]


def _make_in_order(work: _Work, desired: State, before: Before) -> None:
    """What an object needs is made before it; an alteration of what merely holds it is not worth waiting for."""
    for ref in desired:
        making = work.find(ref, drop=False)
        before(work.find(ref, drop=True), making)
        for needed in desired.needs(ref):
            made = work.find(needed, drop=False)
            if made is not None and (work.actions[made] == "create" or needed not in (ref.on, ref.namespace)):
                before(made, making)


def _drop_in_order(work: _Work, live: State, before: Before) -> None:
    """What stands on an object goes, or lets go of it, before it goes or is disturbed."""
    for ref in live:
        dropping, making = work.find(ref, drop=True), work.find(ref, drop=False)
        for needed in live.needs(ref):
            unneeded = work.find(needed, drop=True)
            before(dropping, unneeded)
            if dropping is None:
                before(making, unneeded)
            elif unneeded is None and needed in work.disturbed:
                before(dropping, work.find(needed, drop=False))


def _finish_last(work: _Work, desired: State, before: Before) -> None:
    for node in [n for n in work.statements if n.late]:
        before(work.find(node.ref, drop=False), node)
        for needed in desired[node.ref].finish_needs():
            before(work.find(needed, drop=False), node)


def _free_names(work: _Work, before: Before) -> None:
    """A relation's name must be free before another takes it; what is left over goes before work on its table."""
    takers = {
        (n.ref.schema, n.ref.name): n
        for n in work.statements
        if not n.drop and not n.late and KINDS[n.ref.kind].relation and work.actions[n] == "create"
    }
    for node in work.statements:
        if node.drop and KINDS[node.ref.kind].relation:
            before(node, takers.get((node.ref.schema, node.ref.name)))
        if node.drop and node.ref.on is not None and all(u.undo == () for u in work.statements[node]):
            for other in work.statements:
                if not other.drop and other.ref.on == node.ref.on:
                    before(node, other)


def _steps(work: _Work, edges: set[tuple[_Node, _Node]]) -> list[Step]:
    graph: nx.DiGraph[_Node] = nx.DiGraph()
    graph.add_nodes_from(sorted(work.statements))
    graph.add_edges_from(sorted(edges))
    if not nx.is_directed_acyclic_graph(graph):
        cycle = ", ".join(str(one.ref) for one, _ in _cycle(graph))
        raise PlanError(f"no order works, each of these needs the next to come first: {cycle}")
    blocks = _blocks(work, graph)
    width = len(str(sum(map(len, work.statements.values()))))
    steps: list[Step] = []
    last: dict[_Node, str] = {}
    transaction = 0
    for block in blocks:
        transaction += 1
        for node in nx.lexicographical_topological_sort(graph.subgraph(block)):
            waits = {last[p] for p in graph.predecessors(node)}
            if len(block) == 1:
                transaction += 1
            for statement in work.statements[node]:
                if statement.apart or not statement.transactional:
                    transaction += 1
                step_id = f"{len(steps) + 1:0{width}}"
                steps.append(_step(step_id, node, work.actions[node], statement, transaction, waits))
                if not statement.transactional or statement.long:
                    transaction += 1
                waits = {step_id}
                last[node] = step_id
    return _numbered(steps)


def _numbered(steps: list[Step]) -> list[Step]:
    """Number the transactions from one, as they come."""
    numbers = {t: f"t{n}" for n, t in enumerate(dict.fromkeys(s.transaction for s in steps if s.transaction), 1)}
    return [s.model_copy(update={"transaction": numbers.get(s.transaction, "")}) for s in steps]


def _cycle(graph: nx.DiGraph[_Node]) -> list[tuple[_Node, _Node]]:
    return list(cast("Any", nx).find_cycle(graph))


def _step(step_id: str, node: _Node, action: Action, statement: Statement, transaction: int, waits: set[str]) -> Step:
    return Step(
        id=step_id,
        action=action,
        kind=node.ref.kind,
        identity=node.ref.identity,
        sql=statement.sql,
        transactional=statement.transactional,
        transaction=f"t{transaction}" if statement.transactional else "",
        lock=statement.lock,
        relation=statement.relation,
        long=statement.long,
        hazards=statement.dangers,
        mend=statement.mend,
        undo=statement.undo or (),
        depends_on=tuple(sorted(waits)),
        fill=statement.fill,
    )


def _blocks(work: _Work, graph: nx.DiGraph[_Node]) -> list[list[_Node]]:
    """Nodes that must commit together, in order: units, and units between which order runs both ways, merged."""
    unit = {n: work.units.get(n, n) for n in graph}
    quotient: nx.DiGraph[Any] = nx.DiGraph()
    quotient.add_nodes_from(unit.values())
    quotient.add_edges_from((unit[a], unit[b]) for a, b in graph.edges if unit[a] != unit[b])
    merged = nx.condensation(quotient)
    members: dict[int, list[_Node]] = {}
    for node, key in unit.items():
        members.setdefault(merged.graph["mapping"][key], []).append(node)

    def first(block: int) -> _Node:
        return min(members[block])

    order = cast("Iterable[int]", cast("Any", nx).lexicographical_topological_sort(merged, key=first))
    return [members[block] for block in order]
