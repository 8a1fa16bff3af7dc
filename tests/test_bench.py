"""Test `bench`: queries of a workload before and after the plan, on a server of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.bench.result import Benchmark, Measured, Sample
from reconciler.checks.workload import Query
from reconciler.cli import main
from reconciler.report import markdown
from reconciler.report.picture import draw
from tests.conftest import Database

START = """
CREATE ROLE reader;
CREATE FUNCTION public.me() RETURNS text LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN current_setting(''app.me''); END';
CREATE TABLE public.t (id bigint PRIMARY KEY, owner text NOT NULL, said text NOT NULL);
ALTER TABLE public.t ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.t USING (owner = public.me());
GRANT SELECT ON public.t TO reader;
INSERT INTO public.t
SELECT n, 'owner ' || n % 100, repeat('x', 100)
FROM generate_series(1, 2000 * current_setting('reconcile.scale')::numeric) AS n;
"""
DECLARED = """
schema: public
tables:
  t:
    policies:
      own: {using: owner = (SELECT me())}
    indexes:
      t_owner: {on: owner}
workload:
  mine:
    query: SELECT id FROM t
    as: &reader {role: reader, settings: {app.me: {query: "SELECT max(owner) FROM t"}}}
    promise: 50
  mine_by_an_index:
    query: SELECT id FROM t WHERE owner = $1
    parameters: [owner 7]
    as: {role: reader, settings: {app.me: owner 7}}
    replaces: mine
    weight: 3
  mine_later: {query: SELECT later FROM t, as: *reader, replaces: mine}
  never_promised: {query: SELECT count(*) FROM t, promise: 99.9}
  of_the_future: {query: SELECT later FROM t}
"""
VARIANT = "tables: {t: {columns: {later: {type: int}}}}"


def bench(folder: Path, *arguments: str, declared: str = DECLARED, start: str = START) -> Result:
    """Run the command on files in the folder."""
    (folder / "state.yml").write_text(declared)
    (folder / "start.sql").write_text(start)
    files = ("--state", str(folder / "state.yml"), "--start", str(folder / "start.sql"))
    return CliRunner().invoke(main, ["bench", *files, *arguments])


def test_queries_are_measured_in_every_variant(tmp_path: Path) -> None:
    """Each figure is there, and comes from the database of its variant."""
    (tmp_path / "variant.yml").write_text(VARIANT)
    picture = tmp_path / "picture.svg"
    done = bench(
        tmp_path,
        *("--scale", "0.5", "--scale", "1", "--rounds", "5", "--format", "json"),
        *("--variant", f"later={tmp_path / 'variant.yml'}", "--picture", str(picture)),
    )
    assert done.exit_code == 2, done.output  # a promise is not kept
    document = json.loads(done.stdout)
    assert document["rows"] == {"0.5": {"public.t": 1000}, "1": {"public.t": 2000}}
    found = {(m["scale"], m["variant"], m["query"]): m for m in document["measured"]}
    assert len(found) == 2 * 3 * 5
    before, after = found[1, "before", "mine"], found[1, "after", "mine"]
    assert before["plan"]["evaluations"] == {"me": 2000}
    assert after["plan"]["evaluations"] == {"me": 1}
    assert (before["plan"]["rows"], after["plan"]["rows"]) == (20, 20)
    assert after["plan"]["scans"] == [
        "Bitmap Heap Scan t",
        "Bitmap Index Scan t_owner with a condition",
    ]
    assert after["ratio"] < 0.5
    assert after["promise"] == "kept"
    assert before["ratio"] == 1
    assert len(after["samples"]) == 5
    assert all(sample["elapsed"] > 0 for sample in after["samples"])
    assert found[1, "before", "mine_by_an_index"]["plan"]["evaluations"] == {"me": 2000}
    assert found[1, "after", "mine_later"]["plan"] == after["plan"]
    assert found[1, "later", "mine_later"]["plan"]["evaluations"] == {"me": 2000}
    assert found[1, "after", "never_promised"]["promise"] == "not kept"
    assert 'column "later" does not exist' in found[1, "after", "of_the_future"]["error"]
    assert found[1, "later", "of_the_future"]["error"] is None
    assert "</svg>" in picture.read_text()


@pytest.mark.parametrize(
    ("arguments", "declared", "start", "said"),
    [
        ((), "tables: {t: {columns: {a: int}}}", START, "no section `workload`"),
        (("--variant", "later"), DECLARED, START, "--variant later: expected NAME=STATE"),
        (("--baseline", "first"), DECLARED, START, "--baseline first: the variants are before"),
        ((), DECLARED, "SELECT 1/0", "start.sql: division by zero"),
        (("--picture", "a.gif"), DECLARED, START, "--picture a.gif: the name ends with .svg"),
        ((), "workload: {q: SELECT 1}", START, "query 'q': expected a query, got"),
        ((), "workload: {q: {query: x, promise: 101}}", START, "promise"),
        ((), "workload: {q: {query: x, replaces: p}}", START, "query 'q': replaces: no query"),
    ],
)
def test_a_mistake_is_named(
    tmp_path: Path, arguments: tuple[str, ...], declared: str, start: str, said: str
) -> None:
    """Mistakes in options and files end the command before anything is measured."""
    done = bench(tmp_path, *arguments, declared=declared, start=start)
    assert done.exit_code == 1
    assert said in done.output


def measured(scale: float, variant: str, times: list[float]) -> Measured:
    """Return figures of a query with a name that means something in every format."""
    query = Query(query="SELECT 1", name="a | `b` $c$ <i>")
    samples = [Sample(time, None) for time in times]
    return Measured(scale, variant, query, samples, ratios=[time / 4 for time in times])


def test_figures_are_compared_by_quartiles() -> None:
    """The median and the quartiles of the ratios, and per cent saved."""
    found = measured(1, "after", [1.0, 2.0, 1.0, 3.0, 1.0])
    assert (found.elapsed, found.ratio, found.saved) == (1.0, 0.25, 75.0)
    assert found.spread == (0.25, 0.5)
    assert found.cpu is None


def test_names_are_shown_as_they_are() -> None:
    """Neither Markdown nor a picture interprets the name of a query."""
    both = [measured(s, v, [1.0, 2.0]) for s in (1, 10) for v in ("before", "after")]
    benchmark = Benchmark("PostgreSQL", "before", "after", both)
    assert r"`` a \| `b` $c$ <i> ``" in markdown.benchmark(benchmark)
    assert b"</svg>" in draw(benchmark, Path("picture.svg"))
    assert draw(benchmark, Path("picture.png")).startswith(b"\x89PNG")


TARGET = """
CREATE TYPE public.mood AS ENUM ('sad', 'happy');
CREATE TABLE public.tenant (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL UNIQUE
);
CREATE TABLE public.ticket (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant uuid NOT NULL REFERENCES public.tenant,
    state varchar(20) NOT NULL CHECK (state IN ('open', 'closed')),
    opened timestamptz NOT NULL, closed timestamptz, price numeric(8, 2), mood public.mood,
    labels text[] NOT NULL DEFAULT '{}', details jsonb NOT NULL DEFAULT '{}', due date,
    twice bigint GENERATED ALWAYS AS (id * 2) STORED
);
CREATE TABLE public.part (
    ticket bigint REFERENCES public.ticket, place int, said text, PRIMARY KEY (ticket, place)
) PARTITION BY RANGE (place);
CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM (1) TO (1000);
INSERT INTO public.tenant (name) SELECT 'tenant ' || n FROM generate_series(1, 20) AS n;
INSERT INTO public.ticket (tenant, state, opened, closed, price, mood, details, due)
SELECT (SELECT id FROM public.tenant
        WHERE name = 'tenant ' || CASE WHEN n % 2 = 0 THEN 1 ELSE 1 + n % 20 END),
       CASE WHEN n % 10 = 0 THEN 'open' ELSE 'closed' END,
       '2025-01-01 00:00+00'::timestamptz + n * interval '1 hour',
       CASE WHEN n % 10 > 0 THEN now() END, n / 7.0,
       CASE n % 4 WHEN 0 THEN 'sad' WHEN 1 THEN 'happy' END::mood,
       jsonb_build_object('n', n), '2025-01-01'::date + n % 300
