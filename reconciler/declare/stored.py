"""Store a declaration in the cache, and read the declaration back without YAML.

The entry is found by the content of all files. It is stored only if reading it back gives the same
declaration. A declaration with checks, or with anything else but objects, is not stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from sys import intern
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from reconciler.cache import Cache, digest_of, encoded, program_stamps
from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, Sources, files_in_folder
from reconciler.declare.layout import Kinds
from reconciler.declare.parse import lines_of
from reconciler.declare.positions import Places, Positions, StoredPositions
from reconciler.declare.variables import Placeholders
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.model.variables import Values

SECTION = "declaration"
_PLAIN = frozenset({str, int, bool, type(None)})
_ALIKE_IF_EQUAL = _PLAIN | {Ref}
_UNUSABLE = (ValidationError, KeyError, TypeError, ValueError, IndexError, AttributeError)


@dataclass(frozen=True)
class Contents:
    """The YAML files with their content, where further files may be, the target's variables."""

    path: Path
    further: Path | None
    texts: Mapping[Path, bytes]
    variables: Values

    @classmethod
    def read(
        cls, path: Path, further: Path | None, found: Sequence[Path], variables: Values
    ) -> Contents:
        """Read the files; raises FileRefused."""
        files = files_in_folder(path, further)
        texts = {file: files.read(file, MAX_YAML_SIZE) for file in found}
        return cls(path, further, texts, variables)

    @property
    def key(self) -> str:
        """The key of the declaration in the cache."""
        texts = {str(file): sha256(text).hexdigest() for file, text in self.texts.items()}
        values = {name: [type(v).__name__, str(v)] for name, v in self.variables.items()}
        assert not isinstance(self.variables, Placeholders), "files without a target"
        return digest_of(str(self.path), str(self.further), texts, values, [*program_stamps()])


def stored_declaration(contents: Contents, cache: Cache, kinds: Kinds) -> Declaration | None:
    """Return the stored declaration of the files; None for changed or unknown files."""
    entry = cache.get(SECTION, contents.key)
    try:
        return None if entry is None else _restored(entry, contents, kinds)
    except _UNUSABLE:
        return None


def store(declaration: Declaration, contents: Contents, cache: Cache, kinds: Kinds) -> None:
    """Store a declaration, if it can be read back."""
    sources, positions = declaration.sources, declaration.positions
    if not isinstance(sources, Sources) or not isinstance(positions, Positions):
        return
    if _holds_more(declaration):
        return
    try:
        refs = _Refs()
        places = Places.of(positions, refs.number)
        body = encoded(_dumped(declaration, sources, refs, places))
        restored = _restored(json.loads(body), contents, kinds)
        same = (
            restored is not None
            and _is_same(declaration, restored)
            and isinstance(restored.positions, StoredPositions)
            and restored.positions.are_same(positions, places)
        )
    except (*_UNUSABLE, FileRefused):
        return
    if same:
        cache.put_encoded(SECTION, contents.key, body)


def _holds_more(declaration: Declaration) -> bool:
    """Tell whether a declaration holds checks or other content excluded from the cache."""
    rest = replace(
        declaration,
        objects={},
        absent={},
        exclusive={},
        search_path={},
        positions={},
        schemas=frozenset(),
        variables={},
    )
    return rest != Declaration()


def _dumped(
    declaration: Declaration, sources: Sources, refs: _Refs, places: Places
) -> dict[str, Any]:
    fields = _Fields({}, [])
    searched = groupby(declaration.search_path.items(), itemgetter(1))
    return {
        "objects": _numbered(declaration.objects, refs, fields),
        "absent": _numbered(declaration.absent, refs, fields),
        "exclusive": [[refs.number(r), sorted(k)] for r, k in declaration.exclusive.items()],
        "search_path": [[schema, [refs.numbers[r] for r, _ in of]] for schema, of in searched],
        "positions": vars(places),
        "in_schemas": sorted(declaration.schemas),
        "variables": dict(declaration.variables),
        "sources": sources.as_json(),
        "refs": [refs.kinds, refs.schemas, refs.names, refs.tables, refs.arguments],
        "fields": fields.listed,
    }


def _numbered(objects: Mapping[Ref, Object], refs: _Refs, fields: _Fields) -> list[list[int]]:
    """Return the numbers of refs, and the numbers of their objects' fields."""
    return [[refs.numbers[r] for r in objects], [*map(fields.number, objects.values())]]


