"""Order a directed graph: paths, strongly connected components, topological order by key.

A graph maps each node to its successors; every node is a key.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Set
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

Node = TypeVar("Node", bound=Hashable)
Group = TypeVar("Group", bound=Hashable)
Graph = Mapping[Node, Set[Node]]


def graph_of(nodes: Iterable[Node], edges: Iterable[tuple[Node, Node]]) -> dict[Node, set[Node]]:
    """Return the graph of `nodes` and of the ends of `edges`."""
    graph: dict[Node, set[Node]] = {node: set() for node in nodes}
    for start, end in edges:
        graph.setdefault(start, set()).add(end)
        graph.setdefault(end, set())
    return graph


def inverted(graph: Graph[Node]) -> dict[Node, set[Node]]:
    """Return the graph with every edge reversed: a map of nodes to predecessors."""
    return graph_of(graph, ((end, start) for start, ends in graph.items() for end in ends))


def has_path(graph: Graph[Node], start: Node, end: Node) -> bool:
    """Tell whether edges lead from `start` to `end`."""
    return end in _reachable(graph, start, set())


def components(graph: Graph[Node]) -> Iterator[list[Node]]:
    """Yield the strongly connected components, groups of mutually reachable nodes.

    By Kosaraju's algorithm. A node on no cycle is a component by itself.
    """
    visited: set[Node] = set()
    finished = [node for start in graph for node in _reachable(graph, start, visited)]
    backward, assigned = inverted(graph), set[Node]()
    for node in reversed(finished):
        if component := _reachable(backward, node, assigned):
            yield component


def quotient(graph: Graph[Node], group_of: Mapping[Node, Group]) -> dict[Group, set[Group]]:
    """Return the graph of groups, with an edge for each edge between nodes of two groups."""
    edges = ((group_of[start], group_of[end]) for start, ends in graph.items() for end in ends)
    return graph_of(group_of.values(), ((a, b) for a, b in edges if a != b))


def find_cycle(graph: Graph[Node]) -> list[Node]:
    """Return the nodes of a cycle, each before the next; an empty list without a cycle."""
    try:
        TopologicalSorter(inverted(graph)).prepare()
    except CycleError as error:
        return error.args[1][:-1]
    return []


def sort(
    graph: Graph[Node],
    key: Callable[[Node], Any],
    group: Callable[[Node], Hashable] | None = None,
) -> list[Node]:
    """Sort the nodes topologically; among nodes without open predecessors, the least `key` first.

    With `group`, nodes of the group of the node before come first. Raises graphlib.CycleError if
    no order works.
    """
    if len(graph) == 1:
        return list(graph)
    sorter = TopologicalSorter(inverted(graph))
    sorter.prepare()
    serial = count()  # so that nodes of equal keys are not compared
    ready: list[tuple[Any, int, Node]] = []
    of_group: dict[Hashable, list[tuple[Any, int, Node]]] = {}
    order: dict[Node, None] = {}
    current: Hashable = None
    new = sorter.get_ready()
    while new or len(order) < len(graph):
        for node in new:
            entry = (key(node), next(serial), node)
            heappush(ready, entry)
            heappush(of_group.setdefault(group(node) if group else None, []), entry)
        node = _next_unsorted(of_group.get(current, []), order)
        if node is None:
            node = _next_unsorted(ready, order)
        assert node is not None
        current = group(node) if group else None
        order[node] = None
        sorter.done(node)
        new = sorter.get_ready()
    return list(order)


def _next_unsorted(
    heap: list[tuple[Any, int, Node]], sorted_nodes: Collection[Node]
) -> Node | None:
    """Remove the least node that is not sorted yet from a heap."""
    while heap:
        _, _, node = heappop(heap)
        if node not in sorted_nodes:
            return node
    return None


def _reachable(graph: Graph[Node], start: Node, visited: set[Node]) -> list[Node]:
    """List the nodes on paths from `start` without a visited node, successors first.

    Depth first and without recursion, since a path may be longer than Python's stack. Each node
    found is added to `visited`.
    """
    found: list[Node] = []
    if start in visited:
        return found
    visited.add(start)
    stack = [(start, iter(graph[start]))]
    while stack:
        _, successors = stack[-1]
        unvisited = next((s for s in successors if s not in visited), None)
        if unvisited is None:
            found.append(stack.pop()[0])
        else:
            visited.add(unvisited)
            stack.append((unvisited, iter(graph[unvisited])))
    return found
