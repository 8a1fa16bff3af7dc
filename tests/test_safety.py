"""Test that no foreign command is run and no password is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.errors import StatementFailed
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect, rows, run_sql
from tests.conftest import Database

TABLE = "CREATE TABLE public.t (id int PRIMARY KEY, n int);"
EVIL = "; CREATE TABLE public.pwned (); --"


def reconcile(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def declare(folder: Path, text: str) -> Path:
    file = folder / "state.yml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "declared",
    [
        (
            "tables: {t: {constraints: {c: {check: 'true); commit; CREATE TABLE public.pwned (); "
            "--'}}}}"
        ),
        "tables: {t: {columns: {n: {default: '0; CREATE TABLE public.pwned (); --'}}}}",
        "tables: {t: {columns: {x: 'int; CREATE TABLE public.pwned (); --'}}}",
        (
            "tables: {t: {columns: {n: {not_null: true, backfill: {value: '0; "
            "CREATE TABLE public.pwned (); --'}}}}}"
        ),
        "tables: {t: {indexes: {i: {on: ['n); CREATE TABLE public.pwned (); --']}}}}",
        "tables: {t: {indexes: {i: {on: n, where: 'true; CREATE TABLE public.pwned (); --'}}}}",
        "tables: {t: {indexes: {i: {on: n, method: 'btree; CREATE TABLE public.pwned (); --'}}}}",
        "tables: {t: {policies: {p: {using: 'true); CREATE TABLE public.pwned (); --'}}}}",
        "views: {v: {query: 'SELECT 1; CREATE TABLE public.pwned (); --'}}",
        (
            "functions: {'f()': {returns: int, body: SELECT 1, language: 'sql; "
            "CREATE TABLE public.pwned (); --'}}"
        ),
        "functions: {'f()': {returns: 'int; CREATE TABLE public.pwned (); --', body: SELECT 1}}",
        (
            "functions: {'f(a int); CREATE TABLE public.pwned (); "
            "--)': {returns: int, body: SELECT 1}}"
        ),
    ],
)
def test_yaml_strings_cannot_add_a_command(
    new_database: Callable[..., Database], tmp_path: Path, declared: str
) -> None:
    database = new_database(TABLE)
    done = reconcile(
        "apply",
        "--target",
        database.url,
        "--state",
        declare(tmp_path, declared),
        "--yes",
        "--allow",
        "all",
    )
    assert done.exit_code == 1, done.output
    assert database.value("SELECT to_regclass('public.pwned')") is None
    assert database.value("SELECT to_regnamespace('reconcile')") is None


def test_names_cannot_add_a_command(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    name = 'n" int)' + EVIL
    declared = {
        "tables": {
            "t": {
                "columns": {name: "int"},
                "comment": "it's " + EVIL,
                "indexes": {"i" + EVIL: {"on": "n"}},
            }
        }
    }
    target = ("--target", database.url, "--state", declare(tmp_path, json.dumps(declared)))
    done = reconcile("apply", *target, "--yes")
    assert done.exit_code == 0, done.output
    assert database.value("SELECT to_regclass('public.pwned')") is None
    assert (
        database.value(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum = 3"
        )
        == 1
    )
    assert reconcile("plan", *target).exit_code == 0


def test_checks_cannot_add_a_command(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    file = declare(
        tmp_path,
        "checks: {c: {query: 'SELECT 1; COMMIT; CREATE TABLE public.pwned ()', equals: 1}}",
    )
    assert reconcile("verify", "--target", database.url, "--state", file).exit_code == 2
    assert database.value("SELECT to_regclass('public.pwned')") is None


def saved(database: Database, folder: Path) -> Path:
    file = declare(folder, "tables: {t: {indexes: {t_n: {on: n}}}}")
    plan = folder / "plan.json"
    assert (
        reconcile(
            "plan", "--target", database.url, "--state", file, "--format", "json", "--out", plan
        ).exit_code
        == 2
    )
    return plan


def apply_saved(plan: Path, database: Database) -> Result:
    state = plan.parent / "state.yml"
    return reconcile("apply", plan, "--target", database.url, "--state", state, "--yes")


def test_a_saved_plan_runs_once(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    plan = saved(database, tmp_path)
    done = apply_saved(plan, database)
    assert (done.exit_code, done.stdout) == (0, "ok=1 changed=1 failed=0 skipped=0\n")
    second_run = apply_saved(plan, database)
    assert second_run.exit_code == 1
    assert "moved" in second_run.output


def test_an_edited_plan_is_refused(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    plan = saved(database, tmp_path)
    document = json.loads(plan.read_text())
    document["steps"][0]["sql"] = "CREATE TABLE public.pwned ()"
    plan.write_text(json.dumps(document))
    done = apply_saved(plan, database)
    assert done.exit_code == 1
    assert "edited" in done.output
    assert database.value("SELECT to_regclass('public.pwned')") is None


def test_a_forged_plan_cannot_add_a_command(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    plan = saved(database, tmp_path)
    forged = Plan.model_validate_json(plan.read_text())
    step = forged.steps[0].model_copy(update={"sql": forged.steps[0].sql + EVIL})
    plan.write_text(forged.model_copy(update={"steps": (step,)}).sealed().model_dump_json())
    assert apply_saved(plan, database).exit_code == 1
    assert database.value("SELECT to_regclass('public.pwned')") is None


def test_a_plan_is_refused_after_related_changes(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + "CREATE TABLE public.other (id int);")
    plan = saved(database, tmp_path)
    database.run("ALTER TABLE public.t ALTER n TYPE bigint")
    moved = apply_saved(plan, database)
    assert moved.exit_code == 1
    assert "moved" in moved.output
    assert database.value("SELECT to_regclass('public.t_n')") is None


def test_a_plan_is_accepted_after_unrelated_changes(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE + "CREATE TABLE public.other (id int);")
    plan = saved(database, tmp_path)
    database.run("ALTER TABLE public.other ADD COLUMN more text")
    assert apply_saved(plan, database).exit_code == 0


def test_a_hazard_must_be_allowed_by_name(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    target = (
        "--target",
        database.url,
        "--state",
        declare(tmp_path, "tables: {t: {columns: {n: {state: absent}, m: int}}}"),
    )
    shown = reconcile("plan", *target)
    assert shown.exit_code == 2
    assert "data-loss" in shown.stdout
    refused = reconcile("apply", *target, "--yes")
    assert refused.exit_code == 1
    assert "--allow data-loss" in refused.output
    assert (
        database.value(
            "SELECT count(*) FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'm'"
        )
        == 0
    )
    assert reconcile("apply", *target, "--yes", "--allow", "table-rewrite").exit_code == 1
    allowed = reconcile("apply", *target, "--yes", "--allow", "data-loss")
    assert allowed.exit_code == 0, allowed.output


def test_apply_asks_and_without_a_terminal_refuses(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    done = reconcile(
        "apply",
        "--target",
        database.url,
        "--state",
        declare(tmp_path, "tables: {t: {indexes: {t_n: {on: n}}}}"),
    )
    assert done.exit_code == 1
    assert "--yes" in done.output
    assert database.value("SELECT to_regclass('public.t_n')") is None


def test_planning_writes_nothing(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    before = database.dump()
    for command in ("plan", "drift", "verify"):
        reconcile(
            command,
            "--target",
            database.url,
            "--state",
            declare(tmp_path, "tables: {t: {indexes: {t_n: {on: n}}}}"),
        )
    assert database.dump() == before
    assert database.value("SELECT to_regnamespace('reconcile')") is None


def test_the_password_is_printed_nowhere(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    secret = "hunter2-%40-secret"
    with connect(database.url) as connection:
        info = connection.info
        url = f"postgresql://{info.user}:{secret}@/{info.dbname}?host={info.host}"
    file = declare(tmp_path, "tables: {t: {indexes: {t_n: {on: n}}}}")
    outputs = [
        reconcile("plan", "--target", url, "--state", file, "--format", form).output
        for form in ("text", "json", "sql", "markdown")
    ]
    outputs.append(reconcile("drift", "--target", url, "--state", file, "--format", "json").output)
    outputs.append(reconcile("apply", "--target", url, "--state", file, "--yes").output)
    outputs.append(
        reconcile("plan", "--target", url.replace("host=", "host=/nowhere"), "--state", file).output
    )
    outputs.append(
        reconcile(
            "plan", "--target", f"postgresql://u:{secret}@localhost:1/x", "--state", file
        ).output
    )
    outputs.append(
        reconcile(
            "plan", "--target", f"postgresql://u:{secret}@localhost:port/x", "--state", file
        ).output
    )
    outputs.append(str(database.rows("SELECT r::text FROM reconcile.run AS r")))
    outputs.append(str(database.rows("SELECT s::text FROM reconcile.step AS s")))
    assert "changed=1" in outputs[5]
    for output in outputs:
        assert "hunter2" not in output


def test_one_command_at_a_time(database: Database) -> None:
    with connect(database.url) as connection:
        for execute in (run_sql, rows):
            with pytest.raises(StatementFailed, match="multiple commands"):
                execute(connection, "SELECT 1; SELECT 2")


def test_a_saved_plan_is_for_one_database_only(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    plan = saved(new_database(TABLE), tmp_path)
    shadow = new_database(TABLE)
    done = apply_saved(plan, shadow)
    assert done.exit_code == 1
    assert "another database" in done.output
    assert shadow.value("SELECT to_regclass('public.t_n')") is None


def test_a_broken_url_is_not_repeated() -> None:
    done = reconcile("plan", "--target", "postgresql://u:hunter2@[::1/x", "--state", "nowhere.yml")
    assert done.exit_code == 1
    assert "hunter2" not in done.output


def test_json_output_is_one_document(new_database: Callable[..., Database], tmp_path: Path) -> None:
    database = new_database(TABLE)
    file = declare(tmp_path, json.dumps({"tables": {"t": {"comment": "a\u2028b\u0085c"}}}))
    shown = reconcile("plan", "--target", database.url, "--state", file, "--format", "json")
    assert json.loads(shown.stdout)["changes"][0]["after"]["comment"] == "a\u2028b\u0085c"


def test_a_script_keeps_function_bodies_unchanged(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    database = new_database(TABLE)
    body = "SELECT 'a\r\nb\x0cc \\x :n :''t'' $1 é'"
    file = declare(tmp_path, json.dumps({"functions": {"f()": {"returns": "text", "body": body}}}))
    target = ("--target", database.url, "--state", file)
    script = tmp_path / "plan.sql"
    assert reconcile("plan", *target, "--format", "sql", "--out", script).exit_code == 2  # changes
    done = database.psql(script.read_bytes().decode())
    assert done.stderr == ""
    assert database.value("SELECT prosrc FROM pg_proc WHERE proname = 'f'") == body


def test_an_output_file_that_cannot_be_written_is_an_error(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    file = declare(tmp_path, "tables: {t: {comment: x}}")
    done = reconcile(
        "plan", "--target", new_database(TABLE).url, "--state", file, "--out", "/proc/nope/x"
    )
    assert done.exit_code == 1
    assert "/proc/nope/x" in done.stderr


def test_an_output_file_is_not_written_through_a_link(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """A link beside the declaration may come out of a pull request."""
    other, link, out = tmp_path / "other", tmp_path / "link.json", tmp_path / "new" / "plan.json"
    other.write_text("as it was")
    link.symlink_to(other)
    file = declare(tmp_path, "tables: {t: {comment: x}}")
    plan = ("plan", "--target", new_database(TABLE).url, "--state", file, "--format", "json")
    done = reconcile(*plan, "--out", link)
    assert done.exit_code == 1
    assert "remove the link" in done.stderr
    assert other.read_text() == "as it was"
    assert reconcile(*plan, "--out", out).exit_code == 2  # changes
    assert json.loads(out.read_text())["changes"]


def test_an_unset_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("reconcile.yml").write_text('targets: {p: {url: "${NOPE_URL}"}}')
    declare(tmp_path, "schemas: {s: {}}")
    done = reconcile("plan", "--target", "p", "--state", "state.yml")
    assert done.exit_code == 1
    assert "no NOPE_URL" in done.stderr


def test_files_that_declare_nothing_are_an_error(database: Database, tmp_path: Path) -> None:
    plan = ("plan", "--target", database.url, "--state", declare(tmp_path, "tables:"))
    done = reconcile(*plan)
    assert done.exit_code == 1
    assert "declares nothing" in done.stderr
    assert "--allow-empty" in done.stderr
    assert reconcile(*plan, "--allow-empty").exit_code == 0
