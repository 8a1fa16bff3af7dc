"""Parse YAML text into nodes by the core schema of YAML 1.2.

https://yaml.org/spec/1.2.2/#103-core-schema: `on`, `no` and dates are text, `010` is ten. PyYAML
reads YAML 1.1, so only its events are used.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from reconciler.declare.commas import CutValue, without_value
from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, Files
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    Value,
    described,
    shortened,
)
from reconciler.declare.syntax_errors import syntax_problem
from reconciler.errors import Position, Problem

MERGE_KEY = "<<"  # of YAML 1.1
MAX_DEPTH = 100  # levels of brackets and indents
MAX_SIZE = 2_000_000  # values in one document, with every alias expanded
MAX_DOCUMENTS = 10_000  # in a file
MAX_REPARSED = 1 << 20  # characters

_OTHER_BREAKS = "\r\x85\u2028\u2029"
_LINE_BREAK = re.compile(f"\r\n|[\n{_OTHER_BREAKS}]")
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")  # characters that PostgreSQL's text cannot hold
_INT = re.compile(  # Python refuses to convert numbers of more digits
    r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}"
)
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_BEGIN_NUMBERS = "+-.0123456789"
_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_BLAMED_ON_START = ("a simple key", "a quoted scalar", "an alias", "an anchor")


def documents(file: Path, problems: list[Problem], files: Files) -> list[Node]:
    """Parse the documents of a file; return none where the file is not YAML in UTF-8."""
    try:
        data = files.read(file, MAX_YAML_SIZE).removeprefix(BOM_UTF8)
    except FileRefused as e:
        message = f"cannot read {file}: {e.reason}"
        problems.append(Problem(message, None, e.hint, "unreadable-file"))
        return []
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        valid = data[: e.start].decode()
        position = _Positions(file, data.decode(errors="replace")).at_index(len(valid))
        problems.append(Problem("not UTF-8", position, "save the file in UTF-8", "not-utf-8"))
        return []
    return _Composer(_Positions(file, text), problems).documents(text)


def lines_of(data: bytes) -> list[str]:
    """Split the content of a file into lines, as positions count them."""
    return _lines(data.removeprefix(BOM_UTF8).decode())


def _lines(text: str) -> list[str]:
    if any(character in text for character in _OTHER_BREAKS):
        return _LINE_BREAK.split(text)
    return text.split("\n")  # a tenth of the time


class _Mark(Protocol):
    line: int
    column: int


class _Positions:
    """Positions in a file, from PyYAML's marks and from indexes into the text."""

    def __init__(self, file: Path, text: str) -> None:
        self.file, self.text, self.lines = file, text, _lines(text)
        self._with_hash = {n for n, line in enumerate(self.lines) if "#" in line}

    def at_mark(self, mark: _Mark | None) -> Position:
        if mark is None:
            return Position(self.file, 1, 1, self.lines[0])
        number = mark.line
        line = self.lines[number] if number < len(self.lines) else ""
        return Position(self.file, number + 1, mark.column + 1, line)

    def comment_after(self, mark: _Mark | None) -> str:
        """Return the comment behind a value without quotes, which ends at the mark."""
        if mark is None or mark.line not in self._with_hash:
            return ""
        rest = self.lines[mark.line][mark.column :]
        return rest.strip() if rest.lstrip().startswith("#") else ""

    def at_index(self, index: int) -> Position:
        before = _LINE_BREAK.split(self.text[:index])
        line = self.lines[len(before) - 1]
        return Position(self.file, len(before), len(before[-1]) + 1, line)


