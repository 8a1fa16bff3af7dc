"""YAML text → nodes.

It is read as YAML 1.2 reads it (https://yaml.org/spec/1.2.2/#103-core-schema): `on`, `no` and dates are text, `010` is ten.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

import yaml

from reconciler.errors import Position, Problem

DEEPEST = 100  # brackets and indents inside one another
LARGEST = 1_000_000  # values in one document, aliases counted as what they stand for

Value = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Scalar:
    """One value, and the text that stands for it, for where text is wanted and `0` or `false` is written."""

    at: Position
    value: Value
    source: str
    weight: int = 1


@dataclass(frozen=True, eq=False)
class Items:
    """A list."""

    at: Position
    items: tuple[Node, ...] = ()
    weight: int = 1


@dataclass(frozen=True, eq=False)
class Entries:
    """A mapping."""

    at: Position
    entries: Mapping[str, Entry] = field(default_factory=dict[str, "Entry"])
    weight: int = 1


Node = Scalar | Items | Entries


@dataclass(frozen=True, eq=False)
class Entry:
    """A key with its value; `at` is the key's place."""

    key: str
    at: Position
    node: Node


# -- text → nodes --------------------------------------------------------------------------------------------------------

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_UNHEARD_OF = re.compile("[\0\ud800-\udfff]")
_INT = re.compile(
    r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}"
)  # Python refuses to read endless digits
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}

_QUOTE = "put the value in quotes, or in a block below a |"
_REFUSED = (  # what PyYAML says, what we say, what would do
    (r"character '\\t'", "a tab where YAML allows only spaces", "indent with spaces"),
    (r"character (.+) that cannot start any token", r"a value cannot begin with \1", _QUOTE),
    (
        r"mapping values are not allowed here",
        "a ':' where no key can stand",
        f"{_QUOTE}; a key lines up with the keys before it",
    ),
    (
        r"could not find expected ':'",
        "a key without its ':'",
        "write key: value; long text goes in a block below a |, indented",
    ),
    (
        r"found unexpected end of stream",
        "a quoted text that is never closed",
        "close it with the quote that it begins with",
    ),
    (
        r"unknown escape character (.+)",
        r"\1 after \\ is no escape between double quotes",
        "use single quotes, or double the backslash",
    ),
    (
        r"expected ',' or '(.)', but got .*",
        r"expected ',' or '\1' in the brackets opened {}",
        "quote what holds brackets or commas",
    ),
    (
        r"expected <block end>, but found .*",
        "this does not continue what began {}",
        "keys line up; text ends with its quote",
    ),
    (
        r"sequence entries are not allowed here",
        "a '-' where no list can begin",
        "begin the list on a line of its own, or quote the value",
    ),
    (
        r"expected alphabetic or numeric character, but found .*",
        "'*' and '&' begin the name of an anchor",
        _QUOTE,
    ),
    (
        r"expected '<document start>', but found .*",
        "the document has ended above",
        "--- begins another one",
    ),
    (
        r"expected the node content, but found (.+)",
        r"expected a value, got \1",
        "close what is open; quote brackets that are text",
    ),
    (
        r"special characters are not allowed",
        "a character that YAML does not allow",
        "write it as an escape between double quotes",
    ),
)


def documents(file: Path, problems: list[Problem]) -> list[Node]:
    """The documents of a file; none where it is not YAML in UTF-8."""
    try:
        data = file.read_bytes().removeprefix(BOM_UTF8)
    except OSError as e:
        problems.append(Problem(f"cannot read {file}: {e.strerror}"))
        return []
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        place = _Places(file, data.decode(errors="replace")).at(len(data[: e.start].decode()))
        problems.append(Problem("not UTF-8", place, "save the file in UTF-8"))
        return []
    return _Composer(_Places(file, text), problems).documents(text)


class _Mark(Protocol):
    line: int
    column: int


class _Places:
    """What turns PyYAML's places into ours."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.text, self.lines = file, text, _BREAK.split(text)

    def of(self, mark: _Mark | None) -> Position:
        if mark is None:
            return Position(self.file, 1, 1, self.lines[0])
        text = self.lines[mark.line] if mark.line < len(self.lines) else ""
        return Position(self.file, mark.line + 1, mark.column + 1, text)

    def at(self, index: int) -> Position:
        before = _BREAK.split(self.text[:index])
        return Position(self.file, len(before), len(before[-1]) + 1, self.lines[len(before) - 1])


def _events(text: str) -> list[yaml.Event]:
    """Parse with libyaml where PyYAML has it; PyYAML's own parser has the errors that are the same everywhere."""
    if yaml.__with_libyaml__:
        try:
            return list(yaml.parse(text, Loader=yaml.CSafeLoader))
        except yaml.YAMLError:
            pass
    return list(yaml.parse(text, Loader=yaml.SafeLoader))


