"""Parts of a declaration, by the tags of the files."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from tests.conftest import Database
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

BILLING = """
tags: [billing, money]
tables:
  bills:
    exclusive: [indexes]
    columns: {id: bigint}
"""
SEARCH = """
tags: search
tables:
  words: {columns: {word: text}}
  bills: {indexes: {bills_id: {columns: id}}}
"""
PLAIN = "tables: {plain: {columns: {a: text}}}"


def written(folder: Path) -> Path:
    declare(folder, BILLING)
    state = folder / "state"
    (state / "search.yml").write_text(SEARCH)
    (state / "plain.yml").write_text(PLAIN)
    return state


def tables(state: Path, *tags: str) -> set[str]:
    found = load(state, tags=frozenset(tags)).objects
    return {ref.name for ref in found if ref.kind == "table"}


def test_tags_select_files(folder: Path) -> None:
    state = written(folder)
    assert tables(state) == {"bills", "words", "plain"}
    assert tables(state, "money") == {"bills"}
    assert tables(state, "money", "search") == {"bills", "words"}


@pytest.mark.parametrize(
    ("tags", "message", "hint"),
    [
        ("serch", "no file has the tag 'serch'", "did you mean search?"),
        ("x", "no file has the tag 'x'", "the files have: billing, money, search"),
    ],
)
def test_unknown_tags_are_named(folder: Path, tags: str, message: str, hint: str) -> None:
    state = written(folder)
    with pytest.raises(DeclarationError) as refused:
        load(state, tags=frozenset({tags}))
    (problem,) = refused.value.problems
    assert (problem.message, problem.hint) == (message, hint)


def test_a_tag_is_a_short_name(folder: Path) -> None:
    declare(folder, "tags: [{a: b}, 'two words']\n")
    with pytest.raises(DeclarationError) as refused:
        load(folder / "state")
    found = [(p.position.line, p.position.column) for p in refused.value.problems if p.position]
    assert found == [(1, 8), (1, 16)]


def test_objects_of_other_files_stay(database: Database, folder: Path) -> None:
    written(folder)
    options = ("--target", database.url, "--state", "state")
    assert run("apply", *options, "--yes").exit_code == 0
    database.run("DROP TABLE words")
    assert run("drift", *options, "--tags", "billing").exit_code == 0
    assert run("drift", *options, "--tags", "money,search").exit_code == 2
    planned = run("plan", *options, "--tags", "billing")
    assert "nothing to do, 2 declared objects" in planned.output
    done = run("apply", *options, "--tags", "search", "--yes")
    assert done.exit_code == 0, done.output
    assert run("drift", *options).exit_code == 0
    refused = run("plan", *options, "--tags", "billing", "--prune")
    assert refused.exit_code == 1
    assert "--prune would drop the objects of files without these tags" in refused.output


def test_exclusive_lists_of_a_part_drop_nothing(database: Database, folder: Path) -> None:
    """The index of the table is declared in a file with another tag."""
    written(folder)
    options = ("--target", database.url, "--state", "state")
    assert run("apply", *options, "--yes").exit_code == 0
    assert run("plan", *options, "--tags", "billing").exit_code == 0
    database.run("CREATE INDEX more ON bills (id)")
    assert "more" in run("plan", *options).output
    assert run("plan", *options, "--tags", "billing").exit_code == 0
