"""Test options of foreign data: values that may be secret are read, shown and written nowhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report.formats import renderers
from reconciler.server.connection import connect
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet, undo
from tests.test_locks import job_of

SECRETS = """
    api_key pwd sas_token access_token account_key private_key connstr uri "AWS_SECRET" password key
    odbc_DATABASE jdbc_url servers "Pass Word" options passfile sslkey sslpassword
""".replace("Pass Word", "Pass").split()
LISTED = ", ".join(f"{name} 'hush{n}'" for n, name in enumerate(SECRETS))
BEFORE = f"""
    CREATE FOREIGN DATA WRAPPER w OPTIONS (region 'eu', {LISTED});
    CREATE SERVER s FOREIGN DATA WRAPPER w OPTIONS (host 'a', {LISTED});
    CREATE USER MAPPING FOR PUBLIC SERVER s OPTIONS (user 'u', {LISTED});
    CREATE FOREIGN TABLE public.t (a int OPTIONS (column_name 'x', {LISTED}))
        SERVER s OPTIONS (table_name 't', {LISTED});
    """
CHANGED = """
foreign_data_wrappers: {w: {options: {region: us}}}
foreign_servers: {s: {options: {host: b, api_key: {secret}}}}
user_mappings: {public on s: {options: {user: v}}}
foreign_tables: {t: {options: {table_name: r}, columns: {a: {options: {column_name: y}}}}}
"""


def test_values_that_may_be_secret_stay_on_the_server(database: Database, tmp_path: Path) -> None:
    database.run(BEFORE)
    before = database.dump()
    job = job_of(database, CHANGED, tmp_path)
    plan = pipeline.plan_changes(job)
    assert len(plan.changes) == 5
    assert "hush" not in plan.model_dump_json()
    assert not any("hush" in render(plan) for render in renderers("plan").values())
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ())
    assert (outcome.failed, outcome.left) == (0, ())
    assert "hush" not in "".join(str(database.rows(f"TABLE reconcile.{t}")) for t in JOURNAL)
    assert len(re.findall("hush", "".join(database.dump()))) == 5 * len(SECRETS)
    undo(plan, database)
    assert database.dump() == before


JOURNAL = ("run", "step", "touched")


def test_an_export_shows_names_and_is_read_back(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(BEFORE)
    pipeline.export_state(database.url, Scope(frozenset("*"), everything=True), tmp_path)
    written = "".join(p.read_text() for p in tmp_path.rglob("*.yml"))
    assert "hush" not in written
    assert written.count("api_key: {secret}") == 5
    declaration = load(tmp_path)
    scope = Scope(frozenset("*"), everything=True, prune=True)
    assert pipeline.plan_changes(Job(database.url, declaration, scope)).in_sync

    empty = new_database()
    job = Job(empty.url, declaration, scope)
    plan = pipeline.plan_changes(job)
    assert len([n for n in plan.notes if "has no value of api_key, " in n]) == 4
    outcome = pipeline.apply_plan(plan, job, empty.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.left) == (0, ())


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ("foreign_servers: {s: {options: {api_key: x}}}", "options.api_key: the value may be secr"),
        ("foreign_servers: {s: {options: {host: {secret}}}}", "options.host: this value is no sec"),
        ("foreign_servers: {s: {options: {pwd: {secrets}}}}", "pwd"),
        ("foreign_tables: {t: {columns: {a: {options: {Key: x}}}}}", "options.Key: the value may"),
    ],
)
def test_a_value_that_may_be_secret_is_not_declared(
    declared: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "x.yml").write_text(declared)
    with pytest.raises(DeclarationError, match=re.escape(message)) as caught:
        load(tmp_path)
    assert len(caught.value.problems) == 1


def test_dropping_a_hidden_value_is_irreversible(database: Database, tmp_path: Path) -> None:
    database.run(BEFORE)
    declared = """
        foreign_servers: {s: {type: other, options: {host: a}}}
        foreign_tables: {t: {state: absent}}
    """
    plan = pipeline.plan_changes(job_of(database, declared, tmp_path))
    reasons = [reason for found in plan.hazards().values() for reason in found]
    dropped = ("foreign_server s", "user_mapping public on s", "foreign_table public.t")
    for ref in dropped:
        start = f"{ref} is dropped with the values of its options api_key, pwd, "
        assert any(reason.startswith(start) for reason in reasons), reasons


def test_options_that_a_role_may_not_read_are_no_difference(
    database: Database, tmp_path: Path
) -> None:
    database.run(BEFORE + "CREATE USER MAPPING FOR pg_monitor SERVER s OPTIONS (user 'm');")
    declared = "user_mappings: {pg_monitor on s: {options: {user: other}}}"
    job = job_of(database, declared, tmp_path)
    assert not pipeline.plan_changes(job).in_sync
    with connect(database.url) as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE no_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
        )
    unread = Job(job.target, job.declaration, job.scope, session={"role": "no_reader"})
    assert pipeline.plan_changes(unread).in_sync
