"""Test names, comments, options, bodies and YAML at random: nothing is lost, obeyed or untold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql

from reconciler import pipeline
from reconciler.cli.output import print_error, print_report, watch_progress
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, ReconcileError, StatementFailed
from reconciler.escape import has_hidden
from reconciler.journal.ownership import Place
from reconciler.model.names import quoted
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.report import sql as script_format
from reconciler.report import text as report
from reconciler.report.formats import Subject, renderers
from reconciler.server.locks import LockPolicy
from reconciler.sql import compose, literal, text
from tests.conftest import Database
from tests.drift_reports import report_of
from tests.test_escape import hidden, outside_code

TOKENS = (
    *("\n", "\r\n", "\t", " ", "\xa0", "\x1b[2A", "\x1b]52;c;x\x07", "\x9b2A", "\x7f", "\x08"),
    *("\u202e", "\u2066", "\u2028", "\u200b", "\ufeff", "\U000e0041", "é", "表", "👩\u200d💻"),
    *("::error::", "::stop-commands::x", "##[group]", "##vso[x]", "```", "`", "~~~", "|", "\\|"),
    *("</details>", "<!--", "<img>", "@somebody", "#1", "[x](http://y)", "[bold]", "{secret}"),
    *("\\", "'", '"', "$$", ":USER", ':"USER"', "\n\\! touch x\n", ";", "--", "/*", "begin", "E'"),
    *(".", "..", "/", "<<", "&", "*", "!", "%", "#", "- ", ": ", "~", "null", "0", "a", "A"),
)
WORDS = st.lists(st.sampled_from(TOKENS), min_size=2, max_size=6).map("".join)
TEXTS = st.one_of(WORDS, st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
NAMES = TEXTS.map(lambda t: t.encode()[:60].decode(errors="ignore") or "x")
STEADY = settings(
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],  # a failure shows the example as it was found
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def script(names: list[str], texts: list[str]) -> str:
    """Return one object of many kinds under the names, with the texts in comments and bodies."""
    schema, table, first, second, index, check, view, function, policy, server, label, wrapper = (
        names
    )
    value, comment, body, option = map(literal, texts)
    commands = (
        compose("CREATE SCHEMA {}", schema),
        compose("COMMENT ON SCHEMA {} IS {}", schema, comment),
        compose(
            "CREATE TABLE {s}.{t} ({a} int, {b} text DEFAULT {v},"
            " CONSTRAINT {c} CHECK ({b} <> {v}))",
            s=schema,
            t=table,
            a=first,
            b=second,
            c=check,
            v=value,
        ),
        compose("COMMENT ON COLUMN {}.{}.{} IS {}", schema, table, first, comment),
        compose(
            "CREATE INDEX {} ON {}.{} ({}) WHERE {} <> {}",
            index,
            schema,
            table,
            first,
            second,
            value,
        ),
        compose("CREATE POLICY {} ON {}.{} USING ({} <> {})", policy, schema, table, second, value),
        compose(
            "CREATE VIEW {}.{} AS SELECT {} AS {} FROM {}.{}",
            schema,
            view,
            first,
            second,
            schema,
            table,
        ),
        compose(
            "CREATE FUNCTION {}.{}({} int) RETURNS text LANGUAGE sql AS {}",
            schema,
            function,
            first,
            literal(text(compose("SELECT {}", body))),
        ),
        compose("COMMENT ON FUNCTION {}.{} IS {}", schema, function, comment),
        compose("CREATE TYPE {}.{} AS ENUM ({})", schema, label, value),
        compose(
            "CREATE FOREIGN DATA WRAPPER {} OPTIONS (host {}, api_key 'hush')", wrapper, option
        ),
        compose(
            "CREATE SERVER {} FOREIGN DATA WRAPPER {} OPTIONS (host {}, {} 'hush')",
            server,
            wrapper,
            option,
            "k" + first.replace("=", ""),
        ),
    )
    return ";\n".join(text(c) for c in commands)


def drop_hidden(names: list[str]) -> list[sql.Composable]:
    """Return commands to drop the options that are not exported."""
    options = compose("OPTIONS (DROP {})", f"k{names[2].replace('=', '')}")
    return [
        compose("ALTER SERVER {} {}", names[9], options),
        compose("ALTER FOREIGN DATA WRAPPER {} OPTIONS (DROP api_key)", names[11]),
    ]


@settings(STEADY, max_examples=3)
@given(
    st.lists(NAMES, min_size=12, max_size=12, unique=True),
    st.lists(TEXTS, min_size=4, max_size=4),
)
def test_no_object_is_lost_and_no_text_obeyed(
    new_database: Callable[..., Database],
    capsys: pytest.CaptureFixture[str],
    names: list[str],
    texts: list[str],
) -> None:
    database, empty, by_psql = (new_database(s) for s in (script(names, texts), "", ""))
    scope = Scope(frozenset("*"), everything=True, prune=True)
    with TemporaryDirectory() as folder:
        files, _ = pipeline.export_state(database.url, scope, Path(folder))
        declaration = load(Path(folder))
        written = [file.read_text() for file in files]
    assert not any("hush" in content or has_hidden(content) for content in written)
    found = pipeline.plan_changes(Job(database.url, declaration, scope))
    assert found.changes == ()

    job = Job(empty.url, declaration, scope)
    plan = pipeline.plan_changes(job)
    rendered: dict[Subject, object] = {"plan": plan, "drift": report_of(plan)}
    for subject, value in rendered.items():
        for name, render in renderers(subject).items():
            document = render(value)
            if name == "github":  # nothing but our own commands, in which the rest is encoded
                assert all(COMMAND.match(line) for line in document.splitlines())
                continue
            assert hidden(document) == []
            assert name != "markdown" or outside_code(document)
    with watch_progress() as watcher:
        outcome = pipeline.apply_plan(plan, job, empty.url, watcher, LockPolicy(), ["all"])
    print_report(report.recap(outcome))
    print_report(report.run(pipeline.read_run(empty.url, Place(), 1)))
    print_error(StatementFailed("\n".join([*names, *texts])))
    assert (outcome.failed, outcome.left) == (0, ())
    shown = capsys.readouterr()
    assert hidden(shown.out + shown.err) == []

    done = by_psql.psql(script_format.plan(plan))
    assert done.returncode == 0, done.stderr
    assert by_psql.dump() == empty.dump()
    database.run(";".join(text(drop) for drop in drop_hidden(names)))
    assert database.dump() == empty.dump()


COMMAND = re.compile(r"::(error|warning|notice) [^:]*::")
KEYS = st.sampled_from(
    ("schema", "tables", "columns", "t", "functions", "f()", "options", "foreign_servers", "checks")
)
DATA = st.recursive(
    st.one_of(TEXTS, st.none(), st.booleans(), st.integers()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, TEXTS), inner, max_size=4)
    ),
    max_leaves=12,
)
FILES = st.one_of(
    st.lists(TEXTS, max_size=8).map("".join),
    st.dictionaries(KEYS, DATA, max_size=4).map(lambda d: json.dumps(d, ensure_ascii=False)),
)


@settings(STEADY, max_examples=100)
@given(FILES)
def test_every_file_is_read_or_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (tmp_path / "x.yml").write_text(content, encoding="utf-8", newline="")
    try:
        load(tmp_path)
    except DeclarationError as error:
        print_error(error)
    assert hidden(capsys.readouterr().err) == []


@settings(STEADY, max_examples=2)
@given(
    st.lists(NAMES, min_size=4, max_size=4, unique=True), st.lists(TEXTS, min_size=4, max_size=4)
)
def test_what_postgresql_refuses_is_told(
    database: Database, capsys: pytest.CaptureFixture[str], names: list[str], texts: list[str]
) -> None:
    table, column, index, view = map(quoted, names)
    default, key, query, comment = texts
    declared = {
        "tables": {
            table: {
                "comment": comment,
                "columns": {column: {"type": "text", "default": f"1 + {default}"}},
                "indexes": {index: {"on": [f"({key} +)"]}},
            }
        },
        "views": {view: {"query": f"SELECT {query} FROM nowhere"}},
    }
    with TemporaryDirectory() as folder:
        (Path(folder) / "x.yml").write_text(json.dumps(declared))
        with pytest.raises(ReconcileError) as caught:
            pipeline.plan_changes(
                Job(database.url, load(Path(folder)), Scope(frozenset({"public"})))
            )
    print_error(caught.value)
    assert hidden(capsys.readouterr().err) == []
