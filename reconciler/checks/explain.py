"""Read the plan of a query as EXPLAIN prints it in JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

_PER_LOOP = ("Filter", "Join Filter")  # evaluated for every row that comes, removed or not
_PER_SCAN = ("Index Cond", "One-Time Filter", "Function Call", "TID Cond", "Order By")
_APART = ("InitPlan", "SubPlan")  # subqueries that are not what the query is about


@dataclass(frozen=True)
class Node:
    """A node of a plan. `fields` are EXPLAIN's; averages of numbers are per loop."""

    fields: Mapping[str, Any]

    @cached_property
    def children(self) -> tuple[Node, ...]:
        """The nodes from which this node reads."""
        return tuple(Node(child) for child in self.fields.get("Plans", ()))

    def walk(self) -> Iterator[Node]:
        """Yield this node and all below."""
        yield self
        for child in self.children:
            yield from child.walk()

    def text(self, key: str) -> str:
        """Return a field as text; "" if the node has none."""
        return str(self.fields.get(key, ""))

    def number(self, key: str) -> float:
        """Return a field as a number; 0 if the node has none."""
        return float(self.fields.get(key, 0))

    @property
    def loops(self) -> float:
        """How often the node was run."""
        return self.number("Actual Loops")

    @property
    def came(self) -> float:
        """The rows that came to the node's filter, over all loops."""
        removed = [key for key in self.fields if key.startswith("Rows Removed by ")]
        return (self.number("Actual Rows") + sum(map(self.number, removed))) * self.loops

    @property
    def came_out(self) -> float:
        """The rows that the node returned, over all loops."""
        return self.number("Actual Rows") * self.loops

    @property
    def pages(self) -> int:
        """The pages that the node and all below read."""
        kinds = ("Shared Hit", "Shared Read", "Local Hit", "Local Read")
        return int(sum(self.number(f"{kind} Blocks") for kind in kinds))

    def rows_read(self) -> float:
        """Count the rows that scans of tables read, removed ones included."""
        return sum(node.came for node in self.walk() if node.text("Relation Name"))

    def rows_found(self) -> float:
        """Count the rows that the scans of the query itself returned, without subqueries."""
        if self.text("Parent Relationship") in _APART:
            return 0
        own = self.came_out if self.text("Relation Name") else 0
        return own + sum(child.rows_found() for child in self.children)

    def calls(self, function: str) -> float:
        """Count how often a function is evaluated, going by where it stands in the plan.

        Functions that other functions call are not seen.
        """
        named = re.compile(rf'(?<![\w$"]){re.escape(function)}"?\(')
        return sum(node._own_calls(named) for node in self.walk())  # noqa: SLF001

    def _own_calls(self, named: re.Pattern[str]) -> float:
        def found(text: str) -> int:
            return len(named.findall(text))

        calls = sum(found(self.text(key)) * self.came for key in _PER_LOOP)
        calls += sum(found(self.text(key)) * self.loops for key in _PER_SCAN)
        below = {_bare(item) for child in self.children for item in child.outputs}
        computed = (item for item in self.outputs if _bare(item) not in below)
        return calls + sum(found(item) for item in computed) * self.came_out

    @property
    def outputs(self) -> Sequence[str]:
        """The expressions that the node returns, as EXPLAIN VERBOSE prints them."""
        return cast("Sequence[str]", self.fields.get("Output", ()))


def _bare(item: str) -> str:
    """Return an expression without the parentheses by which EXPLAIN shows it as computed below."""
    return item[1:-1] if item.startswith("(") and item.endswith(")") else item


@dataclass(frozen=True)
class Explained:
    """The plan of a query that was run, and the times in milliseconds."""

    top: Node
    planning: float
    execution: float

    @property
    def milliseconds(self) -> float:
        """The time of the server for the query."""
        return self.planning + self.execution


def explained(document: Any) -> Explained:
    """Read the document of EXPLAIN (FORMAT JSON)."""
    (content,) = document
    return Explained(
        Node(content["Plan"]),
        float(content.get("Planning Time", 0)),
        float(content.get("Execution Time", 0)),
    )
