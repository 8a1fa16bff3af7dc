"""Compare the declared state with the state before, and with other states, by a workload."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from reconciler import pipeline
from reconciler.apply.outcome import Watcher
from reconciler.bench.databases import copy_roles, fill, vacuum
from reconciler.bench.measure import Limits, measure
from reconciler.bench.result import Benchmark, Measured
from reconciler.bench.rows import Generator
from reconciler.bench.statistics import read_statistics
from reconciler.counted import counted
from reconciler.declare.load import load
from reconciler.errors import ReconcileError, SettingsError
from reconciler.model.state import Declaration, Scope
from reconciler.pipeline import Job
from reconciler.server.connection import connect_to_read
from reconciler.server.locks import LockPolicy
from reconciler.server.trial import TrialServer, run_scripts, trial_server

BEFORE, AFTER = "before", "after"  # the names of the first two variants
_START = "start"


@dataclass(frozen=True)
class Comparison:
    """What to compare.

    scripts   SQL files that make the state before, with rows
    target    without scripts: the database whose structure and statistics make them
    variants  further states by name: each is applied to the state before
    baseline  the variant to which the others are compared
    """

    declaration: Declaration
    scripts: Sequence[Path] = ()
    target: str = ""
    scales: Sequence[float] = (1.0,)
    variants: Mapping[str, Path] = field(default_factory=dict[str, Path])
    baseline: str = BEFORE
    limits: Limits = field(default_factory=Limits)


def compare(
    comparison: Comparison,
    tell: Callable[[str], None],
    watch: Callable[[], AbstractContextManager[Watcher]],
) -> Benchmark:
    """Make a database for each scale and variant, and measure the workload in all of them.

    Everything happens on a confined server that ends with this process. Raises SettingsError for a
    declaration without a workload, and ReconcileError where a script or a plan fails.
    """
    workload = comparison.declaration.workload
    if not workload:
        raise SettingsError(
            "the YAML files have no section `workload`, which names the queries to measure"
        )
    states = _states(comparison)
    found: list[Measured] = []
    counts: dict[float, Mapping[str, int]] = {}
    title = ""
    for scale in comparison.scales:
        tell(f"scale {scale:g}: making the rows")
        with trial_server() as server:
            title = server.title
            databases, counts[scale] = _databases(server, comparison, states, scale, tell, watch)
            tell(f"scale {scale:g}: measuring {counted(len(workload), 'query')}")
            found += measure(databases, workload, scale, comparison.limits)
    return Benchmark(title, comparison.baseline, AFTER, found, counts)


def _states(comparison: Comparison) -> Mapping[str, Declaration | None]:
    """Map the variants to what is applied to the state before: the baseline first."""
    states: dict[str, Declaration | None] = {BEFORE: None, AFTER: comparison.declaration}
    for name, path in comparison.variants.items():
        if name in states:
            raise SettingsError(f"--variant {name}: there is a variant of that name already")
        states[name] = load(path)
    if comparison.baseline not in states:
        known = ", ".join(states)
        raise SettingsError(f"--baseline {comparison.baseline}: the variants are {known}")
    first = {comparison.baseline: states[comparison.baseline]}
    return first | states


def _databases(
    server: TrialServer,
    comparison: Comparison,
    states: Mapping[str, Declaration | None],
    scale: float,
    tell: Callable[[str], None],
    watch: Callable[[], AbstractContextManager[Watcher]],
) -> tuple[dict[str, str], Mapping[str, int]]:
    """Make a database for each variant; return the URLs, and the rows of the tables before."""
    start = server.create(_START)
    if comparison.scripts:
        run_scripts(start, comparison.scripts, scale)
    else:
        _imitate(comparison.target, start, scale, watch)
    counts = vacuum(start)
    databases: dict[str, str] = {}
    for name, declaration in states.items():
        databases[name] = server.create(_database(name), _START)
        if declaration is not None:
            tell(f"scale {scale:g}: applying {name}")
            with watch() as watcher:
                _apply(declaration, databases[name], watcher, name)
        vacuum(databases[name])
    return databases, counts


def _imitate(
    target: str, url: str, scale: float, watch: Callable[[], AbstractContextManager[Watcher]]
) -> None:
    """Make the structure of the target, and rows by the target's statistics."""
    with connect_to_read(target) as connection:
        copy_roles(connection, url)
        tables = read_statistics(connection)
    if not any(table.rows for table in tables.values()):
        raise ReconcileError(
            "the target has no statistics of tables with rows: ANALYZE it, or name files of SQL"
            " that make rows by --start"
        )
    with TemporaryDirectory(prefix="reconcile-") as folder:
        pipeline.export_state(target, Scope(frozenset({"*"}), everything=True), Path(folder))
        declaration = load(Path(folder))
    with watch() as watcher:
        _apply(declaration, url, watcher, BEFORE)
    fill(url, Generator(tables, scale).statements())


def _database(variant: str) -> str:
    return f"bench {variant}"


def _apply(declaration: Declaration, url: str, watcher: Watcher, name: str) -> None:
    """Bring a database of the benchmark to a declared state; raises ReconcileError."""
    job = Job(url, declaration, Scope(declaration.schemas))
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, url, watcher, LockPolicy(), ["all"], None)
    for step in outcome.steps:
        if step.status == "failed":
            raise ReconcileError(
                f"variant {name}: step {step.step.id}, {step.step.action} {step.step.kind}"
                f" {step.step.identity}: {step.error}"
            )
