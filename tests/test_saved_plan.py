"""A saved plan is hostile: what vouches for it is the declaration, the journal or a signature."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.plan.saved import disagreements, has_signature, signed
from tests.conftest import Database
from tests.roles import DEPLOYER, READER, create_roles, url_of
from tests.test_safety import declare, reconcile

START = "CREATE TABLE public.t (id int, n int);"
DECLARED = "tables: {t: {columns: {n: {state: absent}}, indexes: {t_id: {on: id}}}}"
KEY = "0123456789abcdef0123456789abcdef"
Edit = Callable[[dict[str, Any]], object]


EDITS: dict[str, Edit] = {
    "sql": lambda d: d["steps"][0].update(sql="CREATE TABLE public.pwned ()"),
    "hazard": lambda d: [s.update(hazards=[]) for s in d["steps"]],
    "order": lambda d: d["steps"].reverse(),
    "lock": lambda d: d["steps"][0].update(lock="ACCESS SHARE"),
    "question": lambda d: d["steps"][0].update(
        question={"relation": "public.t", "condition": "public.spy()", "meaning": "rows"}
    ),
    "transaction": lambda d: d["steps"][-1].update(transaction="other"),
    "transactional": lambda d: [s.update(transactional=not s["transactional"]) for s in d["steps"]],
    "undo": lambda d: d["steps"][0].update(undo=["CREATE TABLE public.pwned ()"]),
    "cleanup": lambda d: d["steps"][0].update(cleanup=["CREATE TABLE public.pwned ()"]),
    "step": lambda d: d["steps"].pop(),
    "before": lambda d: d["changes"][0].update(before={"type": "text"}),
    "after": lambda d: d["changes"][-1].update(after={"on": ["n"]}),
    "change": lambda d: d["changes"].pop(),
    "touches": lambda d: d.update(touches=[]),
}


def _edited(plan: Plan, edit: Edit) -> Plan:
    """Edit a plan, and compute the digest again, as everybody can."""
    document = json.loads(plan.model_dump_json())
    edit(document)
    return Plan.model_validate(document).sealed()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder without reconcile.yml and desired_state, the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RECONCILE_PLAN_KEY", raising=False)
    return tmp_path


@pytest.fixture
def saved(database: Database, folder: Path) -> tuple[Plan, Path]:
    """Return a plan with a hazard, and its file."""
    database.run(START)
    job = Job(database.url, load(declare(folder, DECLARED)), Scope(frozenset({"public"})))
    plan = pipeline.plan_changes(job)
    file = folder / "plan.json"
    file.write_text(plan.model_dump_json())
    return plan, file


def _apply(database: Database, file: Path, *options: object) -> tuple[int, str]:
    done = reconcile("apply", file, "--target", database.url, *options, "--yes")
    return done.exit_code, done.output


def _pwned(database: Database) -> bool:
    return bool(database.value("SELECT to_regclass('public.pwned') IS NOT NULL"))


def test_every_edit_of_a_plan_is_seen(saved: tuple[Plan, Path]) -> None:
    plan, _ = saved
    assert plan.hazards()
    assert disagreements(plan, plan) == []
    moved = plan.changes[0].model_copy(update={"position": None})
    elsewhere = plan.model_copy(update={"changes": (moved, *plan.changes[1:]), "notes": ("n",)})
    assert disagreements(elsewhere, plan) == []
    sealed = signed(plan, KEY.encode())
    assert has_signature(Plan.model_validate_json(sealed.model_dump_json()), KEY.encode())
    assert not has_signature(sealed, KEY[::-1].encode())
    for name, edit in EDITS.items():
        forged = _edited(sealed, edit)
        assert forged.intact(), name
        assert disagreements(forged, plan), name
        assert not has_signature(forged, KEY.encode()), name


def test_with_the_declaration_at_hand_an_edited_plan_is_refused(
    database: Database, saved: tuple[Plan, Path], folder: Path
) -> None:
    plan, file = saved
    state = ("--state", folder / "state.yml", "--allow", "all")
    file.write_text(_edited(plan, EDITS["undo"]).model_dump_json())
    status, output = _apply(database, file, *state)
    assert (status, "not the plan that would be made now" in output) == (1, True), output
    assert "step 1 has another undo" in output
    file.write_text(plan.model_dump_json())
    assert _apply(database, file, *state)[0] == 0


def test_a_choice_made_by_size_stays_as_saved(database: Database, folder: Path) -> None:
    database.run("CREATE TABLE public.t (n int); INSERT INTO t VALUES (1); ANALYZE t;")
    state = declare(folder, "tables: {t: {columns: {u: {type: uuid, default: gen_random_uuid()}}}}")
    job = Job(database.url, load(state), Scope(frozenset({"public"})))
    plan = pipeline.plan_changes(job)
    database.run("INSERT INTO t SELECT generate_series(1, 2000); ANALYZE t;")
    assert not any(s.fill for s in plan.steps), "a large table would be filled in batches"
    pipeline.planned_again(plan, job)


def test_a_plan_of_a_role_that_only_reads_is_run_by_the_owner(
    database: Database, folder: Path
) -> None:
    create_roles(database)
    database.run(f"CREATE TABLE t (id int, n int); ALTER TABLE t OWNER TO {DEPLOYER};")
    state = declare(folder, "tables: {t: {indexes: {t_id: id}}, new: {columns: {n: int}}}")
    file = folder / "plan.json"
    save = ("--state", state, "--format", "json", "--out", file)
    assert reconcile("plan", "--target", url_of(database, READER), *save).exit_code == 2
    applying = ("--target", url_of(database, DEPLOYER), "--state", state)
    done = reconcile("apply", file, *applying, "--yes")
    assert done.exit_code == 0, done.output
    assert reconcile("plan", *applying).exit_code == 0
    path = '$.changes[*] ? (@.kind == "table").after.owner'
    recorded = database.value(f"SELECT jsonb_path_query_array(plan, '{path}') FROM reconcile.run")
    assert recorded == [DEPLOYER]


def test_a_plan_is_made_for_the_role_that_runs_it(database: Database, folder: Path) -> None:
    """The owner, the owner's default privileges and grants are those of that role."""
    create_roles(database)
    database.run(
        f"CREATE TABLE t (id int); ALTER TABLE t OWNER TO {DEPLOYER};"
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {DEPLOYER} GRANT SELECT ON TABLES TO public;"
    )
    new = f"{{owner: {DEPLOYER}, columns: {{n: int}}, exclusive: [grants], grants: {{}}}}"
    state = declare(folder, f"tables: {{t: {{grants: {{{READER}: select}}}}, new: {new}}}")
    file = folder / "plan.json"
    reading = ("--target", url_of(database, READER), "--state", state)
    save = ("plan", *reading, "--format", "json", "--out", file)
    applying = ("--target", url_of(database, DEPLOYER), "--state", state)
    assert reconcile(*save).exit_code == 2
    assert reconcile("apply", file, *applying, "--yes").exit_code == 1, "ALTER TABLE OWNER TO"
    assert reconcile(*save, "--for-role", DEPLOYER).exit_code == 2
    plan = Plan.model_validate_json(file.read_text())
    assert not [step.sql for step in plan.steps if "OWNER" in step.sql]
    revoked = [step.sql for step in plan.steps if step.sql.startswith("REVOKE")]
    assert revoked == ["REVOKE ALL ON TABLE public.new FROM PUBLIC"]
    done = reconcile("apply", file, *applying, "--yes")
    assert done.exit_code == 0, done.output
    assert reconcile("plan", *applying).exit_code == 0
    unknown = reconcile("plan", *reading, "--for-role", "nobody")
    assert (unknown.exit_code, "does not exist: nobody" in unknown.output) == (1, True)


