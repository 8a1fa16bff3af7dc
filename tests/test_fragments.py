"""SQL that people wrote is one expression, type, query, …, or it reaches no statement.

That honest SQL is accepted is what every case of tests/cases shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pytest

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, FragmentError
from reconciler.kinds import KINDS
from reconciler.model import clauses
from reconciler.model.clauses import Clause, referenced
from reconciler.model.context import PlanningContext
from reconciler.model.object import InlinePart, Object
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.server.capabilities import Server
from reconciler.server.connection import connect
from reconciler.server.syntax import syntax_errors
from reconciler.sql import text
from tests.conftest import Database

CASES = Path(__file__).parent / "cases"
HONEST = {
    "EXPRESSION": ("id > 0", "f(a, b)", "(a, b) = (1, 2)", "a IN ('x''', E'\\'', $$)$$)", "(1)"),
    "DEFAULT": ("5", "now()", "'x'::text", "(a AND b)", "-1", "nextval('s')", "ARRAY[1, 2]"),
    "TYPE": ("int", "numeric(10, 2)[]", "double precision", '"S".t', "interval day to second"),
    "NAME": ("f", "public.f", '"a b"."c"'),
    "OPERATOR_NAME": ("=", "public.<>"),
    "OPERANDS": ("int, int", "NONE, public.t"),
    "OPERATOR_SIGNATURE": ("< (int, int)", "public.<(text,text)"),
    "FUNCTION_SIGNATURE": ("f(int)", "public.f(int, text)"),
    "CALL": ("f()", "public.f('a', 1)"),
    "EVENT": ("insert", "UPDATE OF a, b"),
    "ARGUMENTS": ("a int", "IN a int, OUT b text", "VARIADIC a int[]", "a int DEFAULT 1"),
    "AGGREGATE_ARGUMENTS": ("*", "int", "int ORDER BY text"),
    "RETURNS": ("int", "SETOF public.t", "t.a%TYPE", "trigger"),
    "RETURNED_TABLE": ("(a int, b text)",),
    "ROUTINE_BODY": ("RETURN 1", "BEGIN ATOMIC SELECT 1; SELECT 2; END"),
    "QUERY": ("SELECT 1", "VALUES (1)", "WITH a AS (SELECT 1) TABLE a", "(SELECT 1) UNION TABLE a"),
    "RULE_ACTION": ("DELETE FROM t", "NOTIFY x", "INSERT INTO t VALUES (1, 2)"),
    "INDEX_KEY": ("id", "(a || b) DESC", "lower(a) text_pattern_ops NULLS FIRST"),
    "STATISTIC": ("a", "(a + b)"),
    "PARTITION_KEY": ("RANGE (a)", "LIST (lower(a))", "hash (a, b)"),
    "BOUND": ("DEFAULT", "FOR VALUES IN (1, 2)", "FOR VALUES FROM (1) TO (MAXVALUE)"),
    "EXCLUSION": ("USING gist (a WITH =, b WITH &&)", "(a WITH =) WHERE (a > 0)"),
    "REFERENCES": ("t", "public.t (a, b)"),
    "PARAMETER": ("-0.5", "100"),
    "PRIVILEGE": ("select", "references", "maintain"),
    "CAST_TYPES": ("int AS public.t", "text AS numeric(1, 2)"),
    "LABELLED": ("TABLE public.t", "column public.t.a", "function f(int)"),
    "FAMILY_OPERATOR": ("OPERATOR 1",),
    "FAMILY_OPERANDS": ("(int, int)",),
    "CLASS_FUNCTION": ("FUNCTION 1",),
    "FAMILY_FUNCTION": ("FUNCTION 1 (int, int)", "FUNCTION 1 (int)"),
}
ATTACKS = (
    *(
        ")",
        ") + (2",
        "]",
        " (",
        " /*",
        " */",
        " '",
        ' "',
        " $$",
        ";",
        "; DROP TABLE x",
        "\n-- x\n)",
    ),
    *(", ADD COLUMN x int", ") NO INHERIT, ADD CONSTRAINT e CHECK (true", ", SET LOGGED"),
    *(") INCLUDE (n", ") WITH CHECK (true", ") RETURNS int LANGUAGE sql AS (", ", HASHES"),
    *(" WITH CHECK OPTION", " WITH NO DATA", " DEFAULT 5 5", " NOT NULL", " COLLATE x.y, z"),
    *(" STABLE STABLE", " LANGUAGE sql", " DEFERRABLE", " TABLESPACE x", " SET x TO y", ' U&"'),
)
# further items of a list, a name for a column, and the end of a statement that ends there anyway
LISTED = (", SET LOGGED", ", HASHES", " COLLATE x.y, z")
HARMLESS = {
    "ARGUMENTS": LISTED,
    "AGGREGATE_ARGUMENTS": LISTED,
    "QUERY": (*LISTED, " DEFERRABLE"),
    "EVENT": LISTED,
    "CALL": (";",),
    "RULE_ACTION": (";",),
    "ROUTINE_BODY": (";",),
}
MARK = "Z'Z\"Z"  # each way to quote doubles a part of it


def _clause(name: str) -> Clause:
    return getattr(clauses, name)


def _refused(database: Database, found: list[tuple[Clause, str]]) -> set[tuple[Clause, str]]:
    numbered = [(f, s) for f in found for s in f[0].statements(f[1])]
    with connect(database.url) as connection:
        errors = syntax_errors(connection, [s for _, s in numbered])
    return {numbered[n][0] for n in errors}


def test_honest_text_is_accepted_and_nothing_leaves_its_clause(database: Database) -> None:
    named = {v for v in vars(clauses).values() if isinstance(v, Clause)}
    assert {_clause(n) for n in HONEST} == named, "every clause has honest texts"
    honest = [(_clause(n), h) for n, texts in HONEST.items() for h in texts]
    commented = [(c, f"{h} -- a note") for c, h in honest]
    assert _refused(database, [*honest, *commented]) == set()
    attacks = [
        (_clause(n), h + attack)
        for n, texts in HONEST.items()
        for h in texts
        for attack in ATTACKS
        if attack not in HARMLESS.get(n, ())
    ]
    attacks += [(c, f"{h}{odd}") for c, h in honest for odd in ("\0", "\ud800")]
    accepted = {*attacks} - _refused(database, attacks)
    assert not accepted, "\n".join(f"{c.title}: {t}" for c, t in accepted)


def declared_objects(kind: str, most: int) -> list[Object]:
    """Return objects of a kind from its cases."""
    cases = sorted((CASES / kind).glob("*/desired.yml"))
    objects = (o for c in cases for o in load(c).objects.values() if o.kind == kind)
    found = [*islice(objects, most)]
    assert found, kind
    return found


def _marked(value: object, annotation: str) -> Iterator[object]:
    """Yield values with a mark for a field that may hold a text."""
    if "dict[str" in annotation:
        entries = dict(cast("dict[str, Any]", value or {}))
        yield {**entries, f"k{MARK}": next(iter(entries.values()), "v")}
        yield dict.fromkeys(entries or ["k"], ("v" + MARK,) if "tuple" in annotation else MARK)
    elif "tuple[str" in annotation:
        yield ("v" + MARK,)
    elif annotation in ("<class 'str'>", "str | None"):
        yield f"{value or 'v'}{MARK}"


def _statements(obj: Object) -> Iterator[str]:
    context = PlanningContext(Server(180000))
    makers = [
        lambda: [text(obj.clause())] if isinstance(obj, InlinePart) else [],
        lambda: [s.sql for s in obj.create(context, online=False)],
        lambda: [s.sql for s in obj.drop(context, online=False)],
    ]
    for make in makers:
        with suppress(Exception):  # a text that its kind cannot read is not composed either
            yield from make()


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_of_a_kind_is_composed_unproven(kind: str) -> None:
    """Every field that is composed as it stands is among the kind's `fragments`."""
    unproven = set[str]()
    for obj in declared_objects(kind, 3):
        for field, info in type(obj).model_fields.items():
            for value in _marked(getattr(obj, field), str(info.annotation)):
                variant = obj.model_copy(update={field: value})
                with suppress(AttributeError, TypeError):
                    if any(MARK in f.text for f in variant.fragments()):
                        continue
                    if any(MARK in s.partition("$function$")[0] for s in _statements(variant)):
                        unproven.add(field)
    assert unproven == set()


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_of_a_kind_is_composed_unproven(kind: str) -> None:
    """A key is quoted as a name, refused by `entry`, or among the kind's `fragments`."""
    unproven = set[str]()
    for obj in declared_objects(kind, 3):
        ref = obj.ref._replace(name=obj.ref.name + MARK)
        variant = obj.model_copy(update={"ref": ref})
        with suppress(ValueError, AttributeError, TypeError):
            type(obj).entry(ref.name, {})
            if not any(MARK in f.text for f in variant.fragments()):
                unproven |= {s for s in _statements(variant) if MARK in s}
    assert unproven == set()