class _OverLimit(Exception):
    """A document is too deep or too large."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


def _parsers(text: str) -> list[Any]:
    """List PyYAML's parsers to try in turn: libyaml, and PyYAML's own, which is slow.

    libyaml's messages differ between versions, and it refuses some escapes. Both yield events as
    they read, so that a document over the limits is not read to the end.
    """
    own = [yaml.SafeLoader] if len(text) <= MAX_REPARSED or not yaml.__with_libyaml__ else []
    return [yaml.CSafeLoader, *own] if yaml.__with_libyaml__ else own


class _Composer:
    """Compose the nodes of a file from PyYAML's events."""

    def __init__(self, positions: _Positions, problems: list[Problem]) -> None:
        self.positions, self.problems = positions, problems
        self.next_event: Callable[[], Event] = StreamEndEvent
        self.depth = 0
        self.cut = CutValue()
        self.anchors: dict[str, Node | None] = {}  # None: the anchored node is not complete yet

    def documents(self, text: str) -> list[Node]:
        before = len(self.problems)
        problem = None
        for parser in _parsers(text):
            del self.problems[before:]
            self.cut = CutValue()
            try:
                return self._parsed(parser(text))
            except yaml.YAMLError as e:
                problem = self.cut.unfinished() or self._syntax_problem(e)
            except _OverLimit as e:
                problem = e.problem
                break
        del self.problems[before:]  # they may follow from this one
        self.problems += [problem] if problem else []
        return []

    def _parsed(self, parser: Any) -> list[Node]:
        """Compose the documents; raises _OverLimit for too many of them, and YAMLError."""
        found: list[Node] = []
        self.next_event, self.depth = parser.get_event, 0
        try:
            while type(event := self.next_event()) is not StreamEndEvent:
                if type(event) is not DocumentStartEvent:
                    continue
                if len(found) == MAX_DOCUMENTS:
                    message = f"more than {MAX_DOCUMENTS:,} documents"
                    raise _OverLimit(self._problem(event, message, rule="too-large"))
                self.anchors.clear()
                found.append(self._node(self.next_event()))
        finally:
            parser.dispose()
        return found

    def _sized(self, node: Entries | Items) -> Entries | Items:
        """Return the node; raises _OverLimit for more values than allowed."""
        if node.size <= MAX_SIZE:
            return node
        message = (
            f"with the values of its aliases, this makes {node.size:,} values;"
            f" {MAX_SIZE:,} are allowed in a document"
        )
        raise _OverLimit(Problem(message, node.position, rule="too-large"))

    def _problem(self, event: Event, message: str, hint: str = "", *, rule: str) -> Problem:
        return Problem(message, self.positions.at_mark(event.start_mark), hint, rule)

    def _report(self, event: Event, message: str, hint: str = "", *, rule: str) -> None:
        self.problems.append(self._problem(event, message, hint, rule=rule))

    def _node(self, event: Event) -> Node:
        if type(event) is ScalarEvent and event.tag is None and event.anchor is None:
            return self._scalar(event, self.positions.at_mark(event.start_mark))
        if isinstance(event, AliasEvent):
            return self._alias(event)
        if not isinstance(event, CollectionStartEvent) and type(event) is not ScalarEvent:
            return self._content(event)
        if event.tag is not None:
            self._report(
                event,
                f"tags such as {event.tag} mean nothing here",
                "leave it out; quotes make text of anything",
                rule="yaml-tag",
            )
        if event.anchor is None:
            return self._content(event)
        self.anchors[event.anchor] = None
        node = self.anchors[event.anchor] = self._content(event)
        return node

    def _content(self, event: Event) -> Node:
        position = self.positions.at_mark(event.start_mark)
        if type(event) is ScalarEvent:
            return self._scalar(event, position)
        if self.depth == MAX_DEPTH:
            message = f"more than {MAX_DEPTH} levels of brackets and indents"
            raise _OverLimit(self._problem(event, message, rule="too-deep"))
        self.depth += 1
        if isinstance(event, SequenceStartEvent):
            items = (*self._items(in_brackets=bool(event.flow_style)),)
            node = Items(position, items, 1 + sum([i.size for i in items]))
        else:
            in_brackets = isinstance(event, MappingStartEvent) and bool(event.flow_style)
            entries = self._entries(in_brackets=in_brackets)
            node = Entries(position, entries, 1 + sum([e.node.size for e in entries.values()]))
        self.depth -= 1
        return node if node.size <= MAX_SIZE else self._sized(node)

    def _scalar(self, event: ScalarEvent, position: Position) -> Scalar:
        text: str = event.value
        if event.style == '"' and _NOT_TEXT.search(text):  # by an escape
            text = _NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
            self._report(
                event,
                "an escape for what is no character of PostgreSQL's text",
                "write the character itself",
                rule="invalid-character",
            )
        if not event.implicit[0]:
            return Scalar(position, text, text)
        comment = self.positions.comment_after(event.end_mark)
        return Scalar(position, resolved_scalar(text), text, 1, comment)

    def _alias(self, event: AliasEvent) -> Node:
        name = event.anchor or ""
        node = self.anchors.get(name)
        if node is not None:
            return node
        if name in self.anchors:
            self._report(event, f"*{name} stands inside what it refers to", rule="invalid-alias")
        else:
            self._report(
                event,
                f"*{name} refers to nothing: no &{name} stands before it",
                "a value that begins with * is quoted",
                rule="invalid-alias",
            )
        return Scalar(self.positions.at_mark(event.start_mark), None, "")

    def _items(self, *, in_brackets: bool) -> list[Node]:
        """Compose the items of a list, and report an item that a comma has cut into several."""
        items: list[Node] = []
        while type(event := self.next_event()) is not SequenceEndEvent:
            node = self._node(event)
            items.append(node)
            if in_brackets and self.cut.extends(event):
                self._end_cut(only_if_closed=True)
            elif in_brackets:
                self.cut.begin(event, node.position)
        if self.cut.position is not None:
            self.cut = CutValue()
        return items

    def _end_cut(self, *, only_if_closed: bool = False) -> None:
        """Report a value that a comma has cut; forget any other."""
        if self.cut.position is None or (only_if_closed and not self.cut.is_closed):
            return
        if self.cut.is_cut:
            self.problems.append(self.cut.problem())
        self.cut = CutValue()

    def _begin_cut(self, event: ScalarEvent, value: Node, key: str | Node | None) -> None:
        source = key.source if isinstance(key, Scalar) else key
        if "(" in event.value and isinstance(source, str):
            self.cut.begin(event, value.position, source)

    def _entries(self, *, in_brackets: bool) -> dict[str, Entry]:
        """Compose the entries of a mapping, without entries of unusable keys."""
        entries: dict[str, Entry] = {}
        next_event = self.next_event
        while type(event := next_event()) is not MappingEndEvent:
            name = _usual_key(event)
            key = self._node(event) if name is None else None
            value_event = next_event()
            if self.cut.position is not None:
                if in_brackets and without_value(value_event) and self.cut.extends(event):
                    self._end_cut(only_if_closed=True)
                    continue
                self._end_cut()
            value = self._node(value_event)
            if in_brackets and type(value_event) is ScalarEvent:
                self._begin_cut(value_event, value, name or key)
            if name is not None and name not in entries:
                entries[name] = Entry(name, self.positions.at_mark(event.start_mark), value)
                continue
            key = key or self._node(event)
            if problem := _key_problem(event, key, entries):
                self.problems.append(problem)
            elif (name := key_text(key)) is not None:
                entries[name] = Entry(name, key.position, value)
        self._end_cut()
        return entries

    def _syntax_problem(self, error: yaml.YAMLError) -> Problem:
        if isinstance(error, yaml.reader.ReaderError):
            return syntax_problem(str(error.reason), self.positions.at_index(error.position), "")
        if not isinstance(error, yaml.MarkedYAMLError):
            return syntax_problem(str(error), self.positions.at_mark(None), "")
        start = self.positions.at_mark(error.context_mark)
        at_start = str(error.context).endswith(_BLAMED_ON_START)
        position = start if at_start else self.positions.at_mark(error.problem_mark)
        return syntax_problem(error.problem or "", position, f"at line {start.line}")