FROM generate_series(1, 2000) AS n;
INSERT INTO public.part
SELECT id, n, 'x' FROM public.ticket, generate_series(1, 2) AS n WHERE id <= 500;
ANALYZE;
"""
OF_TARGET = """
workload:
  open: {query: "SELECT FROM ticket WHERE opened > '2025-02-01' AND state = 'open'"}
  states: {query: SELECT state FROM ticket GROUP BY state}
  largest_tenant:
    query: SELECT count(*) FROM ticket GROUP BY tenant HAVING count(*) BETWEEN 1800 AND 2300
  without_a_tenant:
    query: SELECT FROM ticket AS t WHERE NOT EXISTS (SELECT FROM tenant WHERE id = t.tenant)
  of_a_mood: {query: SELECT FROM ticket WHERE mood = 'sad' AND closed IS NOT NULL}
  parts: {query: SELECT FROM part JOIN ticket ON ticket.id = part.ticket}
  later: {query: "SELECT FROM ticket WHERE due BETWEEN '2025-01-01' AND '2025-12-01' AND price > 0"}
"""


def test_rows_are_like_those_of_the_target(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    """Counts, shares, ranges and foreign keys are about those of the target, times the scale."""
    database = new_database(TARGET)
    (tmp_path / "state.yml").write_text(OF_TARGET)
    arguments = ("--state", str(tmp_path / "state.yml"), "--format", "json")
    done = CliRunner().invoke(
        main, ["bench", "-t", database.url, *arguments, "--scale", "2", "--rounds", "2"]
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["rows"]["2"]["public.ticket"] == 4000
    assert document["rows"]["2"]["public.tenant"] == 40
    found = {
        m["query"]: m["plan"]["rows"] for m in document["measured"] if m["variant"] == "before"
    }
    assert 150 < found["open"] < 350
    assert found["states"] == 2
    assert found["largest_tenant"] == 1
    assert found["without_a_tenant"] == 0
    assert 600 < found["of_a_mood"] < 1100
    assert found["parts"] > 1000
    assert found["later"] > 3900