def test_without_the_declaration_nobody_vouches_for_a_plan(
    database: Database, saved: tuple[Plan, Path]
) -> None:
    plan, file = saved
    file.write_text(_edited(plan, EDITS["hazard"]).model_dump_json())
    status, output = _apply(database, file)
    assert (status, "nobody vouches for the plan, and no terminal" in output) == (1, True), output
    assert database.value("SELECT to_regclass('public.t_id')") is None
    file.write_text(_edited(plan, EDITS["sql"]).model_dump_json())
    status, output = _apply(database, file, "--allow", "data-loss")
    assert (status, _pwned(database)) == (1, False)
    file.write_text(plan.model_dump_json())
    status, output = _apply(database, file, "--allow", "all")
    assert (status, "note: nobody vouches for the changes" in output) == (0, True), output


def test_checking_a_plan_that_nobody_vouches_for_runs_none_of_its_sql(
    database: Database, folder: Path
) -> None:
    database.run(
        START
        + """INSERT INTO public.t VALUES (1, 1); CREATE TABLE public.called ();
        CREATE FUNCTION public.spy() RETURNS boolean LANGUAGE plpgsql AS
            'BEGIN RAISE EXCEPTION ''the plan asks''; END';"""
    )
    declaration = load(declare(folder, DECLARED))
    plan = pipeline.plan_changes(Job(database.url, declaration, Scope(declaration.schemas)))
    file = folder / "plan.json"
    file.write_text(_edited(plan, EDITS["question"]).model_dump_json())
    arguments = ("apply", file, "--target", database.url, "--check", "--allow")
    shown = reconcile(*arguments, "data-loss")
    assert (shown.exit_code, "looked at nothing on the target" in shown.output) == (2, True)
    assert "the plan asks" not in shown.output
    assert "the plan asks" in reconcile(*arguments, "all").output


