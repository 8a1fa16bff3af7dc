"""Parse pg_node_tree, PostgreSQL's own parsed form of expressions and queries.

The catalogs hold it for policies, checks, defaults, indexes, views and SQL-standard bodies; the
format is that of PostgreSQL's nodeToString(): `{OPEXPR :opno 96 :args ({VAR …} {CONST …})}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TypeAlias

_TOKEN = re.compile(r'[{}()]|"(?:[^"\\]|\\.)*"|(?:[^\s{}()\\]|\\.)+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
KNOWN = 4096  # trees that are parsed once
VARIABLE_LENGTH = 4  # bytes of the header of a text constant
EXISTS, ALL, ANY, EXPRESSION, ARRAY = 0, 1, 2, 4, 6  # types of sub-queries
RELATION, FUNCTION = 0, 3  # kinds of range table entries

Value: TypeAlias = "Node | list[Value] | str | None"


@dataclass(frozen=True)
class Node:
    """A node with its fields; a field holds a node, a list, or a text.

    `inner` are the nodes directly below, in the order of the fields.
    """

    kind: str
    fields: dict[str, Value] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]
    inner: Sequence[Node] = ()

    def text(self, key: str) -> str:
        """Return a field as text, "" if it is absent or no text."""
        value = self.fields.get(key)
        return value if isinstance(value, str) else ""

    def number(self, key: str) -> int:
        """Return a number, 0 if it is absent."""
        value = self.text(key)
        return int(value) if value.lstrip("-").isdigit() else 0

    def is_true(self, key: str) -> bool:
        """Tell whether a Boolean field is true."""
        return self.text(key) == "true"

    def child(self, key: str) -> Node | None:
        """Return a field that holds a node."""
        value = self.fields.get(key)
        return value if isinstance(value, Node) else None

    def children(self, key: str) -> list[Node]:
        """Return the nodes of a list."""
        value = self.fields.get(key)
        return [v for v in value if isinstance(v, Node)] if isinstance(value, list) else []

    def walk(self, outside: Callable[[Node], bool] = lambda _: False) -> Iterator[Node]:
        """Yield the node and all nodes below, but for nodes `outside` and what is below these."""
        waiting: list[Node] = [self]
        while waiting:
            node = waiting.pop()
            if not outside(node):
                yield node
                waiting += node.inner

    def of(self, *kinds: str) -> Iterator[Node]:
        """Yield the nodes of the kinds from here downwards."""
        return (n for n in self.walk() if n.kind in kinds)

    @cached_property
    def function(self) -> int:
        """The oid of the function behind a call or operator, or 0."""
        return self.number("funcid") or self.number("opfuncid") or self.number("aggfnoid")

    @cached_property
    def relations(self) -> Set[int]:
        """The oids of the relations read in sub-queries below this node."""
        entries = self.of("RTE", "RANGETBLENTRY")
        return {e.number("relid") for e in entries if e.number("rtekind") == RELATION} - {0}

    @cached_property
    def columns_read(self) -> Set[tuple[int, int]]:
        """The columns that sub-queries below this node read: relation's oid and number."""
        found = set[tuple[int, int]]()
        waiting: list[tuple[Node, tuple[Sequence[Node], ...]]] = [(self, ())]
        while waiting:
            node, tables = waiting.pop()
            if node.kind == "QUERY":
                tables = (node.children("rtable"), *tables)
            level, entry = node.number("varlevelsup"), node.number("varno") - 1
            if node.kind == "VAR" and level < len(tables) and 0 <= entry < len(tables[level]):
                found.add((tables[level][entry].number("relid"), node.number("varattno")))
            waiting += ((inner, tables) for inner in node.inner)
        return found

    @cached_property
    def columns(self) -> Set[int]:
        """The numbers of the columns of the row that the expression is about."""
        return {v.number("varattno") for v in _outer_variables(self)}

    @cached_property
    def bytes(self) -> bytes:
        """The bytes of a constant, with the length header of types of variable length."""
        value = self.fields.get("constvalue")
        found = value if isinstance(value, list) else []
        return bytes(int(v) & 255 for v in found if isinstance(v, str))

    @property
    def constant(self) -> str:
        """The text of a constant of a type with variable length, else ""."""
        return self.bytes[VARIABLE_LENGTH:].decode(errors="replace")


def _outer_variables(node: Node) -> Iterator[Node]:
    """Yield the variables of the row outside all sub-queries."""
    waiting = [(node, 0)]
    while waiting:
        found, depth = waiting.pop()
        if found.kind == "VAR" and found.number("varlevelsup") == depth:
            yield found
        below = depth + (found.kind == "QUERY")
        waiting += ((inner, below) for inner in found.inner)


def _nodes(values: Iterable[Value]) -> Iterator[Node]:
    for value in values:
        if isinstance(value, str):  # nearly all
            continue
        if isinstance(value, Node):
            yield value
        elif value is not None:
            yield from _nodes(value)


@lru_cache(maxsize=KNOWN)
def parse(tree: str | None) -> Sequence[Node]:
    """Parse the nodes of a pg_node_tree: an expression or a list of expressions.

    The same policy, check or index on many tables has the same tree, which is parsed once.
    """
    if not tree:
        return ()
    stack: list[tuple[Node | None, list[Value]]] = [(None, [])]
    for word in _TOKEN.findall(tree):
        if word in "{(":
            stack.append((None, []))
            if word == "{":
                stack[-1] = (Node(""), [])
        elif word in "})":
            node, values = stack.pop()
            stack[-1][1].append(values if node is None else _node(values))
        else:
            stack[-1][1].append(word)
    return [*_nodes(stack[0][1])]


def _node(values: list[Value]) -> Node:
    """Make a node of its name and of keys, each followed by a value."""
    found: dict[str, Value] = {}
    key, held = "", list[Value]()
    for value in [*values[1:], ":"]:
        if isinstance(value, str) and value.startswith(":"):
            if key:
                found[key] = _field(held)
            key, held = value[1:], []
        else:
            held.append(value)
    return Node(str(values[0]), found, [*_nodes(values)])


def _field(held: list[Value]) -> Value:
    """Return the value of a key; the bytes of a constant are a list after their number."""
    if len(held) != 1:
        return held[2:-1] if held else None
    value = held[0]
    if not isinstance(value, str):
        return value
    if value == "<>":
        return None
    return _ESCAPED.sub(r"\1", value.strip('"')) if value[0] == '"' or "\\" in value else value
