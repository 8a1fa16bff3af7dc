"""Export a state as YAML in short forms, with a file for each schema and section."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from reconciler.declare.dump import Block, Literal, Section, Verbatim, dump_yaml
from reconciler.declare.names import quoted
from reconciler.errors import SettingsError
from reconciler.model.declared import Shorthand, declared_arguments
from reconciler.model.object import Object
from reconciler.model.owned import Granted, Owned
from reconciler.model.ref import Ref
from reconciler.model.state import State

Body = dict[str, Any]
_UNQUOTED_NAME = re.compile(r"[^\".(]+\Z")  # other names need quotes in a key
_HIDDEN = Verbatim("{secret}")  # a value that is not read, in options of foreign data
_YAML_LITERAL = re.compile(r"(true|false|0|[1-9][0-9]{0,17})\Z")


@dataclass
class _File:
    """The content of a file, and the number of objects by owner."""

    content: Body
    owners: Counter[str] = field(default_factory=Counter[str])


def export(state: State, folder: Path) -> list[Path]:
    """Write all objects of the state below `folder`, and return the files.

    Raises SettingsError if the folder contains YAML files, which might contradict the export.
    """
    if any(folder.rglob("*.yml")) or any(folder.rglob("*.yaml")):
        raise SettingsError(
            f"{folder} holds YAML files already; export writes into an empty folder"
        )
    files = _files(_in_short_form(state), folder)
    for path, file in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dump_yaml(_with_default_owner(file)), encoding="utf-8")
    return sorted(files)


def _in_short_form(state: State) -> list[Object]:
    """Collapse shorthands, and leave out the objects declared by shorthands."""
    nothing = frozenset[Ref]()
    collapsed = [
        o.collapse_shorthand(state.objects) if isinstance(o, Shorthand) else (o, nothing)
        for o in state.objects.values()
    ]
    covered = {ref for _, refs in collapsed for ref in refs}
    return [obj for obj, _ in collapsed if obj.ref not in covered]


def _files(objects: Iterable[Object], folder: Path) -> dict[Path, _File]:
    children: dict[Ref | None, list[Object]] = {}
    for obj in objects:
        children.setdefault(obj.ref.on, []).append(obj)
    files: dict[Path, _File] = {}
    for obj in children.get(None, ()):
        content = {"schema": obj.ref.schema} if obj.ref.schema else {}
        file = files.setdefault(folder / _path(obj), _File(content))
        if isinstance(obj, Owned) and obj.owner:
            file.owners[obj.owner] += 1
        file.content.setdefault(obj.section, Section())[_key(obj)] = _body(obj, children)
    return files


def _path(obj: Object) -> Path:
    """Return `public/tables.yml`, or `extensions.yml` for objects outside schemas."""
    file = f"{obj.section}.yml"
    return Path(_safe(obj.ref.schema), file) if obj.ref.schema else Path(file)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.-]", lambda m: f"%{ord(m[0]):02x}", name).lstrip(".") or "%"


def _key(obj: Object) -> str:
    """Return the object's key in the section, quoted where `load` would split or misread it."""
    ref = obj.ref
    if ref.on is not None:
        return ref.name
    name = ref.name if _UNQUOTED_NAME.match(ref.name) else quoted(ref.name)
    if ref.arguments is None:
        return name
    declared = declared_arguments(obj)
    return f"{name}({ref.arguments if declared is None else declared})"


def _body(obj: Object, children: Mapping[Ref | None, list[Object]]) -> Any:
    """Return the entry of an object: fields that differ from defaults, and children."""
    model = type(obj)
    derived = {model.model_fields[n].alias or n for n in model.derived()}
    dumped = obj.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    body: Body = {
        k: _value(v, k, is_sql=k in model.sql_fields)
        for k, v in dumped.items()
        if k not in derived and v is not None
    }
    if isinstance(obj, Granted) and body.get("grants") == obj.default_grants():
        del body["grants"]
    blocks = [k for k in model.sql_fields if isinstance(body.get(k), Block)]
    body |= {k: body.pop(k) for k in blocks}  # long SQL reads best after the short fields
    for child in children.get(obj.ref, ()):
        body.setdefault(child.section, Section())[_key(child)] = _body(child, children)
    return obj.short_form(body)


def _value(value: Any, key: str = "", *, is_sql: bool = False) -> Any:
    """Mark long text and literals for the dumper, and sort roles."""
    if isinstance(value, str) and "\n" in value:
        return Block(value)
    if isinstance(value, str) and is_sql and _YAML_LITERAL.match(value):
        return Literal(value)
    if isinstance(value, dict):
        items = cast("Body", value).items()
        values = {k: _value(v, k) for k, v in (sorted(items) if key == "grants" else items)}
        return values | {k: _HIDDEN for k, v in values.items() if v is None}
    if isinstance(value, list):
        return [_value(v) for v in cast("list[Any]", value)]
    return value


def _with_default_owner(file: _File) -> Body:
    """Write the most common owner once, at the top of the file."""
    if not file.owners:
        return file.content
    (owner, _), *_ = file.owners.most_common(1)
    schema = {k: v for k, v in file.content.items() if k == "schema"}
    sections: dict[str, Section] = {k: v for k, v in file.content.items() if k != "schema"}
    for section in sections.values():
        for body in section.values():
            if isinstance(body, dict) and cast("Body", body).get("owner") == owner:
                del body["owner"]
    return {**schema, "owner": owner, **sections}
