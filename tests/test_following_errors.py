"""Faults are listed once, without the errors that follow from them, and hide no other fault."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from reconciler import pipeline
from reconciler.canonicalise.hints import DOLLAR_QUOTED
from reconciler.cli.group import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from tests.conftest import Database

BEFORE = "CREATE TABLE kept (id int);"
FAULTY_COLUMN = """tables:
  t:
    columns:
      id: {type: int, primary_key: true}
      price: nummeric
      net: {type: int, generated: price / 2}
    constraints:
      c: price > 0
      u: {unique: [price]}
    indexes: {i: price, j: lower(price)}
    policies: {p: {using: price > 0}}
    triggers: {tr: {before: update of price, execute: tf()}}
  other:
    columns:
      t_price: {type: int, references: t(price)}
views: {v: SELECT price FROM t, w: SELECT t.price FROM t, x: SELECT * FROM v}
functions:
  tf(): {returns: trigger, language: plpgsql, body: BEGIN RETURN new; END}
  f(): {returns: int, language: sql, body: SELECT price FROM t}
  g(v): {returns: setof t, language: sql, body: SELECT * FROM t}
statistics: {s: {on: [price, id], from: t}}
"""
FAULTY_TYPES = """enums:
  state: [a, a]
domains:
  d: {type: textt}
tables:
  u:
    partition_by: range (nope)
    columns: {id: {type: int, primary_key: true}, s: state, d: d}
    constraints: {c: s > 'a'}
  p: {partition_of: u, values: FROM (1) TO (2)}
  typed: {of: nowhere}
  w:
    columns: {id: {type: int, references: u(id)}, d: d}
functions:
  f(d): {returns: int, language: sql, body: SELECT 1}
views:
  v: SELECT f('a'::d) FROM u
  w2: SELECT id FROM typed
  own: SELECT missing FROM w
sequences:
  q: {owned_by: typed.id}
"""


RIGHT = """tables:
  orders: {columns: {id: int, customer: {type: int, references: customers(id)}, at: datee}}
  fine: {columns: {a: int}}
views:
  of_broken: SELECT * FROM customers
  of_fine: SELECT missing FROM fine
  of_nothing: SELECT * FROM nowhere
functions:
  f(mood): {returns: int, language: sql, body: SELECT 1}
  g(): {returns: int, language: sql, body: SELECT f('x')}
"""
BROKEN = "tables:\n  customers: {columns: {id: int}\nenums: {mood: [a]}\n"
FAULTY = """tables:
  customers: {columns: {id: {type: int, primary_keyy: true}, name: {type: text}}}
  own: {columns: {b: int}, indexes: {i: {on: cc}}, policies: {p: {usin: b > 0}}}
  read: {columns: {c: wrongtype}}
