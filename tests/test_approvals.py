"""Test approvals.yml: reviewed lines that let single hazards through, each once for a target."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from tests.conftest import Database, as_application

START = "CREATE TABLE t (id int, a int, b text); INSERT INTO t VALUES (1, 2, '3')"
WITHOUT_A = "tables: {t: {columns: {id: int, a: {state: absent}}}}"
Make = Callable[..., Database]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desired_state").mkdir()
    file = tmp_path / "desired_state" / "t.yml"
    file.write_text(WITHOUT_A)
    return file


def _run(command: str, database: Database, *options: str) -> Result:
    return CliRunner().invoke(main, [command, *options, "--target", database.url])


def _apply(database: Database, *options: str) -> Result:
    return _run("apply", database, "--yes", *options)


def _plan(database: Database, *options: str, command: str = "plan") -> dict[str, Any]:
    done = _run(command, database, "--format", "json", *options)
    assert done.exit_code in (0, 2), done.output
    return json.loads(done.stdout)


def _lines(plan: dict[str, Any]) -> list[str]:
    return [permission["line"] for permission in plan["permissions"]]


def _approve(*lines: str, reason: str = "it was archived") -> None:
    shown = "\n".join(line.replace('reason: ""', f'reason: "{reason}"') for line in lines)
    Path("approvals.yml").write_text(shown + "\n")


def _columns(database: Database) -> set[object]:
    query = "SELECT attname FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0"
    return {row[0] for row in database.rows(f"{query} AND NOT attisdropped")}


def test_the_line_of_a_plan_lets_its_hazard_through_once(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    text = _run("plan", database)
    (line,) = _lines(_plan(database))
    assert line in text.stdout
    refused = _apply(database)
    assert refused.exit_code == 1
    assert line in refused.stderr
    _approve(line)
    assert "let through by approvals.yml:1: it was archived" in _run("plan", database).stdout
    done = _apply(database)
    assert done.exit_code == 0, done.output
    assert _columns(database) == {"id", "b"}
    database.run("ALTER TABLE t ADD a int")
    again = _plan(database)
    assert _lines(again) == [line]
    assert any("a run on this target has used it" in note for note in again["notes"])
    refused = _apply(database)
    assert refused.exit_code == 1
    assert "a run on this target has used it" in refused.stderr
    assert _columns(database) == {"id", "b", "a"}
    first = Path("approvals.yml").read_text()
    Path("approvals.yml").write_text(first + line.replace('""', '"once more"'))
    assert _apply(database).exit_code == 0
    assert _columns(database) == {"id", "b"}


def test_another_target_has_uses_of_its_own(state: Path, new_database: Make) -> None:
    del state
    one, two = new_database(START), new_database(START)
    _approve(*_lines(_plan(one)))
    assert _apply(one).exit_code == 0
    assert _apply(two).exit_code == 0


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("CREATE TABLE t (id int, a bigint, b text)", "approved for another change"),
        ("CREATE TABLE t (id int, a int NOT NULL, b text)", "approved for another change"),
    ],
)
def test_another_change_of_the_object_is_refused(
    state: Path, new_database: Make, start: str, message: str
) -> None:
    del state
    _approve(*_lines(_plan(new_database(START))))
    database = new_database(start)
    refused = _apply(database)
    assert refused.exit_code == 1
    assert message in refused.stderr
    assert "a" in _columns(database)


def test_another_expression_for_the_same_type_is_another_change(
    state: Path, new_database: Make
) -> None:
    database = new_database(START)
    declared = "tables: {t: {columns: {b: {type: int, using: USED}}}}"
    state.write_text(declared.replace("USED", "b::int"))
    lines = _lines(_plan(database))
    assert lines
    state.write_text(declared.replace("USED", "length(b)"))
    assert not {*_lines(_plan(database))} & {*lines}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"column public.t.a"', '"column public.t.b"'),
        ('"column public.t.a"', '"table public.t"'),
        ("data-loss", "table-rewrite"),
    ],
)
def test_another_object_or_hazard_is_refused(
    state: Path, new_database: Make, old: str, new: str
) -> None:
    del state
    database = new_database(START)
    (line,) = _lines(_plan(database))
    assert old in line
    _approve(line.replace(old, new))
    refused = _apply(database)
    assert refused.exit_code == 1
    assert "the plan has no such hazard" in refused.stderr
    assert "a" in _columns(database)


def test_without_a_journal_nothing_is_let_through(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    _approve(*_lines(_plan(database)))
    refused = _apply(database, "--no-journal")
    assert refused.exit_code == 1
    assert "lets nothing through without a journal" in refused.stderr
    assert "a" in _columns(database)
    Path("reconcile.yml").write_text("journal: false")
    plan = _plan(database)
    assert plan["permissions"][0]["given_by"] == ""
    assert any("without a journal" in note for note in plan["notes"])
    assert _apply(database, "--no-journal", "--allow", "data-loss").exit_code == 0


def test_a_journal_that_others_may_write_counts_nothing(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    _approve(*_lines(_plan(database)))
    database.run("CREATE SCHEMA reconcile; GRANT CREATE ON SCHEMA reconcile TO PUBLIC")
    assert _plan(database)["permissions"][0]["given_by"] == ""
    refused = _apply(database)
    assert refused.exit_code == 1
    assert "is not used as the journal" in refused.stderr


def test_a_role_that_may_not_read_the_journal_plans_and_says_so(
    state: Path, new_database: Make
) -> None:
    del state
    database = new_database(START)
    _approve(*_lines(_plan(database)))
    assert _apply(database).exit_code == 0
    database.run(
        "ALTER TABLE t ADD a int; DO $$ BEGIN CREATE ROLE only_looks; EXCEPTION"
        " WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    plan = _plan(database, "--set", "role=only_looks")
    assert plan["permissions"][0]["given_by"] == ""
    assert any("cannot be read" in note for note in plan["notes"])


def test_the_journal_of_the_role_that_will_apply_counts(state: Path, new_database: Make) -> None:
    """The database belongs to another role, as on most servers that somebody else runs."""
    del state
    database = new_database(START)
    for role in ("only_plans", "only_applies"):
        database.run(
            f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION"
            " WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    database.run(
        "CREATE SCHEMA reconcile AUTHORIZATION only_applies; ALTER TABLE t OWNER TO only_applies;"
        "GRANT CREATE ON SCHEMA public TO only_applies; GRANT pg_read_all_data TO only_plans"
    )
    _approve(*_lines(_plan(database)))
    planner = ("--set", "role=only_plans")
    assert _plan(database, *planner)["permissions"][0]["given_by"] == ""
    will_apply = (*planner, "--for-role", "only_applies")
    assert _plan(database, *will_apply)["permissions"][0]["given_by"]
    assert _apply(database, "--set", "role=only_applies").exit_code == 0
    database.run("ALTER TABLE t ADD a int; ALTER TABLE t OWNER TO only_applies")
    used = _plan(database, *will_apply)
    assert used["permissions"][0]["given_by"] == ""
    assert any("a run on this target has used it" in note for note in used["notes"])


def test_flags_go_first_and_use_no_line_up(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    _approve(*_lines(_plan(database)))
    plan = _plan(database, "--allow", "data-loss", "--allow", "long-scan")
    assert [p["given_by"] for p in plan["permissions"]] == ["--allow data-loss"]
    assert _lines(plan) == [""]
    text = _run("plan", database, "--allow", "all").stdout
    assert "column public.t.a: let through by --allow all" in text
    assert "apply refuses" not in text
    assert _apply(database, "--allow", "data-loss").exit_code == 0
    database.run("ALTER TABLE t ADD a int")
    assert _apply(database).exit_code == 0


def test_a_plan_marks_what_is_still_refused(state: Path, new_database: Make) -> None:
    state.write_text("tables: {t: {columns: {a: {state: absent}, b: int}}}")
    database = new_database(START)
    lines = _lines(_plan(database))
    assert len(lines) == 2
    _approve(*(line for line in lines if "data-loss" in line))
    done = _run("plan", database)
    assert done.exit_code == 2
    assert "column public.t.a: let through by approvals.yml:1" in done.stdout
    assert "apply refuses unless it is told: --allow table-rewrite\n" in done.stdout
    refused = _apply(database)
    assert refused.exit_code == 1
    assert "data-loss" not in refused.stderr.split("error: ")[1]
    assert _columns(database) == {"id", "a", "b"}
    _approve(*lines)
    assert _apply(database).exit_code == 0


def test_a_run_that_failed_before_the_change_uses_nothing_up(
    state: Path, new_database: Make
) -> None:
    del state
    database = new_database(START)
    _approve(*_lines(_plan(database)))
    with as_application(database.url) as other:
        other.execute("BEGIN; LOCK TABLE t IN ACCESS SHARE MODE")
        failed = _apply(database, "--lock-timeout", "0.1", "--retry-for", "0")
        other.execute("ROLLBACK")
    assert failed.exit_code == 1
    assert "failed=1" in failed.stdout
    assert _apply(database).exit_code == 0
    assert _columns(database) == {"id", "b"}


def test_a_look_at_what_would_be_refused_uses_nothing_up(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    assert _run("apply", database, "--check").exit_code == 1
    _approve(*_lines(_plan(database)))
    for _ in range(2):
        assert _run("apply", database, "--check").exit_code == 2
    assert _apply(database).exit_code == 0


def test_saved_plans_honour_lines_and_not_what_the_file_claims(
    state: Path, new_database: Make
) -> None:
    del state
    database, saved = new_database(START), Path("plan.json")
    plan = _plan(database)
    for permission in plan["permissions"]:
        permission["given_by"] = "--allow all"
    saved.write_text(json.dumps(plan))
    refused = _apply(database, str(saved))
    assert refused.exit_code == 1
    assert "if you mean it: --allow data-loss" in refused.stderr
    assert "let through" not in refused.stderr
    (line,) = _lines(_plan(database))
    _approve(line)
    assert _apply(database, str(saved)).exit_code == 0
    database.run("ALTER TABLE t ADD a int")
    saved.write_text(json.dumps(_plan(database)))
    assert _apply(database, str(saved)).exit_code == 1


def test_rollbacks_honour_lines(state: Path, new_database: Make) -> None:
    database = new_database(START)
    state.write_text("tables: {t: {columns: {new: int}}}")
    assert _apply(database).exit_code == 0
    refused = _run("rollback", database, "--yes")
    assert refused.exit_code == 1
    shown = [w for w in refused.stderr.splitlines() if w.strip().startswith("- {hazard: data-loss")]
    _approve(shown[0].strip())
    done = _run("rollback", database, "--yes")
    assert done.exit_code == 0, done.output
    assert "new" not in _columns(database)


BLANK = "reason: ' '"
GOOD = f'{{hazard: data-loss, object: "table public.t", digest: {"0" * 64}, reason: old}}'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x: 1", "expected a list, got a mapping"),
        ("- data-loss", "expected a mapping with hazard, object, digest, reason"),
        (f"- {GOOD.replace('reason: old', 'reason: old, reason: new')}", "'reason' is given twice"),
        (f"- {GOOD.replace('reason: old', 'reasons: old')}", "unknown key 'reasons'"),
        (f"- {GOOD.replace('reason: old', 'reason: [old]')}", "reason: expected text, got a list"),
        (f"- {GOOD.replace('reason: old', 'reason:')}", "reason: say why"),
        (f"- {GOOD.replace('reason: old', BLANK)}", "reason: say why"),
        (f"- {GOOD.replace('data-loss', 'dataloss')}", "did you mean 'data-loss'?"),
        (f"- {GOOD.replace('data-loss', 'all')}", "unknown hazard 'all'"),
        (f"- {GOOD.replace('0' * 64, 'abc')}", "expected 64 hexadecimal digits"),
        (f"- {GOOD.replace('0' * 64, '{}')}", "digest: expected text, got a mapping"),
        (f"- {GOOD.replace('reason: old', 'reason: ' + 'x' * 20_000)}", "longer than"),
        (f"- {GOOD}\n- {GOOD}", "the same as in line 1"),
        (f"- {GOOD}\n---\n- {GOOD}", "expected one document"),
        ("- &a {hazard: data-loss}\n- *a", "approvals.yml:1"),
        ("- {hazard: data-loss}", "object is missing"),
        ("\t- x", "approvals.yml:1"),
        ("- " * 5000, "approvals.yml"),
        (f"# {'x' * (1 << 20)}", "larger than"),
        ("\x00", "approvals.yml"),
    ],
)
def test_wrong_files_are_refused_with_their_line(
    state: Path, new_database: Make, content: str, message: str
) -> None:
    del state
    Path("approvals.yml").write_text(content)
    database = new_database(START)
    for command in ("plan", "apply"):
        done = _run(command, database, *(("--yes",) if command == "apply" else ()))
        assert done.exit_code == 1, done.output
        assert isinstance(done.exception, SystemExit)
        assert message in done.stderr
    assert "a" in _columns(database)


def test_empty_files_approve_nothing(state: Path, new_database: Make) -> None:
    del state
    database = new_database(START)
    for content in ("", "# nothing\n", "[]"):
        Path("approvals.yml").write_text(content)
        assert len([*filter(None, _lines(_plan(database)))]) == 1


def test_links_and_files_of_the_state_approve_nothing(state: Path, new_database: Make) -> None:
    database = new_database(START)
    (line,) = _lines(_plan(database))
    _approve(line)
    hidden = state.parent / "approvals.yml"
    Path("approvals.yml").rename(hidden)
    for command in ("plan", "apply"):
        done = _run(command, database)
        assert done.exit_code == 1
        assert "not among the files of the state" in done.stderr
    hidden.rename("other.yml")
    Path("approvals.yml").symlink_to("other.yml")
    done = _run("plan", database)
    assert done.exit_code == 1
    assert "is a link" in done.stderr
    Path("approvals.yml").unlink()
    Path("approvals.yml").mkdir()
    done = _run("plan", database)
    assert done.exit_code == 1
    assert "no regular file" in done.stderr


def test_names_from_outside_stay_in_their_line(state: Path, new_database: Make) -> None:
    name = 'a"}\n- {x: \u202e ::error::#'
    database = new_database(START)
    with as_application(database.url) as connection:
        connection.execute(
            f'ALTER TABLE t RENAME a TO "{name.replace(chr(34), chr(34) * 2)}"'.encode()
        )
    state.write_text("tables: {t: {exclusive: [columns], columns: {id: int, b: text}}}")
    text = _run("plan", database).stdout
    line = next(w.strip() for w in text.splitlines() if w.strip().startswith("- {hazard: data-l"))
    _approve(line)
    done = _apply(database)
    assert done.exit_code == 0, done.output
    assert _columns(database) == {"id", "b"}
