"""Dump YAML as people write it: short collections in brackets, long text in blocks.

Text is quoted where YAML 1.2 or YAML 1.1 takes it for something else, as YAML 1.1 does with `on`.
PyYAML says how a text may be written, and folds long lines; its emitter of whole documents takes
ten times as long.
"""

from __future__ import annotations

import io
import re
from functools import lru_cache
from typing import Any, TypeGuard, cast

from yaml.emitter import Emitter
from yaml.nodes import ScalarNode
from yaml.representer import SafeRepresenter
from yaml.resolver import Resolver

from reconciler.declare.parse import MERGE_KEY, resolved_scalar
from reconciler.escape import has_hidden

WIDTH = 120  # characters after which a line is folded
MAX_FLOW_WIDTH = 100  # characters of a mapping in brackets
INDENT = 2
MAX_KEY_LENGTH = 1000  # YAML requires the colon of a key within 1024 characters
MAX_REMEMBERED = 1 << 16  # texts
_NOT_PRINTABLE = re.compile(  # https://yaml.org/spec/1.2.2/#51-character-set, without line breaks
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


class Block(str):
    """Text for a literal block."""

    __slots__ = ()


class Folded(Block):
    """Text for a folded block: each line break is read as a space.

    No line is empty, or begins or ends with a space.
    """

    __slots__ = ()


class Section(dict[str, Any]):
    """Named entries, each on a line."""

    __slots__ = ()


class Literal(str):
    """SQL with the form of a YAML number or boolean, written without quotes."""

    __slots__ = ()


class Verbatim(str):
    """YAML written as it stands."""

    __slots__ = ()


def dump_yaml(content: dict[str, Any]) -> str:
    """Dump a document."""
    return _Writer().document(content)


class _Writer:
    """Write a document line by line.

    A value stands beside its key, or below the key by another level of `INDENT`. `column` is the
    number of characters on the line; in an empty one, nothing but a further line may begin.
    """

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.column = 0
        self.is_empty = True  # the line
        self.is_open = False  # a block ends the document, with line breaks that belong to the text

    def document(self, content: dict[str, Any]) -> str:
        """Return the text of a document."""
        if content:
            self._entries(content, 0)
        else:
            self._add("{}")
        if not self.is_empty:
            self.parts.append("\n")
        return "".join([*self.parts, *(["...\n"] if self.is_open else [])])

    def _add(self, text: str) -> None:
        self.parts.append(text)
        self.column += len(text)
        self.is_empty = self.is_open = False

    def _line(self, indent: int) -> None:
        """Begin a line."""
        if not self.is_empty:
            self.parts.append("\n")
        self.parts.append(" " * indent)
        self.column, self.is_empty = indent, False

    # -- collections with a line for each entry or item --------------------------------------------

    def _entries(self, mapping: dict[str, Any], indent: int, *, beside: bool = False) -> None:
        """Write the entries of a mapping; the first stands `beside` a dash."""
        for key, value in mapping.items():
            if not beside:
                self._line(indent)
            beside = False
            shown = _text_on_line(key, in_brackets=False)
            if len(shown) < MAX_KEY_LENGTH:
                self._add(f"{shown}:")
                self._below_key(value, indent, len(key))
            else:
                self._add("? ")
                self._short(key, indent + INDENT)
                self._line(indent)
                self._add(":")
                self._beside_dash(value, indent, len(key))

    def _below_key(self, value: Any, indent: int, key_width: int) -> None:
        """Write the value of a key; the items of a list stand straight below the key."""
        if _is_mapping(value) and not _fits_in_brackets(value, key_width):
            self._entries(value, indent + INDENT)
        elif _is_list(value) and not _is_flat(value):
            for item in value:
                self._line(indent)
                self._add("-")
                self._beside_dash(item, indent)
        else:
            self._beside(value, indent + INDENT)

    def _beside_dash(self, value: Any, indent: int, key_width: int = 0) -> None:
        """Write an item of a list, whose entries or items stand below one another."""
        if _is_mapping(value) and not _fits_in_brackets(value, key_width):
            self._add(" ")
            self._entries(value, indent + INDENT, beside=True)
        elif _is_list(value) and not _is_flat(value):
            for number, item in enumerate(value):
                if number:
                    self._line(indent + INDENT)
                self._add("-" if number else " -")
                self._beside_dash(item, indent + INDENT)
        else:
            self._beside(value, indent + INDENT)

    def _beside(self, value: Any, indent: int) -> None:
        self._add(" ")
        if _is_in_block(value):
            self._block(value, indent)
        else:
            self._short(value, indent)

    def _block(self, text: Block, indent: int) -> None:
        """Write a block, with the indentation where the text begins with a space or tab."""
        begins_blank = re.match(r"\n*[ \t]", text)
        ending = "-" if text[-1] != "\n" else "+" if text.endswith("\n\n") else ""
        style = ">" if isinstance(text, Folded) else "|"
        self._add(f"{style}{INDENT if begins_blank else ''}{ending}")
        for line in text.removesuffix("\n").split("\n"):
            self.parts.append(f"\n{' ' * indent}{line}" if line else "\n")
        self.parts.append("\n")
        self.column, self.is_empty, self.is_open = 0, True, ending == "+"

    # -- scalars, and collections in brackets ------------------------------------------------------

    def _short(self, value: Any, indent: int, *, in_brackets: bool = False) -> None:
        """Write a value on a line, folded where the line is too long."""
        shown = _on_line(value, in_brackets=in_brackets)
        is_short = self.column + len(shown) <= WIDTH
        if not is_short and isinstance(value, str):
            self._folded(value, shown, indent)
        elif not is_short and (_is_mapping(value) or _is_list(value)):
            self._in_brackets(value, indent)
        else:
            self._add(shown)

    def _in_brackets(self, value: dict[str, Any] | list[Any], indent: int) -> None:
        """Write a collection in brackets; a line ends after the comma beyond its width."""
        is_mapping = _is_mapping(value)
        keys = [f"{_on_line(key, in_brackets=True)}: " if is_mapping else "" for key in value]
        items = [*value.values()] if isinstance(value, dict) else value
        self._add("{" if is_mapping else "[")
        for number, item in enumerate(items):
            if number:
                self._add(",")
            if self.column > WIDTH:
                self._line(indent)
            elif number:
                self._add(" ")
            self._add(keys[number])
            self._short(item, indent + INDENT, in_brackets=True)
        self._add("}" if is_mapping else "]")

    def _folded(self, text: str, shown: str, indent: int) -> None:
        """Write a scalar, at spaces on several lines; `shown` is the scalar on a line."""
        stream = io.StringIO()
        emitter = _emitter(stream, text)
        emitter.column, emitter.indent = self.column, indent
        if shown.startswith('"'):
            emitter.write_double_quoted(text)
        elif shown.startswith("'"):
            emitter.write_single_quoted(text)
        else:
            emitter.write_plain(text)
        self._add(stream.getvalue())
        self.column = emitter.column


def _is_mapping(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _is_in_block(value: object) -> TypeGuard[Block]:
    return isinstance(value, Block) and bool(value.strip()) and _is_printable(value)


def _is_printable(text: str) -> bool:
    return not (_NOT_PRINTABLE.search(text) or has_hidden(text))


def _is_flat(items: list[Any]) -> bool:
    """Tell whether a list is written in brackets: one of short scalars."""
    return not any(isinstance(i, (dict, list, Block, Verbatim)) for i in items)


def _fits_in_brackets(mapping: dict[str, Any], key_width: int = 0) -> bool:
    """Tell whether a mapping is written in brackets: a short one without mappings and blocks."""
    if not mapping:
        return True
    return (
        not isinstance(mapping, Section)
        and all(_is_single_line(value) for value in mapping.values())
        and key_width + _width(mapping) <= MAX_FLOW_WIDTH
    )


def _is_single_line(value: object) -> bool:
    if _is_list(value):
        return _is_flat(value)
    return not _is_mapping(value) and not _is_in_block(value)


def _width(value: object) -> int:
    """Estimate the characters of a value on a single line."""
    if isinstance(value, str):
        return len(value)
    if _is_mapping(value):
        return sum([len(k) + _width(v) + 4 for k, v in value.items()])
    if _is_list(value):
        return sum([_width(item) + 2 for item in value])
    return len(_constant(value))


def _on_line(value: Any, *, in_brackets: bool) -> str:
    """Return a value on one line."""
    if type(value) is str:
        return _text_on_line(value, in_brackets=in_brackets)
    if isinstance(value, Block):
        return _double_quoted(value.replace("\n", " ") if isinstance(value, Folded) else value)
    if isinstance(value, str):
        return str(value)
    if _is_mapping(value):
        items = [f"{_on_line(k, in_brackets=True)}: {_in_list(v)}" for k, v in value.items()]
        return f"{{{', '.join(items)}}}"
    if _is_list(value):
        return f"[{', '.join(map(_in_list, value))}]"
    return _constant(value)


def _in_list(value: Any) -> str:
    return _on_line(value, in_brackets=True)


def _constant(value: object) -> str:
    """Return a number, a boolean or null."""
    if isinstance(value, float):
        return cast("Any", SafeRepresenter()).represent_float(value).value
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    assert isinstance(value, int)
    return str(value)


@lru_cache(MAX_REMEMBERED)
def _text_on_line(text: str, *, in_brackets: bool) -> str:
    """Return a text as it stands where that is read as the same text, else in quotes."""
    if "\n" in text or not _is_printable(text):
        return _double_quoted(text)
    found = _emitter(io.StringIO(), text).analyze_scalar(text)
    is_allowed = found.allow_flow_plain if in_brackets else found.allow_block_plain
    if is_allowed and text != MERGE_KEY and is_text_everywhere(text):
        return text
    is_clearer = "'" in text and not re.search(r'["\\]', text)
    if is_clearer or not found.allow_single_quoted:
        return _double_quoted(text)
    return "'" + text.replace("'", "''") + "'"


def is_text_everywhere(text: str) -> bool:
    """Tell whether readers of YAML 1.2 and of YAML 1.1, to which `on` is true, take it for text."""
    if not isinstance(resolved_scalar(text), str):
        return False
    resolver: Any = Resolver()
    return resolver.resolve(ScalarNode, text, (True, False)) == resolver.DEFAULT_SCALAR_TAG


def _double_quoted(text: str) -> str:
    stream = io.StringIO()
    _emitter(stream, text).write_double_quoted(text, split=False)
    return stream.getvalue()


def _emitter(stream: io.StringIO, text: str) -> Any:
    """Return PyYAML's emitter, to escape all but ASCII in a text with characters not seen.

    Its type stubs omit most of it.
    """
    return cast("Any", Emitter)(stream, width=WIDTH, allow_unicode=not has_hidden(text))
