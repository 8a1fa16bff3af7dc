"""`export --tidy`: short SQL that PostgreSQL reads as its own, and PostgreSQL's own elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import pipeline
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.model.ref import Ref
from reconciler.pipeline import ExportStyle, Job
from reconciler.tidy import edits, printed, tidy
from reconciler.tidy.search import search_all, simpler
from reconciler.tidy.tokens import Edit, Sql
from tests.conftest import Database, starting_point
from tests.test_export import EVERYTHING

NewDatabase = Callable[..., Database]
TIDY = ExportStyle(tidy=True)
ORDERS = """
    CREATE TYPE state AS ENUM ('open', 'paid');
    CREATE DOMAIN code AS varchar CHECK (VALUE ~ '^[a-z]+$' AND length(VALUE) < 9);
    CREATE SEQUENCE numbers;
    CREATE TABLE orders (
        id bigint DEFAULT nextval('numbers') PRIMARY KEY,
        state state NOT NULL DEFAULT 'open',
        place varchar(9) DEFAULT 'here',
        price numeric DEFAULT -1,
        paid_on date,
        words tsvector GENERATED ALWAYS AS (to_tsvector('english', place)) STORED,
        CONSTRAINT known CHECK (place IN ('here', 'there') AND NOT (price = 7 OR price IS NULL)),
        CONSTRAINT "like" CHECK (place LIKE 'h%' OR (price > 0 AND id NOT IN (3, 4)))
    );
    CREATE INDEX by_place ON orders (lower(place) DESC, ((id + 1) * 2));
    CREATE INDEX late ON orders (id) WHERE place::text > '2020-01-01';
    CREATE POLICY mine ON orders USING (place = current_user OR state = 'open');
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
    CREATE TRIGGER touched BEFORE UPDATE ON orders FOR EACH ROW
        WHEN (old.place IS DISTINCT FROM new.place AND new.price > 0) EXECUTE FUNCTION touch();
    CREATE VIEW paid AS
        SELECT o.id, CASE WHEN o.price > 9 THEN 'dear' END AS note, o.paid_on::timestamptz AS at
        FROM orders AS o JOIN orders AS p ON p.id = o.id AND p.state = 'paid'
        WHERE o.place IN ('here', 'there') AND (o.price > 1 OR o.price < -1) AND o.id IS NOT NULL
              AND p.place LIKE 'somewhere else%';"""


DEFAULTS = {"id": "nextval('numbers')", "state": "'open'", "place": "'here'", "price": "-1"}


def exported(database: Database, folder: Path) -> dict[str, Any]:
    """Export with --tidy, check that a plan is empty, and return the sections of public."""
    pipeline.export_state(database.url, EVERYTHING, folder, style=TIDY)
    assert pipeline.plan_changes(Job(database.url, load(folder), EVERYTHING)).in_sync
    sections: dict[str, Any] = {}
    for file in (folder / "public").iterdir():
        sections |= yaml.load(file.read_text(), yaml.BaseLoader)  # noqa: S506 - texts alone
    return sections


def test_sql_is_as_people_write_it(new_database: NewDatabase, tmp_path: Path) -> None:
    found = exported(new_database(ORDERS), tmp_path / "state")
    orders = found["tables"]["orders"]
    defaults = {column: orders["columns"][column]["default"] for column in DEFAULTS}
    assert defaults == DEFAULTS
    assert orders["columns"]["words"]["generated"] == "to_tsvector('english', place)"
    checks = {k: v["check"] for k, v in orders["constraints"].items()}
    assert checks["known"] == "place IN ('here', 'there') AND NOT (price = 7 OR price IS NULL)"
    assert checks["like"] == "place LIKE 'h%' OR (price > 0 AND id NOT IN (3, 4))"
    assert orders["indexes"]["by_place"] == ["lower(place) DESC", "((id + 1) * 2)"]
    assert orders["indexes"]["late"]["where"] == "place > '2020-01-01'"
    assert orders["policies"]["mine"]["using"] == ("place = CURRENT_USER OR state = 'open'")
    assert orders["triggers"]["touched"]["when"] == (
        "old.place IS DISTINCT FROM new.place AND new.price > 0"
    )
    assert "VALUE ~ '^[a-z]+$'" in str(found["domains"])
    assert found["views"]["paid"] == {
        "query": """\
