"""Write a state as the YAML that a person would have written: a file per schema and sort of thing, in short forms."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import yaml

from reconciler.errors import SettingsError
from reconciler.model.object import Object
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref
from reconciler.model.state import State

Body = dict[str, Any]
_BARE = re.compile(r"[^\".]+\Z")
_LITERAL = re.compile(r"(true|false|0|[1-9][0-9]{0,17})\Z")
_LINE = 100  # what is longer in brackets is told in lines of their own
_KEY = 1000  # YAML knows a key of one line by its colon within 1024 characters


def export(state: State, folder: Path) -> list[Path]:
    """Write every object of the state below `folder`; returns the files.

    Raises SettingsError if the folder holds YAML already: what is there might contradict what is written.
    """
    if any(folder.rglob("*.yml")) or any(folder.rglob("*.yaml")):
        raise SettingsError(
            f"{folder} holds YAML files already; export writes into an empty folder"
        )
    files: dict[Path, Body] = {}
    owners: dict[Path, Counter[str]] = {}
    children: dict[Ref, list[Object]] = {}
    written = _folded(state)
    for obj in written:
        if obj.ref.on is not None:
            children.setdefault(obj.ref.on, []).append(obj)
    for obj in written:
        if obj.ref.on is None:
            file = folder / _file(obj)
            owners.setdefault(file, Counter()).update(_owners(obj))
            files.setdefault(file, {"schema": obj.ref.schema} if obj.ref.schema else {})
            files[file].setdefault(obj.section, _Section())[_key(obj)] = _body(obj, children)
    for file, content in files.items():
        usual = owners[file].most_common(1)[0][0] if owners[file] else None
        _write(file, _with_owner(content, usual))
    return sorted(files)


def _folded(state: State) -> list[Object]:
    """The objects in short forms, without those that the short forms of others say."""
    short_form = [obj.collapse_shorthand(state.objects) for obj in state.objects.values()]
    said = {ref for _, refs in short_form for ref in refs}
    return [obj for obj, _ in short_form if obj.ref not in said]


def _file(obj: Object) -> Path:
    """`public/tables.yml`; what belongs to no schema stands at the top."""
    return (
        Path(_safe(obj.ref.schema), f"{obj.section}.yml")
        if obj.ref.schema
        else Path(f"{obj.section}.yml")
    )


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", lambda m: f"%{ord(m[0]):02x}", name).lstrip(".") or "%"


def _owners(obj: Object) -> Iterable[str]:
    owner = getattr(obj, "owner", None)
    return [owner] if owner else []


def _key(obj: Object) -> str:
    """The name under which an object stands in its section, quoted where a reader would take it for something else."""
    if obj.ref.on is not None:
        return obj.ref.name
    own = (
        obj.ref.name
        if _BARE.match(obj.ref.name) and "(" not in obj.ref.name
        else '"' + obj.ref.name.replace('"', '""') + '"'
    )
    return (
        own
        if obj.ref.arguments is None
        else f"{own}({getattr(obj, 'arguments', obj.ref.arguments)})"
    )


def _body(obj: Object, children: Mapping[Ref, list[Object]]) -> Any:
    """The fields that are not at their default, and what lives on the object."""
    model = type(obj)
    derived = {model.model_fields[n].alias or n for n in model.derived()}
    dumped = obj.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body: Body = {
        k: _short(v, k, sql=k in model.sql_fields)
        for k, v in dumped.items()
        if k not in derived and v is not None
    }
    if isinstance(obj, Granted) and body.get("grants") == obj.default_grants():
        del body["grants"]
    body |= {
        k: body.pop(k) for k in model.sql_fields if isinstance(body.get(k), _Block)
    }  # after what is said in a line
    for child in children.get(obj.ref, ()):
        body.setdefault(child.section, _Section())[_key(child)] = _body(child, children)
    return obj.short_form(body)


def _short(value: Any, key: str = "", *, sql: bool = False) -> Any:
    """Text of several lines as a block, numbers and the like in SQL as they are, roles in their order."""
    if isinstance(value, str) and "\n" in value:
        return _Block(value)
    if isinstance(value, str) and sql and _LITERAL.match(value):
        return _Literal(value)
    if isinstance(value, dict):
        entries = cast("Body", value).items()
        return {k: _short(v, k) for k, v in (sorted(entries) if key == "grants" else entries)}
    if isinstance(value, list):
        return [_short(v) for v in cast("list[Any]", value)]
    return value


def _with_owner(content: Body, usual: str | None) -> Body:
    """Say the usual owner once, at the top."""
    if usual is None:
        return content
    for key, section in content.items():
        if key != "schema":
            for body in section.values():
                if isinstance(body, dict) and cast("Body", body).get("owner") == usual:
                    del body["owner"]
    return (
        {k: v for k, v in content.items() if k == "schema"}
        | {"owner": usual}
        | {k: v for k, v in content.items() if k != "schema"}
    )


class _Block(str):
    """Text that is written as a literal block."""

    __slots__ = ()


class _Section(dict[str, Any]):
    """Named entries, each on a line of its own."""

    __slots__ = ()


class _Literal(str):
    """SQL that is a number or a truth value, in the words of YAML too."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Blocks for long text, flow style for what is short; bare is what YAML 1.2 reads as text: `on` is no boolean there."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {  # pyright: ignore[reportIncompatibleVariableOverride]
        first: [
            (tag, pattern)
            for tag, pattern in known
            if not tag.endswith((":bool", ":timestamp", ":merge"))
        ]
        for first, known in cast("Any", yaml.SafeDumper).yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_mapping(
        self, tag: str, mapping: Any, flow_style: bool | None = None
    ) -> yaml.MappingNode:
        """In brackets what is short, lists of names included."""
        node = super().represent_mapping(tag, mapping, flow_style)
        flat = all(
            (isinstance(v, yaml.ScalarNode) and v.style != "|") or _in_brackets(v)
            for _, v in node.value
        )
        node.flow_style = (
            flat and _width(node) <= _LINE and not (mapping and isinstance(mapping, _Section))
        )
        for key, value in node.value:
            if (
                isinstance(value, yaml.MappingNode)
                and value.value
                and _width(key) + _width(value) > _LINE
            ):
                value.flow_style = False
        return node

    def check_simple_key(self) -> bool:
        """The arguments of a function may be long."""
        own = cast("Any", self)
        if isinstance(own.event, yaml.ScalarEvent) and own.event.value:
            own.analysis = own.analyze_scalar(own.event.value)
            return len(own.analysis.scalar) < _KEY and not own.analysis.multiline
        return cast("Any", super()).check_simple_key()

    def choose_scalar_style(self) -> str:
        """A block where one was asked for, though lines in it end with blanks or hold tabs; doubled quotes nowhere."""
        own = cast("Any", self)
        if own.event.style == "|":
            return "|"
        style = (
            '"' if _FOREIGN.search(own.event.value) else cast("Any", super()).choose_scalar_style()
        )
        return (
            '"'
            if style == "'" and "'" in own.event.value and not re.search(r'["\\]', own.event.value)
            else style
        )

    def determine_block_hints(self, text: str) -> str:
        """How deep a block is indented is said where its first words do not show it."""
        hints = cast("Any", super()).determine_block_hints(text)
        return hints if re.match(r"\n* ", text) else hints.lstrip("123456789")


def _in_brackets(node: yaml.Node) -> bool:
    return isinstance(node, yaml.SequenceNode) and bool(node.flow_style)


def _width(node: yaml.Node) -> int:
    """About how many characters it takes on one line."""
    if isinstance(node, yaml.ScalarNode):
        return len(node.value)
    parts = (
        [n for pair in node.value for n in pair]
        if isinstance(node, yaml.MappingNode)
        else node.value
    )
    return sum(_width(n) + 2 for n in parts)


_FOREIGN = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)  # to YAML's eyes


def _block(dumper: yaml.SafeDumper, value: _Block) -> yaml.ScalarNode:
    plain = value.strip() and not _FOREIGN.search(value)
    return cast("Any", dumper).represent_scalar(
        "tag:yaml.org,2002:str", str(value), style="|" if plain else '"'
    )


def _literal(dumper: yaml.SafeDumper, value: _Literal) -> yaml.ScalarNode:
    return cast("Any", dumper).represent_scalar(
        f"tag:yaml.org,2002:{'int' if value[0].isdigit() else 'bool'}", str(value)
    )


cast("Any", _Dumper).add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"true|false", re.I), list("tTfF")
)
_Dumper.add_representer(_Section, _Dumper.represent_dict)
_Dumper.add_representer(_Block, cast("Any", _block))
_Dumper.add_representer(_Literal, cast("Any", _literal))


def _write(file: Path, content: Body) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    document: str = cast("Any", yaml).dump(
        content,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
        default_flow_style=None,
    )
    file.write_text(document, encoding="utf-8")
