"""A YAML document as nodes with positions: scalars, lists and mappings.

Nothing changes a node; the classes are not frozen, because that makes creating one twice as slow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from reconciler.errors import Position, Problem

MAX_SHOWN = 40  # characters of a value in a message
MAX_NAME_SHOWN = 80  # characters of a key or a name

_PRIVILEGES = ("grant", "grants", "privileges")
_OF_OBJECTS = (
    "privileges stand in the entry of their object, such as a table:"
    " t: {grants: {reader: [select]}}; "
)

Value = str | int | float | bool | None


@dataclass(eq=False, slots=True)
class Scalar:
    """A scalar: the value by YAML's rules, and the text in the file.

    A field that takes text takes `source` where a person wrote `0` or `false` without quotes.
    `comment` is that behind a value without quotes, on the same line.
    """

    position: Position
    value: Value
    source: str
    size: int = 1
    comment: str = ""


@dataclass(eq=False, slots=True)
class Items:
    """A list; `size` counts all scalars, lists and mappings in the node."""

    position: Position
    items: tuple[Node, ...] = ()
    size: int = 1


@dataclass(eq=False, slots=True)
class Entries:
    """A mapping; `size` counts all scalars, lists and mappings in the node."""

    position: Position
    entries: Mapping[str, Entry] = field(default_factory=dict[str, "Entry"])
    size: int = 1


Node = Scalar | Items | Entries


@dataclass(eq=False, slots=True)
class Entry:
    """A key of a mapping with the key's position and the value."""

    key: str
    position: Position
    node: Node


def plain(node: Node) -> object:
    """Convert a node to str, int, float, bool, None, list and dict."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(i) for i in node.items]
    return {k: plain(e.node) for k, e in node.entries.items()}


def described(node: Node) -> str:
    """Describe a node for a message: `got a list`, `got a string 'x'`, `got the number 5`."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Entries):
        return "a mapping"
    if isinstance(node.value, str):
        return f"a string {shortened(node.value)!r}"
    if node.value is None:
        return "nothing"
    source = shortened(node.source)
    return source if isinstance(node.value, bool) else f"the number {source}"


def shortened(text: str, length: int = MAX_SHOWN) -> str:
    """Return the beginning of a text for a message."""
    return text if len(text) <= length else text[: length - 1] + "…"


def unknown(
    title: str, key: str, position: Position, accepted: Iterable[str], advice: str = ""
) -> Problem:
    """Make the problem of a key or a name outside `accepted`, with the nearest spelling.

    `advice` tells what does what the key means elsewhere, and stands instead of all other hints.
    """
    accepted = sorted(accepted)
    key = shortened(key, MAX_NAME_SHOWN)
    if advice:
        return Problem(f"{title} '{key}'", position, advice, "unknown-key")
    nearest = get_close_matches(key.lower(), accepted, 1)
    suggestion = f"did you mean '{nearest[0]}'? " if nearest else ""
    if key.lower() in _PRIVILEGES and "grants" not in accepted:
        suggestion = _OF_OBJECTS
    if not nearest and _follows_comma(position, key):
        suggestion = "a comma ends a value in brackets: quote the value if this is part of it; "
    return Problem(
        f"{title} '{key}'", position, f"{suggestion}accepted: {', '.join(accepted)}", "unknown-key"
    )


def _follows_comma(position: Position, key: str) -> bool:
    """Tell whether a key has a comma before it, and no colon after it."""
    before = position.text[: position.column - 1].rstrip()
    after = position.text[position.column - 1 :].removeprefix(key).lstrip()
    return before.endswith(",") and after[:1] in (",", "}")


def duplicate(title: str, position: Position, first: Position | None, state: str = "") -> Problem:
    """Make the problem of a second declaration; `state` is ` absent` or ` present` where known."""
    message = f"{title} is already declared{state} at {first}"
    return Problem(message, position, "keep one of the two", "declared-twice")


def mapping_entries(
    node: Node, title: str, hint: str, problems: list[Problem]
) -> Collection[Entry]:
    """Return the entries of a mapping; nothing (`key:`) is an empty mapping."""
    if isinstance(node, Entries):
        return node.entries.values()
    if plain(node) is not None:
        message = f"{title}: expected a mapping, got {described(node)}"
        problems.append(Problem(message, node.position, hint, "wrong-type"))
    return ()
