"""Test names, bodies and messages that try to leave their place in a document."""

from __future__ import annotations

import io
import json
import random
import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from reconciler import pipeline
from reconciler.apply.outcome import StepOutcome
from reconciler.cli import main
from reconciler.diff.diff import Difference
from reconciler.escape import clipped, document, json_document, one_line
from reconciler.model.state import Scope
from reconciler.model.statement import Hazard, HazardKind
from reconciler.plan.plan import Plan, Planned
from reconciler.plan.step import Step
from reconciler.report import markdown, sql, text
from reconciler.report.progress import Bars
from reconciler.server.locks import LockPolicy
from reconciler.sql import compose, raw
from reconciler.sql import text as text_of
from tests.conftest import Database
from tests.drift_reports import report_of
from tests.test_cases import quiet
from tests.test_locks import job_of

COPY_TO_CLIPBOARD = "\x1b]52;c;cm0=\x07"
CURSOR_UP = "\x1b[2A\x9b2A"
HOSTILE = f"a\n::error::b\n\t::stop-commands::c{COPY_TO_CLIPBOARD}{CURSOR_UP}\u202ed ##[group]"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a\nb\r\tc", "a\\nb\\r\tc"),
        (COPY_TO_CLIPBOARD, r"\x1b]52;c;cm0=\x07"),
        (
            "\x7f\x9b\u202e\u2066\u200b\u2028\ufeff\U000e0041",
            r"\x7f\u009b\u202e\u2066\u200b\u2028"
            r"\ufeff\U000e0041",
        ),
        ("\ufffe\uffff", r"\ufffe\uffff"),
        ("::error::x", r"\x3a:error::x"),
        ("\xa0 ::set-output name=a::b", "\xa0 \\x3a:set-output name=a::b"),
        ("x ##[group]y", r"x \x23#[group]y"),
        ("##vso[task.complete]", r"\x23#vso[task.complete]"),
        ("größe 表 x::text # a[1:2]", "größe 表 x::text # a[1:2]"),
    ],
)
def test_hidden_characters_and_commands_of_workflows_are_shown(written: str, shown: str) -> None:
    assert one_line(written) == shown
    assert one_line(shown) == shown
    assert document([written, "next"]) == f"{shown}\nnext\n"


def test_long_lines_say_what_is_left_out() -> None:
    assert clipped("x" * 10, 4) == "xxxx … (6 more characters: --format json shows all)"


def test_json_stays_json() -> None:
    shown = json_document({HOSTILE: [HOSTILE, "größe \ud800"]})
    assert json.loads(shown) == {HOSTILE: [HOSTILE, "größe \ud800"]}
    assert hidden(shown) == []


# -- psql -----------------------------------------------------------------------------------------


def before(intruder: Path) -> str:
    """Return objects whose names and bodies psql must not obey."""
    escape = f"x\n\\! touch {intruder}\n--"
    return rf"""
        CREATE TABLE public.t (a int[], "USER" int, "{escape}" text DEFAULT E'\\! touch');
        CREATE INDEX "{escape}" ON public.t ("USER");
        CREATE INDEX "::error::" ON public.t (("USER" + 1));
        COMMENT ON TABLE public.t IS E'a\n\\! touch {intruder}\n::error::\x1b[2A :USER \\';
        """


DECLARED = r"""
tables:
  t:
    comment: "it's \\ \"x\"\n\\! touch /tmp/x\n::error:: :USER \e[2A \N"
    columns:
      a: int[]
      '"USER"': int
      b: {type: text, default: "E'\\\\ :USER '':\"USER\"'' $$'"}
    constraints:
      nothing: {check: "b = NULL OR b = ''"}
      later: {check: "'2020-02-03 00:00'::timestamptz < now()"}
      slice: {check: 'a[1:"USER"] IS NOT NULL'}
functions:
  "begin()":
    returns: text
    language: sql
    body: "SELECT $$;\r\n::error:: \\! touch\n:USER\n\e]52;c;x\a$$"
  atomic(begin int):
    returns: int
    language: sql
    body: "BEGIN ATOMIC SELECT CASE begin WHEN 1 THEN 2 END; SELECT begin; END"
"""


def test_psql_obeys_nothing_in_a_script_and_does_what_apply_does(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    intruder = tmp_path / "intruder"
    database, by_psql = (new_database(before(intruder)) for _ in range(2))
    job = job_of(database, DECLARED, tmp_path)
    job = replace(job, scope=Scope(frozenset({"public"}), prune=True))
    plan = pipeline.plan_changes(job)
    assert any("\n\\! touch" in change.identity for change in plan.changes)
    outcome = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.left) == (0, ())
    script = sql.plan(plan)
    name = compose("{}", str(by_psql.value("SELECT current_database()")))
    for parameter in ("timezone = EST", "datestyle = SQL, DMY", "transform_null_equals = on"):
        by_psql.run(text_of(compose("ALTER DATABASE {} SET {}", name, raw(parameter))))
    settings = "\\set AUTOCOMMIT off\n\\set SINGLELINE on\n"  # as in ~/.psqlrc
    done = by_psql.psql(settings + script)
    assert done.returncode == 0, done.stderr
    by_psql.run(text_of(compose("ALTER DATABASE {} RESET ALL", name)))
    assert by_psql.dump() == database.dump()
    assert not intruder.exists()
    assert hidden(script) == []


def hidden(shown: str) -> list[str]:
    """Return what a terminal or the log of a workflow would obey in a printed document."""
    return [
        line
        for line in shown.split("\n")
        if any(unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} for c in line if c != "\t")
        or line.strip().startswith("::")
        or re.search(r"##\w*\[", line)
    ]


