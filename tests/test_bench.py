"""Test `bench`: queries of a workload before and after the plan, on a server of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reconciler.bench.result import Benchmark, Measured, Sample
from reconciler.checks.workload import Query
from reconciler.cli import main
from reconciler.report import markdown
from reconciler.report.picture import draw

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
    assert len(found) == 2 * 3 * 4
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


def test_names_are_shown_as_they_are(tmp_path: Path) -> None:
    """Neither Markdown nor a picture interprets the name of a query."""
    both = [measured(s, v, [1.0, 2.0]) for s in (1, 10) for v in ("before", "after")]
    benchmark = Benchmark("PostgreSQL", "before", "after", both)
    assert r"`` a \| `b` $c$ <i> ``" in markdown.benchmark(benchmark)
    draw(benchmark, tmp_path / "picture.svg")
    draw(benchmark, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