def _restored(entry: Any, contents: Contents, kinds: Kinds) -> Declaration | None:
    """Return the declaration of an entry; raises what _UNUSABLE lists."""
    sources = Sources.from_json(entry["sources"])
    if not sources.are_unchanged():
        return None
    refs = _restored_refs(entry["refs"])
    fields: list[dict[str, Any]] = entry["fields"]
    objects = _paired(entry["objects"], refs, fields)
    absent = _paired(entry["absent"], refs, fields)
    places = Places(**entry["positions"])
    files = [Path(file) for file in places.files]
    lines = [lines_of(contents.texts[file]) for file in files]
    return Declaration(
        objects={
            r: kinds[r.kind].model_validate({**f, "ref": r}).share_fields_set() for r, f in objects
        },
        absent={r: kinds[r.kind].model_construct(ref=r, **f) for r, f in absent},
        exclusive={refs[number]: frozenset(names) for number, names in entry["exclusive"]},
        search_path={refs[number]: s for s, numbers in entry["search_path"] for number in numbers},
        positions=StoredPositions.of(places, refs, files, lines),
        schemas=frozenset(entry["in_schemas"]),
        variables=dict(entry["variables"]),
        sources=sources,
    )


def _paired(
    numbered: Sequence[Sequence[int]], refs: Sequence[Ref], fields: Sequence[dict[str, Any]]
) -> list[tuple[Ref, dict[str, Any]]]:
    """Return what `_numbered` wrote as refs, with the fields of their objects."""
    return [(refs[ref], fields[of_ref]) for ref, of_ref in zip(*numbered, strict=True)]


class _Refs:
    """Numbers of refs, in the order of first use; a table before the objects on the table."""

    def __init__(self) -> None:
        self.numbers: dict[Ref, int] = {}
        self.kinds, self.schemas, self.names = list[str](), list[str](), list[str]()
        self.tables, self.arguments = list[int | None](), list[str | None]()

    def number(self, ref: Ref) -> int:
        known = self.numbers.get(ref)
        if known is None:
            table = None if ref.on is None else self.number(ref.on)
            known = self.numbers[ref] = len(self.names)
            self.kinds.append(ref.kind)
            self.schemas.append(ref.schema)
            self.names.append(ref.name)
            self.tables.append(table)
            self.arguments.append(ref.arguments)
        return known


def _restored_refs(columns: Sequence[Sequence[Any]]) -> list[Ref]:
    refs: list[Ref] = []
    for kind, schema, name, on, arguments in zip(*columns, strict=True):
        table = None if on is None else refs[int(on)]
        refs.append(Ref(intern(kind), intern(schema), name, table, arguments))
    return refs


@dataclass(frozen=True)
class _Fields:
    """Numbers of the fields of objects: many columns have the same type, and nothing else."""

    numbers: dict[tuple[object, ...], int]
    listed: list[dict[str, Any]]

    def number(self, obj: Object) -> int:
        kind = type(obj)
        declared = obj.model_dump_json(by_alias=True, exclude_unset=True)
        hidden = [(n, getattr(obj, n)) for n in _hidden(kind) if n in obj.model_fields_set]
        key = (kind, declared, *hidden)
        known = self.numbers.get(key)
        if known is None:
            known = self.numbers[key] = len(self.listed)
            self.listed.append(json.loads(declared) | dict(hidden))
        return known


@cache
def _hidden(kind: type[Object]) -> frozenset[str]:
    """Return the derived fields that a dump leaves out."""
    return frozenset(n for n, f in kind.model_fields.items() if f.exclude and n != "ref")


def _is_same(declaration: Declaration, restored: Declaration) -> bool:
    """Tell whether two declarations are the same in all that a plan depends on but positions."""
    pairs = [
        *zip(declaration.objects.values(), restored.objects.values(), strict=True),
        *zip(declaration.absent.values(), restored.absent.values(), strict=True),
    ]
    return (
        all(_is_same_object(a, b) for a, b in pairs)
        and [*declaration.objects] == [*restored.objects]
        and [*declaration.absent] == [*restored.absent]
        and declaration.exclusive == restored.exclusive
        and [*declaration.search_path.items()] == [*restored.search_path.items()]
        and declaration.schemas == restored.schemas
        and declaration.variables == restored.variables
    )


def _is_same_object(a: Object, b: Object) -> bool:
    """Compare values, types, and sets of declared fields, at any depth."""
    return type(a) is type(b) and vars(a) == vars(b) and _are_alike_models(a, b)


def _are_alike_models(a: BaseModel, b: BaseModel) -> bool:
    declared, own, others = a.model_fields_set, vars(a), vars(b)
    if declared != b.model_fields_set:
        return False
    for field in declared:
        value, other = own[field], others[field]
        if type(value) is not type(other):
            return False
        if type(value) not in _ALIKE_IF_EQUAL and not _are_alike(value, other):
            return False
    return True


def _are_alike(a: object, b: object) -> bool:
    """Tell whether equal values have the same types, and models the same declared fields."""
    if type(a) is not type(b):
        return False
    if type(a) in _ALIKE_IF_EQUAL:
        return True
    if isinstance(a, tuple):
        items, others = cast("tuple[object, ...]", a), cast("tuple[object, ...]", b)
        return all(map(_are_alike, items, others))
    if isinstance(a, dict):
        pairs, others = cast("dict[object, object]", a), cast("dict[object, object]", b)
        return all(_are_alike(value, others[key]) for key, value in pairs.items())
    return not isinstance(a, BaseModel) or _are_alike_models(a, cast("BaseModel", b))
