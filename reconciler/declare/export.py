"""Export a state as YAML in short forms, with a file for each schema and section."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, cast

from reconciler.declare.annotations import other_keys_of, written_fields
from reconciler.declare.conditions import MAX_WIDTH, folded_condition
from reconciler.declare.dump import (
    Block,
    Literal,
    Section,
    Verbatim,
    dump_yaml,
    is_text_everywhere,
)
from reconciler.declare.exported_files import assert_replaceable, write_exported
from reconciler.declare.files import FileRefused
from reconciler.declare.home_schema import HomeNames
from reconciler.declare.layout import sections_of
from reconciler.declare.load import DEFAULT_SCHEMA, load
from reconciler.errors import MAX_PROBLEMS, DeclarationError, ExportError, SettingsError
from reconciler.kinds import KINDS
from reconciler.model.declared import Shorthand, declared_arguments
from reconciler.model.names import quoted, unquoted
from reconciler.model.object import Object
from reconciler.model.on_scratch import literal_body
from reconciler.model.owned import Grantable, Granted, Owned, grants_of, owner_of
from reconciler.model.privileges import Grants, changed_grants
from reconciler.model.ref import Ref
from reconciler.model.state import State

Body = dict[str, Any]
_UNQUOTED_NAME = re.compile(r"[^\s\".(]([^\".(]*[^\s\".(])?\Z")  # others need quotes in a key
_RESERVED = re.compile(r"con|prn|aux|nul|com\d|lpt\d")  # as file names on Windows
_HIDDEN = Verbatim("{secret}")  # a value that is not read, in options of foreign data
_CONNINFO = "conninfo"
_YAML_LITERAL = re.compile(r"(true|false|0|[1-9][0-9]{0,17})\Z")


@dataclass
class _File:
    """The content of a file, and the number of objects by owner."""

    content: Body
    owners: Counter[str] = field(default_factory=Counter[str])


def export(
    state: State,
    folder: Path,
    *,
    per_table: bool = False,
    respell: Callable[[Object], Object] = lambda obj: obj,
) -> list[Path]:
    """Write all objects of the state below `folder`, and return the files.

    With `per_table`, each table and view has its own file. `respell` returns an object with SQL as
    it is to be written.

    Files of an earlier export are replaced, and no others; no link is followed, but `folder` itself
    may be one. Raises SettingsError if the folder contains other YAML files, which might contradict
    the export, and ExportError if an object is not read back.
    """
    files = _files(map(respell, _in_short_form(state)), folder, per_table=per_table)
    try:
        earlier = assert_replaceable(folder)
        texts = {path: dump_yaml(_with_default_owner(file)) for path, file in files.items()}
        write_exported(texts, earlier, folder)
    except OSError as e:
        raise SettingsError(f"cannot write {e.filename or folder}: {e.strerror or e}") from None
    except FileRefused as e:
        raise SettingsError(f"cannot use {folder}: {e.reason}") from None
    if files:
        _read_back(state, folder)
    return sorted(files)


def changed_document(
    changed: Mapping[Ref, Object],
    gone: Mapping[Ref, Object],
    old: Mapping[Ref, Object],
    created: Mapping[Ref, Object],
) -> str:
    """Write changed and new objects, and what is gone, as one file.

    `old` has the objects before, `created` the new ones as CREATE alone would make them: what has
    not changed since is left out where that keeps it. A table of which only parts have changed is
    named without fields.
    """
    covered, found = _collapsed(State(changed))
    shown = {o.ref: o for o in found if o.ref not in covered}
    return dump_yaml(_Changes(changed, shown, gone, old, created).content())


@dataclass(frozen=True)
class _Changes:
    """Objects to declare, the same in short forms, and objects to declare absent.

    `old` and `created` are what the objects to declare are compared with.
    """

    changed: Mapping[Ref, Object]
    shown: Mapping[Ref, Object]
    gone: Mapping[Ref, Object]
    old: Mapping[Ref, Object]
    created: Mapping[Ref, Object]

    def content(self) -> Body:
        """Return the content of the file."""
        below: dict[Ref | None, dict[Ref, None]] = {}
        for member in (*self.shown, *self.gone):
            ref: Ref | None = member
            while ref is not None:
                below.setdefault(ref.on, {})[ref] = None
                ref = ref.on
        return self._sections(None, below)

    def _sections(self, parent: Ref | None, below: Mapping[Ref | None, Iterable[Ref]]) -> Body:
        found: Body = {}
        for ref in below.get(parent, ()):
            section = found.setdefault(KINDS[ref.kind].section, Section())
            entry = self._entry(ref)
            if isinstance(entry, dict):
                entry = {**cast("Body", entry), **self._sections(ref, below)}
            section[self._key(ref)] = entry
        return found

    def _key(self, ref: Ref) -> str:
        obj = self.gone.get(ref) or self.shown.get(ref) or self.old.get(ref)
        own = _unquotable(ref.name) if obj is None else _key(obj)
        is_qualified = ref.on is None and ref.schema not in ("", DEFAULT_SCHEMA)
        return f"{_unquotable(ref.schema)}.{own}" if is_qualified else own

    def _entry(self, ref: Ref) -> Any:
        if ref in self.gone:
            return {"state": "absent"}
        if ref not in self.shown:
            return {}
        obj, old = self.shown[ref], self.old.get(ref)
        was = old or self.created[ref]
        grants: Grants = {}
        if isinstance(obj, Grantable):
            before, after = grants_of(was) or {}, grants_of(obj) or {}
            grants = changed_grants(before, after, owner_of(obj))
        own = _body(_without_access(obj, was), {})
        if old is None and not grants:
            return own
        body = cast(
            "Body", own if isinstance(own, dict) else {_plain_key(type(obj), obj.main_key): own}
        )
        if old is not None:
            body = _differing(body, self.changed[ref], obj, old) or ({} if grants else body)
        return _with_grants(body, grants) if grants else body


def _without_access(obj: Object, was: Object) -> Object:
    """Return an object without privileges, and without an owner who is the same as before."""
    update: Body = {"grants": None} if isinstance(obj, Grantable) else {}
    if isinstance(obj, Owned) and obj.owner == owner_of(was):
        update["owner"] = None
    return obj.model_copy(update=update)


def _with_grants(body: Body, grants: Grants) -> Body:
    long = {k: v for k, v in body.items() if isinstance(v, Block)}
    rest = {k: v for k, v in body.items() if k not in long}
    return {**rest, "grants": {r: [*grants[r]] for r in sorted(grants)}, **long}


def _differing(body: Body, obj: Object, short: Object, was: Object) -> Body:
    """Return the fields that a declaration of an object, in short form, needs to change `was`.

    A field that is kept if left out is written where it differs, as its default where it has that
    again.
    """
    model = type(obj)
    now, shown, before = _written(obj), _written(short), _written(was)
    differs = {n for n in now if now[n] != before[n] or shown[n] != now[n]}
    companions = {o for n in differs for o in model.only_with.get(n, ())}
    left_open = _omissible(model) - differs - companions
    keys = {n: _plain_key(model, model.model_fields[n].alias or n) for n in now}
    needed = {keys[n] for n in now.keys() - left_open}
    again = [n for n in now if now[n] == shown[n] != before[n] and keys[n] not in body]
    return {k: v for k, v in body.items() if k in needed} | {
        keys[n]: _value(now[n], n) for n in again
    }


def _omissible(model: type[Object]) -> frozenset[str]:
    """Return the fields with the live value kept if a declaration leaves them out."""
    return frozenset(n for n in model.kept() if not model.model_fields[n].is_required())


def _written(obj: Object) -> Body:
    """Return all fields that can be declared, by name, without privileges of a role each."""
    model, others = type(obj), {"grants"} if isinstance(obj, Grantable) else frozenset[str]()
    dumped = written_fields(obj.model_dump(mode="json", by_alias=True), model)
    aliases = {n: f.alias or n for n, f in model.model_fields.items()}
    names = [n for n in aliases if n not in model.derived() | others]
    return {n: dumped[aliases[n]] for n in names if aliases[n] in dumped}


def _read_back(state: State, folder: Path) -> None:
    """Refuse an export that `load` reads as other objects: with --prune, the others would go."""
    try:
        declared = load(folder).objects
    except DeclarationError as e:
        raise ExportError(f"the export cannot be read back: {e}") from None
    exported, read = _identities(state.objects), _identities(declared)
    if dict(exported) == dict(read):  # in a tenth of the time that a Counter takes
        return
    if lost := sorted((exported - read) + (read - exported), key=str)[:MAX_PROBLEMS]:
        listed = ", ".join(str(ref) for ref in lost)
        raise ExportError(f"the export in {folder} is wrong: it does not hold {listed} as they are")


def _identities(refs: Iterable[Ref]) -> Counter[Ref]:
    """Count refs without arguments, which `load` does not bring into PostgreSQL's spelling."""
    return Counter(_without_arguments(ref) for ref in refs)