def test_a_key_vouches_for_the_plans_that_it_signed(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database.run(START)
    state = declare(folder, DECLARED)
    file = folder / "plan.json"
    monkeypatch.setenv("RECONCILE_PLAN_KEY", KEY)
    target = ("--target", database.url)
    reconcile("plan", *target, "--state", state, "--format", "json", "--out", file)
    plan = Plan.model_validate_json(file.read_text())
    assert KEY not in file.read_text()
    edits: tuple[tuple[Edit, str], ...] = (
        (EDITS["sql"], "another signature"),
        (lambda d: d.update(signature=""), "no signature"),
        (lambda d: d.update(signature="é"), "another signature"),
    )
    for edit, told in edits:
        file.write_text(_edited(plan, edit).model_dump_json())
        status, output = _apply(database, file, "--allow", "all")
        assert (status, told in output, KEY in output) == (1, True, False), output
    file.write_text(plan.model_dump_json())
    assert _apply(database, file, "--allow", "data-loss")[0] == 0
    monkeypatch.setenv("RECONCILE_PLAN_KEY", KEY[:9])
    status, output = _apply(database, file)
    assert (status, "shorter than 32" in output, KEY[:9] in output) == (1, True, False)


def _broken(folder: Path) -> Iterator[tuple[Path, str]]:
    for name, content, told in (
        ("version", b'{"version": 2, "target": "x", "in_sync": true}', "version"),
        ("type", b'{"target": 1, "in_sync": true, "steps": {}}', "target"),
        ("nul", b'{"target": "x\\u0000", "in_sync": true}', "NUL"),
        ("deep", b'{"changes": ' + b"[" * 100_000, "not a plan"),
        ("keys", b'{"' + b"k" * 100_000 + b'": 1}', "not a plan"),
        ("bytes", b"\xff\xfe", "not a plan"),
    ):
        file = folder / name
        file.write_bytes(content)
        yield file, told
    os.mkfifo(folder / "fifo")
    yield folder / "fifo", "regular file"
    with (folder / "large").open("wb") as large:
        large.truncate(65 << 20)
    yield folder / "large", "larger than"


def test_a_broken_file_is_refused_shortly(database: Database, folder: Path) -> None:
    for file, told in _broken(folder):
        status, output = _apply(database, file)
        assert (status, told in output, len(output) < 2000) == (1, True, True), (file, output[:500])
        assert "Traceback" not in output
