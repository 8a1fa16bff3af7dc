"""Load YAML files into a Declaration, and report all problems at once.

No kind is named here. A kind's `section` and `parent_kinds` say under which keys the objects
stand, the fields of the model are the keys of an entry, and the kind's `entry` reads names and
short forms. `reconcile schema` prints the same layout as a JSON Schema.
"""

from __future__ import annotations

from collections.abc import Set
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from reconciler.cache import Cache
from reconciler.declare.annotations import taken_by
from reconciler.declare.check_entries import CheckReader
from reconciler.declare.drafts import Drafts
from reconciler.declare.entries import Defaults, EntryReader
from reconciler.declare.fields import Reading, spelled
from reconciler.declare.files import (
    SUFFIXES,
    FileRefused,
    Sources,
    files_in_folder,
    yaml_files,
)
from reconciler.declare.layout import Kinds, sections_of
from reconciler.declare.nodes import (
    Entries,
    Entry,
    Node,
    Scalar,
    described,
    mapping_entries,
    plain,
    unknown,
)
from reconciler.declare.parse import documents
from reconciler.declare.rest import without_faults
from reconciler.declare.stored import Contents, store, stored_declaration
from reconciler.declare.tags import KEY as TAGS
from reconciler.declare.tags import Tags
from reconciler.declare.variables import KEY as VARIABLES
from reconciler.declare.variables import Variables
from reconciler.declare.workload_entries import WorkloadReader
from reconciler.errors import DeclarationError, Findings, Problem, TooManyProblems
from reconciler.kinds import KINDS
from reconciler.model.spelling import Name, Role
from reconciler.model.state import Declaration
from reconciler.model.variables import Value, Values

DEFAULT_SCHEMA = "public"
IGNORED_PREFIX = "x-"  # of keys that hold anchors, as in Docker Compose
_DOCUMENT_KEYS = ("schema", "owner", TAGS, VARIABLES, "checks", "workload")


def load(
    path: Path,
    kinds: Kinds = KINDS,
    files_root: Path | None = None,
    cache: Cache | None = None,
    variables: Values | None = None,
    tags: Set[str] = frozenset(),
) -> Declaration:
    """Read a file, or all `*.yml` and `*.yaml` under a folder except the hidden.

    The files that the declaration names are below the folder, or below `files_root`. With a
    `cache`, what was read of the same files before is found there. `variables` are those of the
    target. With `tags`, only documents with one of the tags are declared, and `exclusive` drops
    nothing. Raises DeclarationError with the problems of all files, ordered by position.
    """
    path = _from_working_directory(path)
    variables = {} if variables is None else variables
    contents = _contents(path, files_root, variables) if cache and not tags else None
    if cache and contents and (stored := stored_declaration(contents, cache, kinds)):
        return stored
    declaration = _parsed(path, kinds, files_root, variables, tags)
    if cache and contents and _is_of(declaration, contents):
        store(declaration, contents, cache, kinds)
    return declaration


def _from_working_directory(path: Path) -> Path:
    with suppress(ValueError, OSError):  # no working directory, or another
        return path.relative_to(Path.cwd()) if path.is_absolute() else path
    return path


def _contents(path: Path, files_root: Path | None, variables: Values) -> Contents | None:
    """Return the content of the YAML files; None where a file is refused."""
    with suppress(FileRefused, OSError, ValueError):
        return Contents.read(path, files_root, yaml_files(path), variables)
    return None


def _is_of(declaration: Declaration, contents: Contents) -> bool:
    """Tell whether a declaration was read from the same content."""
    read = declaration.sources.digests
    return all(read.get(f) == sha256(t).hexdigest() for f, t in contents.texts.items())


def _parsed(
    path: Path, kinds: Kinds, files_root: Path | None, variables: Values, tags: Set[str]
) -> Declaration:
    problems: list[Problem] = Findings()
    selection = Tags(tags, problems)
    try:
        declaration = _declaration(path, kinds, files_root, variables, selection)
    except TooManyProblems:
        declaration = None
    if declaration is None or problems:
        raise DeclarationError(sorted(dict.fromkeys(problems), key=_sort_key), declaration)
    return declaration


