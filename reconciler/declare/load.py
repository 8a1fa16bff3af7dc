"""YAML files → Declaration: what people wrote, where they wrote it, and everything that is wrong with it at once.

No kind is named here. A kind's `section` and `within` say where its objects stand, its fields are the keys, its `entry`
reads names and short forms; `reconcile schema` prints the same knowledge as a JSON Schema.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from reconciler.checks.model import Assertion, Check
from reconciler.declare.json_schema import Kinds, described_by, sections_of, short_forms
from reconciler.declare.models import (
    Context,
    Given,
    fields_of,
    files_of,
    fitted,
    read_fields,
    shaped,
)
from reconciler.declare.nodes import (
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    described,
    documents,
    plain,
    unknown,
)
from reconciler.errors import DeclarationError, Position, Problem
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration

DEFAULT_SCHEMA = "public"
LONGEST = 63  # bytes of a name: NAMEDATALEN - 1
ENDINGS = (".yml", ".yaml")

_PART = r'"((?:[^"]|"")+)"|([^".]+)'
_QUALIFIED = re.compile(rf"(?:(?:{_PART})\.)?(?:{_PART})")
_QUOTED = re.compile(r'"((?:[^"]|"")+)"')


def load(path: Path, kinds: Kinds = KINDS) -> Declaration:
    """Read a file, or all `*.yml` and `*.yaml` under a folder but the hidden ones.

    Raises DeclarationError with everything that is wrong in any of them, ordered by place.
    """
    problems: list[Problem] = []
    reading = _Reading(kinds, problems)
    for file in _files(path, problems):
        for document in documents(file, problems):
            reading.document(document)
    declaration = reading.declaration()
    if problems:
        raise DeclarationError(sorted(dict.fromkeys(problems), key=_by_place))
    return declaration


def _by_place(problem: Problem) -> tuple[str, int, int]:
    at = problem.position
    return (str(at.file), at.line, at.column) if at else ("", 0, 0)


def _files(path: Path, problems: list[Problem]) -> list[Path]:
    """The files to read, by paths as short as they can be."""
    if path.is_absolute():
        with suppress(ValueError):
            path = path.relative_to(Path.cwd())
    if path.is_file():
        return [path]
    found = [f for f in path.rglob("*") if f.suffix in ENDINGS and f.is_file()]
    shown = sorted(
        f for f in found if not any(p.startswith(".") for p in f.relative_to(path).parts)
    )
    if not shown:
        missing = (
            f"no {' or '.join(f'*{e}' for e in ENDINGS)} file in {path}"
            if path.is_dir()
            else f"there is no folder or file {path}"
        )
        problems.append(Problem(missing, hint="--state names the folder of the declared state"))
    return shown


@dataclass
class _Piece:
    """What the files read so far say of one object."""

    kind: type[Object]
    at: Position
    path: str
    absent: bool
    given: dict[str, Given]
    derived: dict[str, Any]
    sound: bool
    owner: str | None = None


class _Reading:
    """Gathers what the documents say."""

    def __init__(self, kinds: Kinds, problems: list[Problem]) -> None:
        self.problems = problems
        self.kinds = kinds
        self.sections = {parent: sections_of(kinds, parent) for parent in ("", *kinds)}
        self.pieces: dict[Ref, _Piece] = {}
        self.exclusive: dict[Ref, frozenset[str]] = {}
        self.positions: dict[tuple[Ref, str], Position] = {}
        self.checks: dict[str, Check] = {}
        self.owner: str | None = None

    def declaration(self) -> Declaration:
        """Everything as objects; those that do not fit are problems and left out."""
        objects: dict[Ref, Object] = {}
        absent: dict[Ref, Object] = {}
        for ref, piece in self.pieces.items():
            if piece.absent:
                absent[ref] = piece.kind.model_construct(ref=ref, **piece.derived)
            elif obj := fitted(
                piece.kind,
                piece.given,
                Context(str(ref), piece.at, piece.sound),
                self.problems,
                ref=ref,
                **piece.derived,
            ):
                unowned = piece.owner is not None and getattr(obj, "owner", "") is None
                objects[ref] = obj.model_copy(update={"owner": piece.owner}) if unowned else obj
        self._unfold(objects)
        schemas = {r.schema for r in self.pieces} | {
            r.name for r in self.pieces if r == Ref("", r.name, "").schema_ref
        }
        return Declaration(
            objects=objects,
            absent=absent,
            exclusive=self.exclusive,
            search_path={r: p.path for r, p in self.pieces.items()},
            positions=self.positions,
            checks=self.checks,
            schemas=frozenset(schemas - {""}),
        )

    def _unfold(self, objects: dict[Ref, Object]) -> None:
        """Add the objects that others are short for."""
        for obj in [*objects.values()]:
            piece = self.pieces[obj.ref]
            old = [r.name for r, _ in _as_it_was(obj, objects).expand_shorthand()]
            for (ref, body), was in zip(obj.expand_shorthand(), old, strict=True):
                if ref in self.pieces:
                    self._again(str(ref), piece.at, self.pieces[ref].at)
                    continue
                kind = self.kinds[ref.kind]
                told: dict[str, Any] = {} if was == ref.name else {"renamed_from": was}
                owner = getattr(objects.get(obj.ref.on) if obj.ref.on else None, "owner", None)
                told |= (
                    {"owner": owner} if "owner" in kind.model_fields and owner is not None else {}
                )
                objects[ref] = kind.model_validate({"ref": ref, **body, **told})
                self.pieces[ref] = replace(piece, kind=kind, given={}, derived={})
                self.positions[ref, ""] = piece.at

    def document(self, node: Node) -> None:
        """Read one document; an empty one says nothing."""
        sections = self.sections[""]
        path = self._default_schema(node)
        self.owner = self._default_owner(node)
        known = ["schema", "owner", "checks", *sections]
        for entry in self._mapping(node, "a file", f"accepted: {', '.join(sorted(known))}"):
            if entry.key in sections:
                self._section(sections[entry.key], entry, None, path)
            elif entry.key == "checks":
                self._checks(entry, path)
            elif entry.key not in ("schema", "owner"):
                self.problems.append(unknown("unknown key", entry.key, entry.at, known))

    def _default_schema(self, node: Node) -> str:
        entry = node.entries.get("schema") if isinstance(node, Entries) else None
        if entry is None:
            return DEFAULT_SCHEMA
        value = (
            entry.node.source
            if isinstance(entry.node, Scalar) and entry.node.value is not None
            else ""
        )
        if not value:
            self._blame(
                entry.node.at, f"schema: expected the name of a schema, got {described(entry.node)}"
            )
        return _unquoted(value) or DEFAULT_SCHEMA

    def _default_owner(self, node: Node) -> str | None:
        """The role that owns what the document declares and gives no owner."""
        entry = node.entries.get("owner") if isinstance(node, Entries) else None
        if entry is None:
            return None
        value = plain(entry.node)
        if not isinstance(value, str):
            self._blame(
                entry.node.at, f"owner: expected the name of a role, got {described(entry.node)}"
            )
            return None
        return value

    def _blame(self, at: Position, message: str, hint: str = "") -> None:
        self.problems.append(Problem(message, at, hint))

    def _mapping(self, node: Node, what: str, hint: str) -> Iterable[Entry]:
        """The entries of a mapping that may be empty."""
        if isinstance(node, Entries):
            return node.entries.values()
        if plain(node) is not None:
            self._blame(node.at, f"{what}: expected a mapping, got {described(node)}", hint)
        return ()

    # -- objects -------------------------------------------------------------------------------------------------------

    def _section(self, kind: type[Object], section: Entry, on: Ref | None, path: str) -> None:
        for entry in self._mapping(
            section.node, section.key, f"each {described_by(kind)} is a key with its name"
        ):
            self._object(kind, entry, on, path)

    def _object(self, kind: type[Object], entry: Entry, on: Ref | None, path: str) -> None:
        sections, before = self.sections[kind.kind], len(self.problems)
        body = entry.node if isinstance(entry.node, Entries) else Entries(entry.node.at)
        own = read_fields(body, kind, described_by(kind), self.problems, self._beside(kind))
        name, given, derived = self._given(kind, entry, own)
        ref = self._ref(kind, entry.at, name, on, path)
        if len(ref.name.encode()) > LONGEST:
            self._blame(
                entry.at,
                f"'{ref.name}' is longer than {LONGEST} bytes, and PostgreSQL would cut it short",
            )
        if "arguments" in derived:
            ref = replace(ref, arguments=str(derived["arguments"]))
        for key, at in [
            ("", entry.at),
            *((k, e.at) for k, e in body.entries.items()),
            *((k, g.at) for k, g in given.items()),
        ]:
            self.positions.setdefault((ref, key), at)
        absent = self._absent(body)
        self._add(
            ref,
            _Piece(
                kind,
                entry.at,
                path,
                absent,
                {} if absent else given,
                derived,
                len(self.problems) == before,
                self.owner,
            ),
        )
        if absent:
            return
        self._exclusive(ref, body.entries.get("exclusive"), sections)
        for key, child in body.entries.items():
            if key in sections:
                self._section(sections[key], child, ref, path)

    def _given(
        self, kind: type[Object], entry: Entry, own: dict[str, Given]
    ) -> tuple[str, dict[str, Given], dict[str, Any]]:
        """An entry's name, the fields that are given, and those that its key tells."""
        node = entry.node
        mapping = isinstance(node, Entries) or (plain(node) is None and not kind.parent_kinds)
        body = {k: g.value for k, g in own.items()} if mapping else plain(node)
        name, after = self._entry(kind, entry, body)
        if not isinstance(after, dict) or (
            not mapping and after == self._entry(kind, entry, {})[1]
        ):
            message = f"{described_by(kind)} '{entry.key}': expected {_forms(kind)}, got {described(node)}"
            self._blame(
                node.at,
                message,
                f"accepted: {', '.join(sorted([*fields_of(kind), *files_of(kind), *self._beside(kind)]))}",
            )
            return name, own, {}
        fields, given, derived = fields_of(kind), dict[str, Given](), dict[str, Any]()
        for key, value in cast("dict[str, object]", after).items():
            if key not in fields:
                derived[key] = value
            elif key in own:
                given[key] = replace(own[key], value=value)
            else:
                short_form = (
                    shaped(node, fields[key].annotation, key, self.problems)
                    if value is body
                    else value
                )
                given[key] = Given(short_form, node.at, node)
        return name, given, derived

    def _beside(self, kind: type[Object]) -> list[str]:
        """The keys of an entry that are not the model's."""
        sections = self.sections[kind.kind]
        return ["state", *sections, *(["exclusive"] if sections else [])]

    def _entry(self, kind: type[Object], entry: Entry, body: object) -> tuple[str, object]:
        try:
            return kind.entry(entry.key, body)
        except ValueError as e:
            self._blame(entry.at, str(e))
            return entry.key, body

    def _ref(self, kind: type[Object], at: Position, name: str, on: Ref | None, path: str) -> Ref:
        if on is not None or kind.schemaless:
            if not name:
                self._blame(at, f"expected the name of a {described_by(kind)}, got nothing")
            return Ref(kind.kind, on.schema if on else "", _unquoted(name), on)
        match = _QUALIFIED.fullmatch(name)
        if match is None:
            quoted = '"' + name.replace('"', '""') + '"'
            self._blame(
                at,
                f"expected name or schema.name, got '{name}'",
                f"a name that holds a dot or a quote: '{quoted}'",
            )
            return Ref(kind.kind, path, name)
        schema, own = (
            quoted.replace('""', '"') if quoted else bare
            for quoted, bare in (match.group(1, 2), match.group(3, 4))
        )
        return Ref(kind.kind, schema or path, own)

    def _absent(self, body: Entries) -> bool:
        """Whether `state: absent` is said, beside which nothing else is."""
        entry = body.entries.get("state")
        state = plain(entry.node) if entry else "present"
        if entry and state not in ("present", "absent"):
            self._blame(
                entry.node.at, f"state: expected 'present' or 'absent', got {described(entry.node)}"
            )
        for key, other in body.entries.items():
            if state == "absent" and key != "state":
                self._blame(
                    other.at,
                    f"{key} beside state: absent",
                    "what is to be dropped is only named: remove one of the two",
                )
        return state == "absent"

    def _exclusive(
        self, ref: Ref, entry: Entry | None, sections: Mapping[str, type[Object]]
    ) -> None:
        if entry is None:
            return
        named: set[str] = set()
        for node in entry.node.items if isinstance(entry.node, Items) else [entry.node]:
            section = plain(node)
            if not isinstance(section, str):
                self._blame(
                    node.at,
                    f"exclusive: expected a section, got {described(node)}",
                    f"accepted: {', '.join(sorted(sections))}",
                )
            elif section not in sections:
                self.problems.append(
                    unknown("exclusive: unknown section", section, node.at, sections)
                )
            else:
                named.add(sections[section].kind)
        self.exclusive[ref] = self.exclusive.get(ref, frozenset()) | named

    def _add(self, ref: Ref, piece: _Piece) -> None:
        """Join what two places say of one object; only what has children may be told in several, each field in one."""
        known = self.pieces.setdefault(ref, piece)
        if known is piece:
            return
        parent = bool(self.sections[ref.kind])
        if known.absent or piece.absent:
            self._again(str(ref), piece.at, known.at, " absent" if known.absent else " present")
        elif not parent and (ref.on is not None or (known.given and piece.given)):
            self._again(str(ref), piece.at, known.at)
        else:
            for key in piece.given.keys() & known.given:
                self._again(f"{key} of {ref}", piece.given[key].at, known.given[key].at)
            if piece.given and not known.given:
                known.at, known.path = piece.at, piece.path
            known.given = {**piece.given, **known.given}
            known.sound &= piece.sound

    def _again(self, what: str, at: Position, first: Position | None, how: str = "") -> None:
        self._blame(at, f"{what} is already declared{how} at {first}", "keep one of the two")

    # -- checks --------------------------------------------------------------------------------------------------------

    def _checks(self, section: Entry, path: str) -> None:
        for entry in self._mapping(section.node, "checks", "each check is a key with its name"):
            assertions = tuple(
                a
                for node, at in self._assertions(entry)
                if (a := self._assertion(node, at, entry.key))
            )
            if entry.key in self.checks:
                self._again(f"check '{entry.key}'", entry.at, self.checks[entry.key].position)
            self.checks.setdefault(
                entry.key,
                Check(name=entry.key, assertions=assertions, search_path=path, position=entry.at),
            )

    def _assertions(self, entry: Entry) -> Iterator[tuple[Node, Position]]:
        """The assertions of a check: itself, or each of `all`."""
        several = entry.node.entries.get("all") if isinstance(entry.node, Entries) else None
        if several is None or not isinstance(entry.node, Entries):
            yield entry.node, entry.at
            return
        for key, other in entry.node.entries.items():
            if key != "all":
                self._blame(
                    other.at,
                    f"{key} beside all",
                    "it belongs to one of the assertions that all lists",
                )
        if isinstance(several.node, Items) and several.node.items:
            yield from ((n, n.at) for n in several.node.items)
        else:
            got = "an empty one" if isinstance(several.node, Items) else described(several.node)
            self._blame(
                several.node.at,
                f"all: expected a list of assertions, got {got}",
                "all: [{query: …, equals: …}, …]",
            )

    def _assertion(self, node: Node, at: Position, name: str) -> Assertion | None:
        if not isinstance(node, Entries):
            hint = f"accepted: {', '.join(sorted([*fields_of(Assertion), *files_of(Assertion)]))}; or all: a list of such mappings"
            self._blame(
                node.at, f"check '{name}': expected an assertion, got {described(node)}", hint
            )
            return None
        before = len(self.problems)
        given = read_fields(node, Assertion, f"check '{name}'", self.problems)
        return fitted(
            Assertion,
            given,
            Context(f"check '{name}'", at, len(self.problems) == before),
            self.problems,
            position=at,
        )


def _as_it_was(obj: Object, objects: Mapping[Ref, Object]) -> Object:
    """The object under its old name, on what it lives on under its own."""
    on = objects.get(obj.ref.on) if obj.ref.on else None
    there = (
        replace(on.ref, name=on.renamed_from) if on is not None and on.renamed_from else obj.ref.on
    )
    return obj.model_copy(
        update={"ref": replace(obj.ref, name=obj.renamed_from or obj.ref.name, on=there)}
    )


def _unquoted(name: str) -> str:
    match = _QUOTED.fullmatch(name)
    return match[1].replace('""', '"') if match else name


def _forms(kind: type[Object]) -> str:
    return " or ".join(
        [*(f"{form} ({key})" for form, key in short_forms(kind).items()), "a mapping"]
    )


# -- JSON Schema -----------------------------------------------------------------------------------------------------------
