"""Graph algorithms agree with their definitions."""

from __future__ import annotations

from graphlib import CycleError
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.plan.graph import (
    components,
    find_cycle,
    graph_of,
    has_path,
    inverted,
    quotient,
    sort,
)

NODES = range(5)
EDGES = st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=12)
KEYS = st.permutations(NODES)


def closure(edges: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """Every pair of nodes with a path from the first to the second."""
    found = {*edges, *((n, n) for n in NODES)}
    while more := {(a, d) for a, b in found for c, d in found if b == c} - found:
        found |= more
    return found


@given(EDGES)
def test_has_path_is_the_transitive_closure(edges: set[tuple[int, int]]) -> None:
    graph, paths = graph_of(NODES, edges), closure(edges)
    assert all(has_path(graph, a, b) == ((a, b) in paths) for a in NODES for b in NODES)


@given(EDGES)
def test_components_are_nodes_with_paths_both_ways(edges: set[tuple[int, int]]) -> None:
    paths = closure(edges)
    expected = {frozenset(b for b in NODES if {(a, b), (b, a)} <= paths) for a in NODES}
    found = list(components(graph_of(NODES, edges)))
    assert {frozenset(c) for c in found} == expected
    assert sum(map(len, found)) == len(NODES)


@given(EDGES, KEYS)
def test_sort_is_the_least_of_all_orders_that_keep_the_edges(
    edges: set[tuple[int, int]], keys: list[int]
) -> None:
    allowed = [
        order
        for order in permutations(NODES)
        if all(order.index(a) < order.index(b) for a, b in edges)
    ]
    graph = graph_of(NODES, edges)
    if not allowed:
        with pytest.raises(CycleError):
            sort(graph, keys.__getitem__)
        return
    least = min(allowed, key=lambda order: [keys[n] for n in order])
    assert sort(graph, keys.__getitem__) == list(least)


@given(EDGES)
def test_a_cycle_is_found_where_there_is_one(edges: set[tuple[int, int]]) -> None:
    graph, paths = graph_of(NODES, edges), closure({(a, b) for a, b in edges if a != b})
    cycle = find_cycle(graph)
    is_cyclic = any(a == b or (b, a) in paths for a, b in edges)
    assert bool(cycle) == is_cyclic
    assert all(end in graph[start] for start, end in pairwise([*cycle, *cycle[:1]]))


@given(EDGES)
def test_a_quotient_keeps_the_edges_between_groups(edges: set[tuple[int, int]]) -> None:
    groups = {n: n % 2 for n in NODES}
    found = quotient(graph_of(NODES, edges), groups)
    assert found == {g: {b % 2 for a, b in edges if a % 2 == g} - {g} for g in (0, 1)}


@given(EDGES)
def test_inverting_twice_changes_nothing(edges: set[tuple[int, int]]) -> None:
    graph = graph_of(NODES, edges)
    assert inverted(inverted(graph)) == graph


def test_a_path_may_be_longer_than_the_stack() -> None:
    graph = graph_of((), ((n, n + 1) for n in range(5000)))
    assert has_path(graph, 0, 5000)
    assert len(list(components(graph))) == 5001
    assert sort(graph, int) == list(range(5001))


def test_nodes_of_a_group_stand_together_as_far_as_edges_allow() -> None:
    graph = graph_of(["a1", "a2", "a4", "b1", "b3"], [("a1", "b1"), ("b1", "a4")])
    assert sort(graph, lambda n: n[1]) == ["a1", "b1", "a2", "b3", "a4"]
    assert sort(graph, lambda n: n[1], lambda n: n[0]) == ["a1", "a2", "b1", "b3", "a4"]