LEXEMES = (
    *("'", '"', "$$", "$a$", "$1", "e'", "E'", "\\", "\\'", '""', "U&'", "B'", "\n'", ";", "--"),
    *(":x", ':"x"', ":'x'", "::text", "[1:2]", "/*", "*/", "\n", " ", "a", "é", "€", "$", "x$"),
    *("(", ")", "begin", "end", "create function f() "),
)


def test_psql_sends_a_command_unchanged_whatever_it_holds(database: Database) -> None:
    chosen = random.Random(1)  # noqa: S311 - the same each time
    commands = ["SELECT " + "".join(chosen.choices(LEXEMES, k=6)) for _ in range(800)]
    commands = [
        c.replace(";", "") if "begin" in c else c for c in commands
    ]  # begins no transaction
    steps = [STEP.model_copy(update={"sql": c, "hazards": (), "transaction": ""}) for c in commands]
    script = sql.plan(PLAN.model_copy(update={"steps": steps, "notes": ()}))
    script = script.replace("ON_ERROR_STOP on", "ON_ERROR_STOP off")
    done = database.psql(f"\\set x HIT\n\\set ECHO queries\n{script}")
    sent = "".join(done.stdout.split())  # psql leaves out empty lines
    for command in commands:
        assert "".join(command.split()) in sent
    assert "HIT" not in sent
    assert sent.count("SETlock_timeout") == len(commands)


# -- text, Markdown, progress, errors -------------------------------------------------------------

STEP = Step(
    id="1",
    action="drop",
    kind="table",
    identity=HOSTILE,
    sql=f'DROP TABLE "{HOSTILE}"\n````\n</details> @somebody',
    transactional=True,
    lock=HOSTILE,
    relation=HOSTILE,
    hazards=(Hazard(hazard=HazardKind.DATA_LOSS, reason=f"{HOSTILE} @somebody <!-- `` #1"),),
)
CHANGE = Planned(
    action="alter",
    kind="table",
    identity=f"{HOSTILE} \\| a`|\\\\| @somebody <img>",
    differences=(Difference(field="comment", live="a\n`````\n</details>\nb", wanted=HOSTILE),),
)
PLAN = Plan(
    target=HOSTILE,
    in_sync=False,
    changes=(CHANGE,),
    steps=(STEP,),
    notes=(f"{HOSTILE} [x](https://example.org) @somebody",),
)


def test_text_and_markdown_hold_nothing_that_is_obeyed() -> None:
    drift = report_of(PLAN)
    texts = text.plan(PLAN), text.drift(drift), markdown.plan(PLAN), sql.plan(PLAN)
    for shown in (*texts, markdown.drift(drift)):
        assert hidden(shown) == []
        assert "\\n\\x3a" not in shown  # what stands within a line begins none
        assert r"a\n::error::b\n" in shown


def test_a_plan_shows_a_line_of_sql_that_looks_like_a_command_escaped() -> None:
    step = STEP.model_copy(update={"sql": "SELECT $$\n  ::error::x\n$$"})
    shown = text.plan(PLAN.model_copy(update={"steps": (step,)}))
    assert r"        \x3a:error::x" in shown.split("\n")


def outside_code(shown: str) -> str:
    """Return what GitHub interprets in Markdown: what stands in no block and no span of code."""
    fence, interpreted = "", list[str]()
    for line in shown.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif match := re.match("`{3,}", line):
            fence = match[0]
        else:
            cells = re.sub(r"\\[!-/:-@\[-`{-~]", "", line)
            assert not line.startswith("|") or cells.count("|") == 5, line  # the rows of a table
            interpreted.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", line))
    assert not fence
    return "\n".join(interpreted)


def test_markdown_shows_what_comes_from_outside_as_code_only() -> None:
    interpreted = outside_code(markdown.plan(PLAN))
    assert not re.search("somebody|img|error|<!--|example", interpreted)
    assert interpreted.count("<details>") == interpreted.count("</details>") == 1


def test_markdown_is_cut_to_the_size_of_a_comment() -> None:
    steps = tuple(STEP.model_copy(update={"id": str(n)}) for n in range(1000))
    changes = tuple(CHANGE.model_copy(update={"identity": "x" * 900}) for _ in range(60))
    shown = markdown.plan(PLAN.model_copy(update={"steps": steps, "changes": changes}))
    assert 60_000 < len(shown) < 65_536
    left_out = outside_code(shown).splitlines()[-1]
    assert re.fullmatch("> [0-9],[0-9]{3} more lines do not fit into a comment: .*", left_out)


def test_bars_read_no_markup_and_no_control_characters() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=300, color_system=None)
    step = STEP.model_copy(update={"identity": f"[bold]x[/] [link=http://x]y[/link] {HOSTILE}"})
    with Bars(console) as bars:
        bars.started(step)
        bars.notice(HOSTILE)
        bars.waiting(step, HOSTILE)
        bars.ended(StepOutcome(step, "done"))
    assert isinstance(console.file, io.StringIO)
    shown = re.sub(r"\x1b\[(\?25[lh]|[0-9;]*[mAK])|\r", "", console.file.getvalue())  # of rich
    assert hidden(shown) == []
    assert "[bold]x[/] [link=http://x]y[/link] a" in shown


def test_errors_show_what_they_name_escaped(tmp_path: Path) -> None:
    declared = tmp_path / "x.yml"
    declared.write_text(f"tables: {{{json.dumps(HOSTILE)}: {{nope: 1}}}}\n")
    wrong = CliRunner().invoke(main, ["plan", "--state", str(declared)])
    unknown = CliRunner().invoke(main, ["plan", HOSTILE])
    for done in (wrong, unknown):
        assert done.exit_code == 1
        assert hidden(done.output) == []
        assert r"\x1b]52;c;cm0=\x07" in done.output
