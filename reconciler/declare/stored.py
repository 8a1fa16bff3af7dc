"""Store a declaration in the cache, and read the declaration back without YAML.

The entry is found by the content of all files. It is stored only if reading it back gives the same
declaration. A declaration with checks, or with anything else but objects, is not stored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from reconciler.cache import Cache, digest_of, encoded, program_stamps
from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, Sources, files_in_folder
from reconciler.declare.layout import Kinds
from reconciler.declare.parse import lines_of
from reconciler.declare.variables import Placeholders
from reconciler.errors import Position
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration
from reconciler.model.variables import Values

SECTION = "declaration"
Place = tuple[int, int, int]  # the number of a file, line and column
_PLAIN = frozenset({str, int, bool, type(None)})
_UNUSABLE = (ValidationError, KeyError, TypeError, ValueError, IndexError, AttributeError)


@dataclass(frozen=True, eq=False)
class StoredPositions(Mapping[tuple[Ref, str], Position]):
    """The positions of a stored declaration; `lines` are those of each file."""

    places: Mapping[tuple[Ref, str], Place]
    files: Sequence[Path]
    lines: Sequence[Sequence[str]]

    def __getitem__(self, key: tuple[Ref, str]) -> Position:
        file, line, column = self.places[key]
        return Position(self.files[file], line, column, self.lines[file][line - 1])

    def __contains__(self, key: object) -> bool:
        return key in self.places

    def __iter__(self) -> Iterator[tuple[Ref, str]]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


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
    sources = declaration.sources
    if not isinstance(sources, Sources) or _holds_more(declaration):
        return
    try:
        body = encoded(_dumped(declaration, sources))
        same = _is_same(declaration, _restored(json.loads(body), contents, kinds))
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


def _dumped(declaration: Declaration, sources: Sources) -> dict[str, Any]:
    refs = _Refs({}, [])
    files: dict[Path, int] = {}
    places = [
        [refs.number(ref), key, files.setdefault(at.file, len(files)), at.line, at.column]
        for (ref, key), at in declaration.positions.items()
    ]
    return {
        "objects": [[refs.number(r), _fields(o)] for r, o in declaration.objects.items()],
        "absent": [[refs.number(r), _fields(o)] for r, o in declaration.absent.items()],
        "exclusive": [[refs.number(r), sorted(k)] for r, k in declaration.exclusive.items()],
        "search_path": [[refs.number(r), s] for r, s in declaration.search_path.items()],
        "positions": places,
        "files": [str(file) for file in files],
        "in_schemas": sorted(declaration.schemas),
        "variables": dict(declaration.variables),
        "sources": sources.as_json(),
        "refs": refs.listed,
    }


def _fields(obj: Object) -> dict[str, Any]:
    """Return the declared fields as plain data, the derived ones too."""
    hidden = {n: getattr(obj, n) for n in _hidden(type(obj)) if n in obj.model_fields_set}
    return obj.model_dump(mode="json", by_alias=True, exclude_unset=True) | hidden


def _hidden(kind: type[Object]) -> list[str]:
    return [n for n, f in kind.model_fields.items() if f.exclude and n != "ref"]


def _restored(entry: Any, contents: Contents, kinds: Kinds) -> Declaration | None:
    """Return the declaration of an entry; raises what _UNUSABLE lists."""
    sources = Sources.from_json(entry["sources"])
    if not sources.are_unchanged():
        return None
    refs = _restored_refs(entry["refs"])
    objects: list[tuple[Ref, dict[str, Any]]] = [(refs[n], f) for n, f in entry["objects"]]
    absent: list[tuple[Ref, dict[str, Any]]] = [(refs[n], f) for n, f in entry["absent"]]
    files = [Path(file) for file in entry["files"]]
    places: dict[tuple[Ref, str], Place] = {
        (refs[number], key): (file, line, column)
        for number, key, file, line, column in entry["positions"]
    }
    lines = [lines_of(contents.texts[file]) for file in files]
    if any(not 0 < line <= len(lines[file]) for file, line, _ in places.values()):
        raise ValueError("a position beyond the end of a file")
    return Declaration(
        objects={
            r: kinds[r.kind].model_validate({**f, "ref": r}).share_fields_set() for r, f in objects
        },
        absent={r: kinds[r.kind].model_construct(ref=r, **f) for r, f in absent},
        exclusive={refs[number]: frozenset(names) for number, names in entry["exclusive"]},
        search_path={refs[number]: schema for number, schema in entry["search_path"]},
        positions=StoredPositions(places, files, lines),
        schemas=frozenset(entry["in_schemas"]),
        variables=dict(entry["variables"]),
        sources=sources,
    )


@dataclass(frozen=True)
class _Refs:
    """Numbers of refs, in the order of first use; a table before the objects on the table."""

    numbers: dict[Ref, int]
    listed: list[list[Any]]

    def number(self, ref: Ref) -> int:
        known = self.numbers.get(ref)
        if known is None:
            on = None if ref.on is None else self.number(ref.on)
            known = self.numbers[ref] = len(self.listed)
            self.listed.append([ref.kind, ref.schema, ref.name, on, ref.arguments])
        return known


def _restored_refs(listed: Sequence[Sequence[Any]]) -> list[Ref]:
    refs: list[Ref] = []
    for kind, schema, name, on, arguments in listed:
        table = None if on is None else refs[int(on)]
        refs.append(Ref(kind, schema, name, table, arguments))
    return refs


def _is_same(declaration: Declaration, restored: Declaration | None) -> bool:
    """Tell whether two declarations are the same in all that a plan depends on."""
    if restored is None:
        return False
    pairs = [
        *zip(declaration.objects.values(), restored.objects.values(), strict=True),
        *zip(declaration.absent.values(), restored.absent.values(), strict=True),
    ]
    return (
        all(_is_same_object(a, b) for a, b in pairs)
        and [*declaration.objects] == [*restored.objects]
        and [*declaration.absent] == [*restored.absent]
        and declaration.exclusive == restored.exclusive
        and declaration.search_path == restored.search_path
        and _are_same_positions(declaration.positions, restored.positions)
        and declaration.schemas == restored.schemas
        and declaration.variables == restored.variables
    )


def _are_same_positions(
    declared: Mapping[tuple[Ref, str], Position], restored: Mapping[tuple[Ref, str], Position]
) -> bool:
    """Compare positions without making those of the restored declaration."""
    if not isinstance(restored, StoredPositions) or declared.keys() != restored.places.keys():
        return False
    equal: dict[int, Path] = {}  # to compare each path once
    for key, at in declared.items():
        file, line, column = restored.places[key]
        if at.file is not equal.get(file):
            if at.file != restored.files[file]:
                return False
            equal[file] = at.file
        if (at.line, at.column, at.text) != (line, column, restored.lines[file][line - 1]):
            return False
    return True


def _is_same_object(a: Object, b: Object) -> bool:
    """Compare values, types, and sets of declared fields, at any depth."""
    return vars(a) == vars(b) and _are_alike(a, b)


def _are_alike(a: object, b: object) -> bool:
    """Tell whether equal values have the same types, and models the same declared fields."""
    if type(a) is not type(b):
        return False
    if type(a) in _PLAIN:
        return True
    if isinstance(a, BaseModel):
        declared, own, other = a.model_fields_set, vars(a), vars(b)
        return declared == cast("BaseModel", b).model_fields_set and all(
            _are_alike(own[field], other[field]) for field in declared
        )
    if isinstance(a, dict):
        pairs, others = cast("dict[object, object]", a), cast("dict[object, object]", b)
        return all(_are_alike(value, others[key]) for key, value in pairs.items())
    if isinstance(a, tuple):
        items, others = cast("tuple[object, ...]", a), cast("tuple[object, ...]", b)
        return all(map(_are_alike, items, others))
    return True