def _without_arguments(ref: Ref) -> Ref:
    if ref.arguments is None and (ref.on is None or ref.on.arguments is None):
        return ref
    parent = ref.on and _without_arguments(ref.on)
    return ref._replace(on=parent, arguments=None if ref.arguments is None else "")


def _in_short_form(state: State) -> list[Object]:
    """Collapse shorthands, leave out the objects declared by shorthands, and shorten names."""
    covered, collapsed = _collapsed(state)
    names = HomeNames.of(state.objects.values())
    return [names.without_schema(obj) for obj in collapsed if obj.ref not in covered]


def _collapsed(state: State) -> tuple[set[Ref], list[Object]]:
    """Return the objects in short forms, before them the refs that these declare."""
    nothing = frozenset[Ref]()
    collapsed = [
        o.collapse_shorthand(state.objects) if isinstance(o, Shorthand) else (o, nothing)
        for o in state.objects.values()
    ]
    return {ref for _, refs in collapsed for ref in refs}, [obj for obj, _ in collapsed]


def _files(objects: Iterable[Object], folder: Path, *, per_table: bool) -> dict[Path, _File]:
    children: dict[Ref | None, list[Object]] = {}
    for obj in objects:
        children.setdefault(obj.ref.on, []).append(obj)
    files: dict[Path, _File] = {}
    for obj in children.get(None, ()):
        content = {"schema": _unquotable(obj.ref.schema)} if obj.ref.schema else {}
        file = files.setdefault(folder / _path(obj, per_table=per_table), _File(content))
        if isinstance(obj, Owned) and obj.owner:
            file.owners[obj.owner] += 1
        file.content.setdefault(obj.section, Section())[_key(obj)] = _body(obj, children)
    return files