class _Composer:
    """Turns one file's events into nodes."""

    def __init__(self, places: _Places, problems: list[Problem]) -> None:
        self.places, self.problems = places, problems
        self.events: Iterator[yaml.Event] = iter(())
        self.anchors: dict[str, Node | None] = {}

    def documents(self, text: str) -> list[Node]:
        try:
            events = _events(text)
        except yaml.YAMLError as e:
            self.problems.append(self._refusal(e))
            return []
        if deep := _too_deep(events):
            self._blame(deep, f"more than {DEEPEST} levels of brackets and indents")
            return []
        self.events = iter(events)
        return [
            self._document() for event in self.events if isinstance(event, yaml.DocumentStartEvent)
        ]

    def _document(self) -> Node:
        self.anchors.clear()
        node = self._node(next(self.events))
        if node.weight <= LARGEST:
            return node
        message = (
            f"its aliases make {node.weight:,} values of this document; {LARGEST:,} are allowed"
        )
        self.problems.append(Problem(message, node.at))
        return Scalar(node.at, None, "")

    def _blame(self, event: yaml.Event, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, self.places.of(event.start_mark), hint))

    def _node(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        tag, anchor = (
            (event.tag, event.anchor)
            if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent)
            else (None, None)
        )
        if tag is not None:
            self._blame(
                event,
                f"tags such as {tag} mean nothing here",
                "leave it out; quotes make text of anything",
            )
        if anchor is not None:
            self.anchors[anchor] = None
        node = self._content(event, self.places.of(event.start_mark))
        if anchor is not None:
            self.anchors[anchor] = node
        return node

    def _content(self, event: yaml.Event, at: Position) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            text = _UNHEARD_OF.sub("\N{REPLACEMENT CHARACTER}", event.value)
            if text != event.value:
                self._blame(
                    event,
                    "an escape for what is no character of PostgreSQL's text",
                    "write the character itself",
                )
            return Scalar(at, _resolved(text) if event.implicit[0] else text, text)
        if isinstance(event, yaml.SequenceStartEvent):
            items = tuple(self._node(e) for e in self._until(yaml.SequenceEndEvent))
            return Items(at, items, 1 + sum(i.weight for i in items))
        entries = self._entries()
        return Entries(at, entries, 1 + sum(e.node.weight for e in entries.values()))

    def _until(self, end: type[yaml.Event]) -> Iterator[yaml.Event]:
        for event in self.events:
            if isinstance(event, end):
                return
            yield event

    def _alias(self, event: yaml.AliasEvent) -> Node:
        name = event.anchor or ""
        found = self.anchors.get(name)
        if found is not None:
            return found
        if name in self.anchors:
            self._blame(event, f"*{name} stands inside what it refers to")
        else:
            self._blame(
                event,
                f"*{name} refers to nothing: no &{name} stands before it",
                "a value that begins with * is quoted",
            )
        return Scalar(self.places.of(event.start_mark), None, "")

    def _entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        for event in self._until(yaml.MappingEndEvent):
            plain = isinstance(event, yaml.ScalarEvent) and event.implicit[0]
            key, value = self._node(event), self._node(next(self.events))
            name = key.value if isinstance(key, Scalar) else None
            if not isinstance(name, str):
                hint = f"quote it: '{key.source}'" if isinstance(key, Scalar) else ""
                self.problems.append(
                    Problem(f"expected a key that is text, got {described(key)}", key.at, hint)
                )
            elif plain and name == "<<":
                self.problems.append(
                    Problem(
                        "merge keys (<<) are not part of YAML 1.2",
                        key.at,
                        "write out the keys that are meant",
                    )
                )
            elif name in found:
                message = f"'{name}' is given twice, at line {found[name].at.line} and at line {key.at.line}"
                self.problems.append(Problem(message, key.at, "keep one of the two"))
            else:
                found[name] = Entry(name, key.at, value)
        return found

    def _refusal(self, error: yaml.YAMLError) -> Problem:
        if isinstance(error, yaml.reader.ReaderError):
            return _in_our_words(str(error.reason), self.places.at(error.position), "")
        if not isinstance(error, yaml.MarkedYAMLError):
            return _in_our_words(str(error), self.places.of(None), "")
        opened = self.places.of(error.context_mark)
        begun = str(error.context).endswith(
            ("a simple key", "a quoted scalar", "an alias", "an anchor")
        )  # blame the beginning
        at = opened if begun else self.places.of(error.problem_mark)
        return _in_our_words(error.problem or "", at, f"at line {opened.line}")


def _in_our_words(said: str, at: Position, began: str) -> Problem:
    for pattern, message, hint in _REFUSED:
        if match := re.search(pattern, said):
            return Problem(f"not YAML: {match.expand(message).replace('{}', began)}", at, hint)
    return Problem(f"not YAML: {said}", at)


def _too_deep(events: Iterable[yaml.Event]) -> yaml.Event | None:
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(
            event, yaml.CollectionEndEvent
        )
        if depth > DEEPEST:
            return event
    return None


def _resolved(text: str) -> Value:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    return float(re.sub(r"\.(?=inf|nan)", "", text.lower())) if _FLOAT.fullmatch(text) else text


# -- nodes in words ------------------------------------------------------------------------------------------------------


def plain(node: Node) -> object:
    """The node as plain data."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(i) for i in node.items]
    return {k: plain(e.node) for k, e in node.entries.items()}


def described(node: Node) -> str:
    """What stands there, in words that follow "got"."""
    if not isinstance(node, Scalar):
        return "a list" if isinstance(node, Items) else "a mapping"
    if isinstance(node.value, str):
        shown = node.value if len(node.value) <= 40 else node.value[:39] + "…"
        return f"a string {shown!r}"
    if node.value is None:
        return "nothing"
    return node.source if isinstance(node.value, bool) else f"the number {node.source}"


def unknown(what: str, key: str, at: Position, accepted: Iterable[str]) -> Problem:
    """The problem of a key or name that is none of the accepted ones."""
    accepted = sorted(accepted)
    near = get_close_matches(key, accepted, 1)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return Problem(f"{what} '{key}'", at, f"{meant}accepted: {', '.join(accepted)}")
