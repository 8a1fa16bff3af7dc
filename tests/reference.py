"""The examples of the language as declarations that one database can hold together."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import psycopg

from reconciler.declare.examples import TOPICS, Example, examples
from reconciler.declare.files import files_in_folder
from reconciler.declare.layout import sections_of
from reconciler.declare.load import load
from reconciler.declare.nodes import plain
from reconciler.declare.parse import documents
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from tests.conftest import Database, has_labels

ROLES = {"shop_owner": "", "shop_app": "", "reporting": "", "shop_admin": "SUPERUSER"}
CREATE_ROLE = """
    DO $$ BEGIN CREATE ROLE {} {};
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"""
NEEDS = {  # what an example needs of a server, by a word in it, and how to ask for it
    "provider: icu": "SELECT count(*) > 5 FROM pg_collation WHERE collprovider = 'i'",
    "text_starts_with_support": "SELECT to_regproc('text_starts_with_support') IS NOT NULL",
    "hstore": "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore')",
    "file_fdw": "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'file_fdw')",
    "pg_trgm": "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm')",
    "RECONCILE_SHOP": "SELECT false",  # the publisher
    "library: $libdir/weeks": "SELECT false",  # nobody has it
    "library: $libdir/complex": "SELECT false",
    "library: $libdir/triple": "SELECT false",
}
ABSENT = {"state": "absent"}
FREE_NAMES = {"shop_app reads what shop_owner makes"}  # refused: its keys name the object
NEEDED = {"page_views_key", "sales_by_day_key"}  # indexes named by the tables
_SECTIONS = sections_of(KINDS)
_PARTS = {"column", "constraint"}
_FURTHER_PARTS = {"index", "policy", "trigger", "rule", "check"}
_RELATIONS = {"table", "view", "materialized_view", "sequence", "statistics", "schema"}
FILLED = """
    INSERT INTO debts VALUES ('Ada', 10), ('Bob', 20);
    INSERT INTO ledger_entries SELECT n, n FROM generate_series(1, 5000) AS n;
    ANALYZE ledger_entries;
    INSERT INTO notices VALUES ('first');
    INSERT INTO diaries VALUES ('Ada', 'nothing new'), ('Bob', 'nothing new')"""  # for the checks
SHARES = {  # several processes share the work
    "columns and constraints": frozenset(_PARTS),
    "other parts of tables": frozenset(_FURTHER_PARTS),
    "relations": frozenset(_RELATIONS),
    "others": frozenset(TOPICS) - _PARTS - _FURTHER_PARTS - _RELATIONS,
}


@dataclass(frozen=True)
class Applicable:
    """Examples that a server can hold, by file name, and the titles of the others."""

    written: Mapping[str, str]
    left_out: Sequence[str]


def applicable(topics: Iterable[str], database: Database, major: int, folder: Path) -> Applicable:
    """Divide the examples of topics into those that a server can hold and the others."""
    written, left_out = dict[str, str](), list[str]()
    lacking = {word for word, query in NEEDS.items() if not database.value(query)}
    if not _can_create("plperl", database):
        lacking.add("plperl:")
    if not has_labels(major):
        lacking.add("security_labels:")
    for topic in sorted(topics):
        for number, example in enumerate(examples(topic)):
            lacks = any(word in example.declaration for word in lacking)
            if lacks or _needed_major(example, folder) > major:
                left_out.append(f"{topic}: {example.title}")
            else:
                written[f"{topic}-{number}.yml"] = example.declaration
    return Applicable(written, left_out)


def _can_create(extension: str, database: Database) -> bool:
    """Tell whether a server has the extension's files, and the libraries that these need."""
    try:
        database.run(f"CREATE EXTENSION {extension}; DROP EXTENSION {extension}")
    except psycopg.Error:
        return False
    return True


def _needed_major(example: Example, folder: Path) -> int:
    file = folder / "example.yml"
    file.write_text(example.declaration)
    objects = load(file).objects.values()
    return max((m for o in objects for m in o.required_versions().values()), default=0)


def create_roles(database: Database) -> None:
    """Create the roles that the examples name."""
    for role, attribute in ROLES.items():
        database.run(CREATE_ROLE.format(role, attribute))


def job_of(written: Mapping[str, str], database: Database, folder: Path) -> Job:
    """Write declarations into a new folder, and load them.

    Only a superuser may create some of the objects, so a database of the test is the scratch.
    """
    folder.mkdir()
    for name, declaration in written.items():
        (folder / name).write_text(declaration)
    declaration = load(folder)
    return Job(database.url, declaration, Scope(declaration.schemas), database.url)


def absent(declaration: str) -> str:
    """Return the declaration with every object absent."""
    document = yaml_document(declaration)
    listed = {
        section: dict.fromkeys(set(document[section] or {}) - FREE_NAMES, ABSENT)
        for section in _SECTIONS
        if section in document
    }
    return json.dumps(listed)


def with_parts_absent(declaration: str, *, columns: bool) -> str:
    """Return the declaration with every object on another absent, the columns too if asked."""
    document = yaml_document(declaration)
    found: dict[str, dict[str, Any]] = {}
    for section, kind in _SECTIONS.items():
        entries: dict[str, object] = document.get(section) or {}
        for name, entry in entries.items():
            if parts := _absent_parts(kind, entry, columns=columns):
                found.setdefault(section, {})[name] = parts
    return json.dumps(found)


def _absent_parts(kind: type[Object], entry: object, *, columns: bool) -> dict[str, Any]:
    body = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    return {
        section: dict.fromkeys(set(body[section]) - NEEDED, ABSENT)
        for section in sections_of(KINDS, kind.kind)
        if section in body and (columns or section != "columns")
    }


def yaml_document(declaration: str) -> dict[str, Any]:
    """Read a document by YAML 1.2, as the loader does."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "example.yml"
        file.write_text(declaration)
        (document,) = documents(file, [], files_in_folder(file))
    return cast("dict[str, Any]", plain(document))


ALIASES = {
    r"\bbigint\b": "int8",
    r"\binteger\b": "int",
    r"\bboolean\b": "bool",
    r"\bnumeric\b": "decimal",
    r"\btimestamptz\b": "timestamp with time zone",
    r"\bdouble precision\b": "float8",
}


def with_aliases(declaration: str) -> str:
    """Return the declaration with other names of the same types."""
    for name, alias in ALIASES.items():
        declaration = re.sub(name, alias, declaration)
    return declaration