def _path(obj: Object, *, per_table: bool) -> Path:
    """Return `public/tables.yml`, or `extensions.yml` for objects outside schemas.

    With `per_table`, a table or view has its own file: `public/tables/users.yml`.
    """
    file = f"{obj.section}.yml"
    if per_table and obj.relation and obj.ref.schema and sections_of(KINDS, obj.kind):
        return Path(_safe(obj.ref.schema), obj.section, f"{_safe(obj.ref.name)}.yml")
    return Path(_safe(obj.ref.schema), file) if obj.ref.schema else Path(file)


def _safe(name: str) -> str:
    """Return a file name for a name; file systems tell the file names of all names apart.

    Some fold letters of different case or Unicode normalization: names that this may concern are
    written in ASCII, as `%` and two digits for each byte. Windows reserves some names.
    """
    is_casefolded = unicodedata.normalize("NFKC", name.casefold()) == name
    others = r"[^\w-]" if is_casefolded else r"[^a-z0-9_-]"
    safe = re.sub(others, lambda m: "".join(f"%{b:02x}" for b in m[0].encode()), name)
    return f"%{ord(safe[0]):02x}{safe[1:]}" if _RESERVED.fullmatch(safe) else safe


def _key(obj: Object) -> str:
    """Return the object's key in the section, quoted where `load` would split or misread it."""
    ref = obj.ref
    if ref.on is not None:
        return _unquotable(ref.name)
    name = ref.name if _UNQUOTED_NAME.match(ref.name) else quoted(ref.name)
    if ref.arguments is None:
        return name
    declared = declared_arguments(obj)
    return f"{name}({ref.arguments if declared is None else declared})"


def _unquotable(name: str) -> str:
    """Return a name with which `load` does nothing but to remove quotes."""
    return name if unquoted(name) == name else quoted(name)


def _body(obj: Object, children: Mapping[Ref | None, list[Object]]) -> Any:
    """Return the entry of an object: fields that differ from defaults, and children."""
    body = _fields(obj)
    for child in children.get(obj.ref, ()):
        body.setdefault(child.section, Section())[_key(child)] = _body(child, children)
    entry = obj.short_form(body)
    if not isinstance(entry, dict):
        return entry
    return {_plain_key(type(obj), k): v for k, v in cast("Body", entry).items()}


def _fields(obj: Object) -> Body:
    """Return the fields of an object that differ from defaults, long SQL last."""
    model, derived = type(obj), _derived_keys(type(obj))
    dumped = obj.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    dumped = written_fields(dumped, model)
    body: Body = {
        k: _value(v, k, is_sql=k in model.sql_fields)
        for k, v in dumped.items()
        if k not in derived and v is not None
    }
    if isinstance(obj, Granted) and "grants" in body:
        default = obj.default_grants()
        if body["grants"] == default:
            del body["grants"]
        else:
            body["grants"] = {**{r: [] for r in default}, **body["grants"]}
    code = literal_body(obj)
    if code is not None and " " in code:  # else the name of a function in C
        body |= {k: Block(code) for k in model.sql_fields if body.get(k) == code}
    blocks = [k for k in model.sql_fields if isinstance(body.get(k), Block)]
    return body | {k: body.pop(k) for k in blocks}


@cache
def _plain_key(model: type[Object], key: str) -> str:
    """Return a key that readers of YAML 1.1 take for text, if the kind has one: not `on`."""
    if is_text_everywhere(key):
        return key
    return next((other for other, own in other_keys_of(model).items() if own == key), key)


@cache
def _derived_keys(model: type[Object]) -> frozenset[str]:
    return frozenset(model.model_fields[n].alias or n for n in model.derived())


def _value(value: Any, key: str = "", *, is_sql: bool = False) -> Any:
    """Mark long text and literals for the dumper, and sort roles."""
    if isinstance(value, str):
        return _text(value, is_sql=is_sql)
    if isinstance(value, dict):
        if key == _CONNINFO:
            return _HIDDEN
        items = cast("Body", value).items()
        values = {k: _value(v, k) for k, v in (sorted(items) if key == "grants" else items)}
        return values | {k: _HIDDEN for k, v in values.items() if v is None}
    if isinstance(value, list):
        return [_value(v) for v in cast("list[Any]", value)]
    return value


def _text(value: str, *, is_sql: bool) -> str:
    if "\n" in value:
        return Block(value)
    if is_sql and _YAML_LITERAL.match(value):
        return Literal(value)
    return (folded_condition(value) if is_sql and len(value) > MAX_WIDTH else None) or value


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
