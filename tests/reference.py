"""The examples of the language as declarations that one database can hold together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.declare.examples import TOPICS, Example, examples
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from tests.conftest import Database, has_labels

ROLES = {"shop_owner": "", "shop_app": "", "reporting": "", "shop_admin": "SUPERUSER"}
CREATE_ROLE = """
    DO $$ BEGIN CREATE ROLE {} {};
    EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"""
NEEDS = {  # what an example needs of a server, by a word in it, and how to ask for it
    "provider: icu": "SELECT count(*) > 5 FROM pg_collation WHERE collprovider = 'i'",
    "hstore_plperl:": "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'plperl')",
    "library: $libdir/weeks": "SELECT false",  # nobody has it
}
_TABLES = {"column", "constraint", "index", "policy", "trigger", "rule", "check"}
_RELATIONS = {"table", "view", "materialized_view", "sequence", "statistics", "schema"}
FILLED = """
    INSERT INTO debts VALUES ('Ada', 10), ('Bob', 20);
    INSERT INTO ledger_entries SELECT n, n FROM generate_series(1, 5000) AS n;
    ANALYZE ledger_entries;
    INSERT INTO notices VALUES ('first');
    INSERT INTO diaries VALUES ('Ada', 'nothing new'), ('Bob', 'nothing new')"""  # for the checks
SHARES = {  # several processes share the work
    "parts of tables": frozenset(_TABLES),
    "relations": frozenset(_RELATIONS),
    "others": frozenset(TOPICS) - _TABLES - _RELATIONS,
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