SELECT o.id,
        CASE
            WHEN o.price > 9 THEN 'dear'
            ELSE NULL
        END AS note,
    o.paid_on::timestamptz AS at
   FROM orders o
     JOIN orders p ON p.id = o.id AND p.state = 'paid'
  WHERE o.place IN ('here', 'there')
    AND (o.price > 1 OR o.price < -1)
    AND o.id IS NOT NULL
    AND p.place LIKE 'somewhere else%'"""
    }


def test_the_example_is_read_back_equal(new_database: NewDatabase, tmp_path: Path) -> None:
    exported(new_database(starting_point(0.01)), tmp_path)


def test_names_of_every_sort_stay_whole(new_database: NewDatabase, tmp_path: Path) -> None:
    database = new_database("""
        CREATE SCHEMA "public.x"; CREATE SCHEMA "a'b";
        CREATE TABLE "public.x"."a(b" ("c::d" text CHECK ("c::d" <> 'public.x.y::text'));
        CREATE TABLE "a'b"."(" (")" text DEFAULT '((''::text' CHECK (")" <> E'\\\\''::text'));
        CREATE VIEW "a'b".v AS SELECT ")" AS "SELECT" FROM "a'b"."(" WHERE ")" LIKE '~~ ('""")
    pipeline.export_state(database.url, EVERYTHING, tmp_path, style=TIDY)
    assert pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING)).in_sync
    assert sorted(_defaults(tmp_path)) == ["'((''::text'"]


def _defaults(folder: Path) -> Iterator[str]:
    for obj in load(folder).objects.values():
        if default := getattr(obj, "default", None):
            yield default


def reversed_comparisons(sql: Sql, _: str) -> Iterator[Edit]:
    for number, token in enumerate(sql.tokens):
        if token.text == ">":
            yield {number: "<"}


COMPARED = "CREATE TABLE t (a int CONSTRAINT positive CHECK (a > 0))"


def positive(database: Database, folder: Path) -> object:
    pipeline.export_state(database.url, EVERYTHING, folder, style=TIDY)
    return yaml.safe_load((folder / "public" / "tables.yml").read_text())["tables"]["t"][
        "constraints"
    ]["positive"]


def test_an_edit_that_changes_the_meaning_is_refused(
    new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidy, "OF_EXPRESSIONS", (reversed_comparisons, edits.brackets))
    assert positive(new_database(COMPARED), tmp_path) == {"check": "a > 0"}


def test_the_proof_refuses_what_is_not_read_back_equal(
    new_database: NewDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_the_same(
        _: printed.Printer, __: Mapping[Any, Any], spellings: Mapping[Any, str]
    ) -> dict[Any, bool]:
        return dict.fromkeys(spellings, True)

    monkeypatch.setattr(tidy, "OF_EXPRESSIONS", (reversed_comparisons,))
    monkeypatch.setattr(printed.Printer, "same", all_the_same)
    database = new_database(f"{COMPARED}; CREATE TABLE u (b int DEFAULT (1)::bigint)")
    assert positive(database, tmp_path) == {"check": "(a > 0)"}


def test_one_edit_of_many_that_is_refused_does_not_hold_the_others_up() -> None:
    sql = " ".join(f"({n})::text" for n in range(9))
    asked: list[str] = []

    def judge(spellings: Mapping[str, str]) -> dict[str, bool]:
        asked.extend(spellings.values())
        return {key: "(4)::text" in spelling for key, spelling in spellings.items()}

    found = search_all({"one": simpler(sql, "public", (edits.casts,))}, judge)
    assert found == {"one": " ".join(f"({n})" + "::text" * (n == 4) for n in range(9))}
    assert len(asked) < 9


@pytest.mark.parametrize(
    ("sql", "shorter"),
    [
        ("((a AND b) OR c)", "(a AND b) OR c"),
        ("((a OR b) AND c)", "(a OR b) AND c"),
        ("(NOT (a = b))", "NOT (a = b)"),
        ("((a IS NULL) = (b IS NULL))", "(a IS NULL) = (b IS NULL)"),
        ("((a || ' '::text) || b)", "a || ' '::text || b"),
        ("(a - (b - c))", "a - (b - c)"),
        ("((a)::text IS DISTINCT FROM (b)::text)", "a::text IS DISTINCT FROM b::text"),
        ("(a = ANY (b))", "a = ANY (b)"),
        ("f((a))", "f(a)"),
        ("(EXISTS ( SELECT 1))", "EXISTS ( SELECT 1)"),
        ("(a = ( SELECT 1))", "a = ( SELECT 1)"),
        ("((r).f > (a + b))", "(r).f > a + b"),
        ("(CASE WHEN (a OR b) THEN 1 END > 0)", "CASE WHEN a OR b THEN 1 END > 0"),
    ],
)
def test_brackets_that_help_the_reader_stay(sql: str, shorter: str) -> None:
    divided = Sql(sql)
    assert divided.edited(edits.brackets(divided, "public")) == shorter


def test_the_command_takes_the_option(
    new_database: NewDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = new_database(COMPARED)
    with pytest.raises(SystemExit) as end:
        main(["export", "-t", database.url, "--tidy", "--out", str(tmp_path / "state")])
    assert end.value.code == 0, capsys.readouterr().err
    found = load(tmp_path / "state").objects
    table = Ref("table", "public", "t")
    assert getattr(found[Ref("constraint", "public", "positive", table)], "check") == "a > 0"  # noqa: B009
