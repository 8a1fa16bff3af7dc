"""Test that the tables in which other tools record their migrations are left alone."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.other_tools import SCHEMAS, TABLES
from reconciler.model.ref import Ref
from reconciler.pipeline import Job
from reconciler.sql import compose, text
from tests.conftest import ROOT, Database
from tests.test_export import EVERYTHING


def test_export_and_prune_leave_them_alone(database: Database, tmp_path: Path) -> None:
    for table in TABLES:
        database.run(text(compose("CREATE TABLE {} (id serial PRIMARY KEY, word text)", table)))
    for schema in SCHEMAS:
        database.run(text(compose("CREATE SCHEMA {0}; CREATE TABLE {0}.t (id int)", schema)))
    database.run("CREATE TABLE mine (id int)")
    _, notes = pipeline.export_state(database.url, EVERYTHING, tmp_path)
    written = "".join(file.read_text() for file in tmp_path.rglob("*.yml"))
    assert "mine" in written
    assert [name for name in (*TABLES, *SCHEMAS) if name in written] == []
    alone = "left alone, as Alembic records its migrations there: "
    assert f"{alone}public.alembic_version, public.alembic_version_id_seq" in notes
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING))
    assert plan.in_sync
    assert {*notes} <= {*plan.notes}


def test_a_declared_one_is_managed(database: Database, tmp_path: Path) -> None:
    database.run(
        "CREATE TABLE alembic_version (version_num varchar(32)); COMMENT ON TABLE"
        " alembic_version IS 'x'; CREATE TABLE django_migrations (id int)"
    )
    (tmp_path / "a.yml").write_text(
        "tables: {alembic_version: {comment: y}, django_migrations: {state: absent}}"
    )
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), EVERYTHING))
    changed = {(c.action, c.identity) for c in plan.changes}
    assert ("alter", "public.alembic_version") in changed
    assert ("drop", "public.django_migrations") in changed
    assert not any("alembic" in note for note in plan.notes)


def test_only_tables_of_these_names_are_theirs() -> None:
    table = Ref("table", "app", "alembic_version")
    assert not EVERYTHING.prunes(Ref("column", "app", "version_num", table))
    assert EVERYTHING.prunes(Ref("table", "app", "alembic_versions"))
    assert EVERYTHING.prunes(Ref("function", "app", "alembic_version", None, ""))
    assert EVERYTHING.prunes(Ref("column", "app", "alembic_version", Ref("table", "app", "t")))


def test_the_document_names_every_table_and_schema(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "beside-other-tools.md").read_text()
    told = page.replace("and their locks", " ".join(f"`{t}_lock`" for t in TABLES))
    assert [name for name in (*TABLES, *SCHEMAS) if f"`{name}`" not in told] == []
    block = page.split("  ```yaml\n")[1].split("  ```")[0]
    (tmp_path / "block.yml").write_text(dedent(block))
    assert load(tmp_path).objects