def key_text(key: Node) -> str | None:
    """Return a key as text, numbers included; None for a mapping, a list, a boolean or null."""
    if not isinstance(key, Scalar) or key.value is None or isinstance(key.value, bool):
        return None
    return key.source


def _usual_key(event: Event) -> str | None:
    """Return a key that is text by its spelling, and no merge key; None for any other event."""
    if type(event) is not ScalarEvent or event.style == '"':
        return None
    if event.tag is not None or event.anchor is not None:
        return None
    text: str = event.value
    is_text = text != MERGE_KEY and text not in _CONSTANTS
    return text if is_text or not event.implicit[0] else None


def _key_problem(event: Event, key: Node, entries: Mapping[str, Entry]) -> Problem | None:
    """Return the problem of a key other than text, a merge key, or a repetition."""
    if not isinstance(key, Scalar):
        message = f"expected a key that is text, got {described(key)}"
        return Problem(message, key.position, rule="invalid-key")
    name = key_text(key)
    if name is None:
        message = f"expected a key that is text, got {described(key)}"
        return Problem(message, key.position, f"quote it: '{shortened(key.source)}'", "invalid-key")
    unquoted = isinstance(event, ScalarEvent) and event.implicit[0]
    if unquoted and name == MERGE_KEY:
        message = "merge keys (<<) are not part of YAML 1.2"
        return Problem(message, key.position, "write out the keys that are meant", "merge-key")
    if name in entries:
        first = entries[name].position.line
        shown = shortened(name, MAX_NAME_SHOWN)
        message = f"'{shown}' is given twice, at line {first} and at line {key.position.line}"
        return Problem(message, key.position, "keep one of the two", "duplicate-key")
    return None


def resolved_scalar(text: str) -> Value:
    """Convert unquoted text to a value by YAML 1.2's core schema."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _BEGIN_NUMBERS:
        return text
    if _INT.fullmatch(text):
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
    return text
