"""Test subscriptions: their connection strings stay secret, and nothing connects unless asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, PlanRefused
from reconciler.model.state import Scope
from reconciler.report import sql, text
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_execute import RecordingWatcher
from tests.test_locks import job_of

VARIABLE = "RECONCILE_PUBLISHER"
NEW = f"""
subscriptions:
  prices: {{publications: prices, conninfo: {{env: {VARIABLE}}}, enabled: false}}
"""
OLD = """CREATE SUBSCRIPTION prices CONNECTION 'host=/nowhere password=hidden'
    PUBLICATION prices WITH (connect = false)"""


def rules(error: DeclarationError) -> list[tuple[str, str]]:
    return [(p.rule, p.message) for p in error.problems]


def test_the_connection_string_is_only_in_the_catalog(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "host=/nowhere password=sesame'\\\\x")
    job = job_of(database, NEW, tmp_path)
    plan = pipeline.plan_changes(job)
    watcher = RecordingWatcher()
    outcome = pipeline.apply_plan(plan, job, database.url, watcher, LockPolicy(), [])
    assert (outcome.failed, outcome.left) == (0, ())
    conninfo = database.value("SELECT subconninfo FROM pg_subscription WHERE subname = 'prices'")
    assert conninfo == "host=/nowhere password=sesame'\\\\x"
    shown = [plan.model_dump_json(), str(text.plan(plan)), str(sql.plan(plan))]
    shown += [str(watcher.__dict__), *(journal_of(database, t) for t in ("run", "step", "touched"))]
    assert not [s for s in shown if "sesame" in s]
    assert f":'{VARIABLE}'" in shown[0]


def journal_of(database: Database, table: str) -> str:
    return str(database.value(f"SELECT string_agg(t::text, ' ') FROM reconcile.{table} AS t"))


@pytest.mark.parametrize(
    ("value", "said"),
    [("", "is not set"), ("sesame open", "holds no connection string that libpq can read")],
)
def test_an_unusable_variable_is_refused_before_the_first_step(
    value: str, said: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    job = job_of(database, NEW, tmp_path)
    plan = pipeline.plan_changes(job)
    with pytest.raises(PlanRefused, match=said) as refused:
        pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), [])
    assert "sesame" not in str(refused.value)


def test_a_failure_to_connect_shows_no_password(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "host=/nowhere user=sesame password=sesame dbname=shop")
    job = job_of(database, NEW.replace("enabled: false", "connect: true"), tmp_path)
    plan = pipeline.plan_changes(job)
    assert not plan.steps[0].transactional
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), [])
    (error,) = [o.error for o in outcome.steps if o.status == "failed"]
    assert "could not connect to the publisher" in error
    assert "sesame" not in error


def test_what_only_the_publisher_or_a_secret_allows_is_refused(
    database: Database, tmp_path: Path
) -> None:
    declared = "subscriptions: {prices: {publications: prices, conninfo: {secret}}}"
    with pytest.raises(DeclarationError) as refused:
        pipeline.plan_changes(job_of(database, declared, tmp_path))
    assert rules(refused.value) == [
        (
            "not-made-here",
            "subscription prices does not exist, and no file holds the connection string to create"
            " it with",
        ),
        (
            "not-made-here",
            "subscription prices would be created without connecting, and so without tables to"
            " replicate",
        ),
    ]
    database.run(OLD)
    declared = declared.replace("{secret}", "{secret}, enabled: false, failover: true")
    with pytest.raises(DeclarationError, match="failover is false, and belongs to the slot"):
        pipeline.plan_changes(job_of(database, declared, tmp_path))
    declared = declared.replace("failover", "two_phase")
    with pytest.raises(DeclarationError, match="two_phase is false, and belongs to the slot"):
        pipeline.plan_changes(job_of(database, declared, tmp_path))


@pytest.mark.parametrize(
    ("conninfo", "said"),
    [
        ("host=h password=p", "conninfo"),
        ("{env: PGPASSWORD}", "kept out of files"),
        ("{env: RECONCILE_A, secret}", "kept out of files"),
    ],
)
def test_a_file_holds_no_connection_string(conninfo: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(NEW.replace(f"{{env: {VARIABLE}}}", conninfo))
    with pytest.raises(DeclarationError, match=said):
        load(tmp_path)


def test_a_name_cannot_take_the_place_of_the_secret(tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(NEW.replace("  prices:", f"  \":'{VARIABLE}'\":"))
    with pytest.raises(DeclarationError, match="stands for a secret"):
        load(tmp_path)


def test_an_export_holds_no_connection_string(database: Database, tmp_path: Path) -> None:
    database.run(OLD)
    pipeline.export_state(database.url, Scope(frozenset({"*"}), everything=True), tmp_path)
    exported = (tmp_path / "subscriptions.yml").read_text()
    assert "conninfo: {secret}" in exported
    assert "nowhere" not in exported


def test_dropping_one_with_a_slot_says_what_happens(database: Database, tmp_path: Path) -> None:
    database.run(OLD)
    job = job_of(database, "subscriptions: {prices: {state: absent}}", tmp_path)
    plan = pipeline.plan_changes(job)
    assert [(s.sql, s.transactional) for s in plan.steps] == [("DROP SUBSCRIPTION prices", False)]
    assert {str(h) for h in plan.hazards()} == {"irreversible", "stops-replication"}
