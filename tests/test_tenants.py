"""Test tenants end to end: schemas of one database, and databases of one server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from psycopg import conninfo

from reconciler.pipeline import Job
from reconciler.recall.ahead import Ahead
from reconciler.recall.observed import Observed, observe
from tests.conftest import Database
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

HOSTILE = 'a"; DROP TABLE x; --'
TENANTS = {"acme": "acme", "bolt": "Bolt & Co.", "coil": HOSTILE}
DECLARED = """
variables: [tenant, tier]
schema: ${tenant}
schemas: {"${tenant}": {comment: "${tenant} is ${tier}"}}
enums: {mood: [sad, happy]}
tables:
  orders:
    columns: {id: bigint, mood: {type: mood}, total: {type: numeric, default: 0}}
    constraints: {orders_pkey: {primary_key: [id]}, orders_total: {check: total >= 0}}
    indexes: {orders_mood: mood}
  items:
    columns: {"order": {type: bigint, references: orders(id)}}
views:
  happy: SELECT id FROM orders WHERE mood = 'happy'
functions:
  number():
    language: sql
    returns: bigint
    set: {search_path: "${tenant}"}
    body: SELECT count(*) FROM orders
checks:
  orders are counted: {query: SELECT number(), equals: 0}
"""


@pytest.fixture
def one_database(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Declare three tenants, which are schemas of one database."""
    declare(folder, DECLARED)
    monkeypatch.setenv("RECONCILE_SHOP_URL", database.url)
    entries = "".join(
        f"  {name}: {{url: '${{RECONCILE_SHOP_URL}}', vars: {{tenant: {json.dumps(schema)}}}}}\n"
        for name, schema in TENANTS.items()
    )
    groups = "groups: {big: {members: [acme, coil], vars: {tier: gold}}}\n"
    (folder / "reconcile.yml").write_text(
        f"state: state\nvars: {{tier: iron}}\ntargets:\n{entries}{groups}"
    )
    return database


def test_three_schemas_of_one_database_settle(one_database: Database) -> None:
    for name in TENANTS:
        planned = run("plan", "-t", name, "--format", "json")
        assert planned.exit_code == 2, planned.output
        done = run("apply", "-t", name, "--yes")
        assert done.exit_code == 0, done.output
    found = one_database.rows(
        "SELECT nspname::text, obj_description(oid, 'pg_namespace') FROM pg_namespace"
        " WHERE nspname !~ '^(pg_|information|public|reconcile)' ORDER BY nspname"
    )
    assert found == sorted(
        (s, f"{s} is {'iron' if n == 'bolt' else 'gold'}") for n, s in TENANTS.items()
    )
    settled = run("drift", "--all")
    assert settled.exit_code == 0, settled.output
    for name in TENANTS:
        assert run("plan", "-t", name).exit_code == 0
    one_database.run('ALTER TABLE "Bolt & Co.".orders ALTER total DROP DEFAULT')
    drifted = run("drift", "--all", "--format", "json")
    status = {t["name"]: t["in_sync"] for t in json.loads(drifted.stdout)["targets"]}
    assert status == {"acme": True, "bolt": False, "coil": True}
    assert run("verify", "-t", "acme").exit_code in (0, 1)


def test_the_plan_of_one_tenant_concerns_no_other(one_database: Database) -> None:
    assert run("apply", "-t", "acme", "--yes").exit_code == 0
    assert run("apply", "-t", "coil", "--yes").exit_code == 0
    pruned = run("plan", "-t", "acme", "--prune", "--format", "json")
    assert pruned.exit_code == 0, pruned.output
    one_database.run("CREATE TABLE acme.extra (a int)")
    shown = run("plan", "-t", "acme", "--prune", "--no-cache")
    assert "acme.extra" in shown.stdout
    assert HOSTILE not in shown.stdout


def test_three_databases_of_one_url_settle(
    new_database: Callable[..., Database], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = {name: new_database() for name in TENANTS}
    declare(folder, DECLARED)
    own = {n: conninfo.conninfo_to_dict(d.url)["dbname"] for n, d in databases.items()}
    monkeypatch.setenv("RECONCILE_SHOP_URL", databases["acme"].url)
    rows = [
        {"name": n, "dbname": own[n], "groups": ["shops"], "vars": {"tenant": s}}
        for n, s in TENANTS.items()
    ]
    (folder / "tenants.json").write_text(json.dumps(rows))
    (folder / "reconcile.yml").write_text(
        "state: state\ninventory: {url: '${RECONCILE_SHOP_URL}', file: tenants.json}\n"
        "groups: {shops: {vars: {tier: iron}}}\n"
    )
    for name in TENANTS:
        done = run("apply", "-t", name, "--yes")
        assert done.exit_code == 0, done.output
    settled = run("drift", "--limit", "shops")
    assert settled.exit_code == 0, settled.output
    for name, database in databases.items():
        found = {row[0] for row in database.rows("SELECT nspname::text FROM pg_namespace")}
        assert found & {*TENANTS.values()} == {TENANTS[name]}


def test_no_result_is_remembered_for_other_variables(
    one_database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside reconcile.yml gives the variables: the circumstances do not tell them."""
    looked: list[str] = []

    def counted(job: Job, ahead: Ahead, examine: Any, *, partly: bool = False) -> Observed[Any]:
        looked.append("full")
        return observe(job, ahead, examine, partly=partly)

    monkeypatch.setattr("reconciler.cli.drift.observe", counted)
    monkeypatch.setattr("reconciler.cli.comparing.observe", counted)
    tenants = folder / "tenants.json"
    (folder / "reconcile.yml").write_text(
        "state: state\ninventory: {url: '${RECONCILE_SHOP_URL}', file: tenants.json}\n"
    )

    def name_tenants(*schemas: str, tier: object = "iron") -> None:
        tenants.write_text(
            json.dumps(
                [
                    {"name": f"t{n}", "vars": {"tenant": s, "tier": tier}}
                    for n, s in enumerate(schemas)
                ]
            )
        )

    name_tenants("one", "two")
    for target in ("t0", "t1"):
        assert run("apply", "-t", target, "--yes").exit_code == 0
    for command in (("plan", "-t", "t0"), ("drift", "-t", "t0"), ("drift", "--all")):
        name_tenants("one", "two")
        for _ in range(6):  # others may change what all databases share
            looked.clear()
            assert run(*command).exit_code == 0, command
            if not looked:
                break
        assert looked == [], command
        name_tenants("three", "two")
        assert run(*command).exit_code == 2, command
        name_tenants("one", "two", tier="gold")
        assert run(*command).exit_code == 2, command
        assert run(*command, "--var", "tier=iron").exit_code == 0, command
        name_tenants("one", "two")
        assert run(*command, "--var", "tier=gold").exit_code == 2, command


def test_files_without_a_value_are_refused_before_anything_runs(
    one_database: Database, folder: Path
) -> None:
    (folder / "reconcile.yml").write_text("state: state\nvars: {tier: iron}\n")
    done = run("plan", "-t", one_database.url)
    assert done.exit_code == 1
    assert "the target has no variable 'tenant'" in done.stderr
    given = ("--var", "tenant=acme")
    assert run("plan", "-t", one_database.url, *given).exit_code == 2
    assert "expected NAME=VALUE" in run("plan", "-t", one_database.url, "--var", "x").stderr
    assert "lower-case" in run("plan", "-t", one_database.url, "--var", "X=1").stderr
    assert run("validate").exit_code == 0