enums: {mood: {value: [a]}}
views: {v: SELECT d FROM own, w: SELECT id FROM customers, x: SELECT name FROM customers}
"""


def _problems(folder: Path, database: Database | None, **files: str) -> list[str]:
    for title, content in files.items():
        (folder / f"{title}.yml").write_text(content)
    with pytest.raises(DeclarationError) as raised:
        _plan(folder, database)
    return [
        f"{p.position.file.stem}:{p.position.line} {p.message}" if p.position else p.message
        for p in raised.value.problems
    ]


def _plan(folder: Path, database: Database | None) -> None:
    declaration = load(folder)
    assert database is not None
    job = Job(database.url, declaration, Scope(frozenset({"public"})), questions=False)
    pipeline.plan_changes(job)


def test_what_follows_from_a_column_or_a_type_is_not_listed(
    database: Database, tmp_path: Path
) -> None:
    database.run(BEFORE)
    assert _problems(tmp_path, database, a=FAULTY_COLUMN) == [
        'a:5 column public.t.price: type "nummeric" does not exist'
    ]
    on_live = re.sub(r"\bt\b", "kept", FAULTY_COLUMN)
    assert _problems(tmp_path, database, a=on_live) == [
        'a:5 column public.kept.price: type "nummeric" does not exist'
    ]
    assert _problems(tmp_path, database, a=FAULTY_TYPES) == [
        "a:2 enum public.state: duplicate key value violates unique constraint"
        ' "pg_enum_typid_label_index"',
        'a:4 domain public.d: type "textt" does not exist',
        'a:7 table public.u: column "nope" named in partition key does not exist',
        'a:11 table public.typed: type "nowhere" does not exist',
        'a:19 view public.own: column "missing" does not exist',
    ]


def test_faults_of_a_file_hide_none_of_another(tmp_path: Path) -> None:
    found = _problems(
        tmp_path,
        None,
        broken="tables: {t: {columns: {id: int}\n",
        unread="tables:\n  u:\n    columns: {t_id: {type: int, references: t(id)}, a: {tp: int}}\n",
        other="tables:\n  w: {columns: {b: int}}\nviews:\n  v: {queri: SELECT * FROM t}\n",
        workload="workload:\n  q: {query: SELECT * FROM t}\nchecks:\n  c: {qury: SELECT 1}\n",
    )
    assert [p.split(" ")[0] for p in found] == ["broken:2", "other:4", "unread:3", "workload:4"], (
        found
    )


def test_a_new_column_without_a_type_is_named(database: Database, tmp_path: Path) -> None:
    database.run(BEFORE + "CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent);")
    declared = """tables:
  t: {columns: {id: {type: int, primary_key: true}}}
  u: {columns: {t_id: {references: t(id)}}}
  kept: {columns: {ids: {default: 1}}}
  child: {columns: {a: {default: 2}}}
"""
    assert _problems(tmp_path, database, a=declared) == [
        f"a:{line} column public.{name} does not exist, and no type is declared to create it with"
        for line, name in ((3, "u.t_id"), (4, "kept.ids"))
    ]
    with pytest.raises(DeclarationError) as raised:
        _plan(tmp_path, database)
    assert raised.value.problems[1].hint.startswith("did you mean id? type creates it")


def test_faults_of_files_and_of_sql_are_listed_together(database: Database, tmp_path: Path) -> None:
    of_right = [
        'right:2 column public.orders.at: type "datee" does not exist',
        'right:6 view public.of_fine: column "missing" does not exist',
        'right:7 view public.of_nothing: relation "nowhere" does not exist',
    ]
    (tmp_path / "right.yml").write_text(RIGHT)
    (tmp_path / "faulty.yml").write_text(FAULTY)
    assert _listed(database, tmp_path) == [
        "faulty:2 column: unknown key 'primary_keyy'",
        'faulty:3 index public.i: column "cc" does not exist',
        "faulty:3 policy: unknown key 'usin'",
        'faulty:4 column public.read.c: type "wrongtype" does not exist',
        "faulty:5 enum: unknown key 'value'",
        'faulty:6 view public.v: column "d" does not exist',
        *of_right,
    ]
    (tmp_path / "faulty.yml").write_text(BROKEN)
    listed = _listed(database, tmp_path)
    assert listed[0].startswith("faulty:")
    assert listed[1:] == of_right


def _listed(database: Database, folder: Path) -> list[str]:
    found = CliRunner().invoke(main, ["plan", "-t", database.url, "-s", str(folder)]).output
    return [
        f"{file}:{line} {message}"
        for file, line, message in re.findall(
            r"^(?:error: )?\S*/(\w+)\.yml:(\d+):\d+: (.*)$", found, re.M
        )
    ]


def test_a_body_in_dollar_quotes_is_refused_with_advice(database: Database, tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("functions: {f(): {returns: int, as: $$ SELECT 1 $$}}")
    with pytest.raises(DeclarationError) as raised:
        _plan(tmp_path, database)
    assert raised.value.problems[0].hint == DOLLAR_QUOTED
