"""Dump YAML as people write it: short collections in brackets, long text in blocks.

Text is quoted by the rules of YAML 1.2, under which `on` is no boolean.
"""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from reconciler.declare.parse import MERGE_KEY, resolved_scalar
from reconciler.escape import has_hidden

MAX_FLOW_WIDTH = 100  # characters of a collection in brackets
_VERBATIM = "verbatim"  # a style in addition to PyYAML's
MAX_KEY_LENGTH = 1000  # YAML requires the colon of a key within 1024 characters
MAX_ESCAPE = 10  # characters: \U0000ffff
_TAG = "tag:yaml.org,2002:"
_TAGS: dict[type, str] = {str: "str", bool: "bool", int: "int", float: "float"}
_NOT_PRINTABLE = re.compile(  # https://yaml.org/spec/1.2.2/#51-character-set, without line breaks
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)


_ESCAPED = re.compile(r"[^\x20-\x7e]")  # at most


class Block(str):
    """Text for a literal block."""

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
    return cast("Any", yaml).dump(
        content,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
        default_flow_style=None,
    )


class _Dumper(yaml.SafeDumper):
    """PyYAML's dumper with our rules for styles.

    PyYAML's type stubs omit the emitter's attributes, hence the casts to Any.
    """

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        """Return the tag that the text would get without quotes, by the rules of `parse`."""
        if kind is not yaml.ScalarNode or not implicit[0]:
            return cast("Any", super()).resolve(kind, value, implicit)
        resolved = resolved_scalar(value or "")
        if value == MERGE_KEY:
            return _TAG + "merge"
        return _TAG + _TAGS.get(type(resolved), "null")

    def represent_mapping(
        self, tag: str, mapping: Any, flow_style: bool | None = None
    ) -> yaml.MappingNode:
        """Put short mappings in brackets."""
        node = super().represent_mapping(tag, mapping, flow_style)
        is_section = isinstance(mapping, Section) and len(mapping) > 0
        is_flat = all(_is_single_line(value) for _, value in node.value)
        node.flow_style = is_flat and not is_section and _width(node) <= MAX_FLOW_WIDTH
        for key, value in node.value:
            if isinstance(value, yaml.MappingNode) and value.value:
                fits = _width(key) + _width(value) <= MAX_FLOW_WIDTH
                value.flow_style = value.flow_style and fits
        return node

    def check_simple_key(self) -> bool:
        """Allow longer keys than PyYAML's 128 characters: a function's arguments may be long."""
        emitter = cast("Any", self)
        if not isinstance(emitter.event, yaml.ScalarEvent) or not emitter.event.value:
            return cast("Any", super()).check_simple_key()
        emitter.analysis = emitter.analyze_scalar(emitter.event.value)
        scalar = emitter.analysis.scalar
        length = len(scalar) + MAX_ESCAPE * len(_ESCAPED.findall(scalar))
        return length < MAX_KEY_LENGTH and not emitter.analysis.multiline

    def choose_scalar_style(self) -> str:
        """Keep blocks where PyYAML would quote, for trailing spaces and tabs; avoid `''`."""
        emitter = cast("Any", self)
        value = emitter.event.value
        if emitter.event.style == "|":
            return "|"
        if emitter.event.style == _VERBATIM:
            return ""
        if not _is_printable(value):
            return '"'
        style = cast("Any", super()).choose_scalar_style()
        if style == "'" and "'" in value and not re.search(r'["\\]', value):
            return '"'
        return style

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Escape all but ASCII in a text with characters that are not seen."""
        emitter = cast("Any", self)
        emitter.allow_unicode = not has_hidden(text)
        cast("Any", super()).write_double_quoted(text, split)

    def determine_block_hints(self, text: str) -> str:
        """Write a block's indentation only where the text begins with a space or a tab."""
        hints = cast("Any", super()).determine_block_hints(text).lstrip("123456789")
        indent = cast("Any", self).best_indent
        return f"{indent}{hints}" if re.match(r"\n*[ \t]", text) else hints


def _is_printable(text: str) -> bool:
    return not (_NOT_PRINTABLE.search(text) or has_hidden(text))


def _is_single_line(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return node.style != "|"
    return isinstance(node, yaml.SequenceNode) and bool(node.flow_style)


def _width(node: yaml.Node) -> int:
    """Estimate the characters of a node on a single line."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value)
    if isinstance(node, yaml.MappingNode):
        children = [child for pair in node.value for child in pair]
    else:
        children = node.value
    return sum(_width(child) + 2 for child in children)


def _represent_block(dumper: yaml.SafeDumper, value: Block) -> yaml.ScalarNode:
    is_plain = value.strip() and _is_printable(value)
    style = "|" if is_plain else '"'
    return cast("Any", dumper).represent_scalar(f"{_TAG}str", str(value), style=style)


def _represent_literal(dumper: yaml.SafeDumper, value: Literal) -> yaml.ScalarNode:
    tag = "int" if value[0].isdigit() else "bool"
    return cast("Any", dumper).represent_scalar(f"{_TAG}{tag}", str(value))


def _represent_verbatim(dumper: yaml.SafeDumper, value: Verbatim) -> yaml.ScalarNode:
    tag = f"{_TAG}str"
    return cast("Any", dumper).represent_scalar(tag, str(value), style=_VERBATIM)


_Dumper.add_representer(Section, _Dumper.represent_dict)
_Dumper.add_representer(Block, cast("Any", _represent_block))
_Dumper.add_representer(Verbatim, cast("Any", _represent_verbatim))
_Dumper.add_representer(Literal, cast("Any", _represent_literal))