def _declaration(
    path: Path,
    kinds: Kinds,
    files_root: Path | None,
    variables: Values,
    tags: Tags,
) -> Declaration | None:
    """Read the declaration; None where the path cannot be used."""
    problems = tags.problems
    try:
        files = files_in_folder(path, files_root)
        found = _yaml_files(path, problems)
    except FileRefused as e:
        problems.append(Problem(f"cannot read {path}: {e.reason}", None, e.hint, "unreadable-file"))
        return None
    reading = Reading(problems, files, Variables(problems, variables))
    reader = _DocumentReader(kinds, reading, tags)
    for file in found:
        for document in documents(file, problems, files):
            reader.read(document)
    tags.report_unknown()
    reader.workload.end()
    declaration = reader.drafts.declaration(reader.checks.checks, reader.workload.queries)
    if problems:
        faulty_files = {p.position.file for p in problems if p.position}
        return without_faults(declaration, reader.drafts.faulty, faulty_files, files)
    sources = Sources(path, files_root, files.digests)
    if tags.selected:
        declaration = replace(declaration, exclusive={})
    return replace(declaration, sources=sources, variables=reader.variables)


def _sort_key(problem: Problem) -> tuple[str, int, int]:
    at = problem.position
    return (str(at.file), at.line, at.column) if at else ("", 0, 0)


def _yaml_files(path: Path, problems: list[Problem]) -> list[Path]:
    """List the files; raises FileRefused."""
    files = yaml_files(path)
    if not files:
        message = f"there is no folder or file {path}"
        if path.is_dir():
            message = f"no {' or '.join(f'*{s}' for s in SUFFIXES)} file in {path}"
        hint = "--state names the folder of the declared state"
        problems.append(Problem(message, None, hint, "no-declaration"))
    return files


class _DocumentReader:
    """Read documents into drafts of objects and into checks."""

    def __init__(self, kinds: Kinds, reading: Reading, tags: Tags) -> None:
        self.reading, self.problems, self.tags = reading, reading.problems, tags
        self.sections = sections_of(kinds)
        self.sections_below = {k: sections_of(kinds, k) for k in kinds}
        self.drafts = Drafts(kinds, reading.problems)
        self.checks = CheckReader(reading)
        self.workload = WorkloadReader(reading)
        self.values, self.variables = reading.variables.values, dict[str, Value]()

    def read(self, node: Node) -> None:
        """Read a document, unless tags leave it out; an empty document declares nothing."""
        if not self.tags.selects(node):
            return
        variables = Variables.of(node, self.values, self.problems)
        self.reading.variables = variables
        self.variables |= variables.listed
        defaults = self._defaults(node)
        entries = EntryReader(self.sections_below, self.drafts, defaults, self.reading)
        known = [*_DOCUMENT_KEYS, *self.sections]
        hint = f"accepted: {', '.join(sorted(known))}"
        for entry in mapping_entries(node, "a file", hint, self.problems):
            if entry.key in self.sections:
                entries.read(self.sections[entry.key], entry)
            elif entry.key == "checks":
                self.checks.read(entry, defaults.schema)
            elif entry.key == "workload":
                self.workload.read(entry, defaults.schema)
            elif entry.key not in _DOCUMENT_KEYS and not entry.key.startswith(IGNORED_PREFIX):
                self.problems.append(unknown("unknown key", entry.key, entry.position, known))
        variables.refuse_the_rest(node)

    def _defaults(self, node: Node) -> Defaults:
        body = node if isinstance(node, Entries) else Entries(node.position)
        schema, owner = body.entries.get("schema"), body.entries.get("owner")
        return Defaults(self._default_schema(schema), self._default_owner(owner))

    def _default_schema(self, entry: Entry | None) -> str:
        if entry is None:
            return DEFAULT_SCHEMA
        node = entry.node
        if isinstance(node, Scalar) and node.value is not None and node.source:
            return spelled(node.source, node, "schema", taken_by(Name), self.reading)
        message = f"schema: expected the name of a schema, got {described(node)}"
        self.problems.append(Problem(message, node.position, rule="wrong-type"))
        return DEFAULT_SCHEMA

    def _default_owner(self, entry: Entry | None) -> str | None:
        if entry is None:
            return None
        owner = plain(entry.node)
        if isinstance(owner, str):
            takes = taken_by(Role)
            return spelled(owner, entry.node, "owner", takes, self.reading)
        message = f"owner: expected the name of a role, got {described(entry.node)}"
        self.problems.append(Problem(message, entry.node.position, rule="wrong-type"))
        return None