HOSTILE = """
tables:
  t:
    columns:
      id: int
      n: {type: int, default: '0, ADD COLUMN x int'}
      m: {type: "int, ADD y int"}
    constraints:
      c: {check: "id > 0) NO INHERIT, ADD CONSTRAINT e CHECK (true"}
    indexes:
      i: {on: ["id) INCLUDE (n"]}
    policies:
      p: {for: all, using: "true) WITH CHECK (true"}
    triggers:
      r: {after: [insert], execute: "f() /*"}
functions:
  g(a int): {returns: "int LANGUAGE sql", body: SELECT 1}
  h(a int) RETURNS int LANGUAGE sql AS (b int): {returns: int, body: SELECT 1}
views:
  v: {query: SELECT 1 AS a WITH CHECK OPTION}
sequences:
  s: {type: bigint OWNED BY public.t.id}
"""


def test_hidden_clauses_are_refused_at_their_places(database: Database, tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(HOSTILE)
    declaration = load(tmp_path)
    with pytest.raises(FragmentError) as raised:
        pipeline.plan_changes(Job(database.url, declaration, Scope(frozenset({"public"}))))
    fields = {p.message.split(": ")[1] for p in raised.value.problems}
    expected = {"default", "type", "check", "on", "using", "execute", "returns", "query"}
    assert fields == {*expected, "arguments"}
    assert len(raised.value.problems) == 10
    assert all(p.position is not None for p in raised.value.problems)
    assert "9:11: constraint c on public.t: check: syntax error" in str(raised.value)
    assert "expected one expression; got 'id > 0) NO INHERIT" in str(raised.value)


def test_actions_may_follow_the_table_of_a_foreign_key() -> None:
    assert [f.text for f in referenced("t (a)\n on delete set null (a, b) MATCH FULL")] == ["t (a)"]
    assert [f.text for f in referenced("t ON DELETE CASCADE NOT VALID")] != ["t"]


def test_a_comment_at_the_end_of_sql_hides_no_clause(database: Database, tmp_path: Path) -> None:
    declared = """
tables:
  t:
    columns: {n: {type: "int -- small", default: "5 -- by default", not_null: true}}
    constraints: {c: {check: "n > 0 -- always"}}
"""
    (tmp_path / "state.yml").write_text(declared)
    plan = pipeline.plan_changes(Job(database.url, load(tmp_path), Scope(frozenset({"public"}))))
    for step in plan.steps:
        database.run(step.sql)
    assert database.value("SELECT attnotnull FROM pg_attribute WHERE attname = 'n'") is True


@pytest.mark.parametrize("schema", ["pg_catalog", "information_schema", "pg_temp", "reconcile"])
def test_schemas_of_others_are_refused_when_the_files_are_read(tmp_path: Path, schema: str) -> None:
    (tmp_path / "state.yml").write_text(f"schema: {schema}\nviews: {{v: {{query: SELECT 1}}}}\n")
    with pytest.raises(DeclarationError, match=rf"state.yml:2:9: .*schema {schema} belongs to"):
        load(tmp_path)
