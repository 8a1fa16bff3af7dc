"""Run the queries of a workload in several databases, in turn."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from reconciler.bench.explain import CALLS, EXPLAIN, PLAN, figures
from reconciler.bench.result import Measured, PlanFigures, Sample
from reconciler.checks.model import Actor, Computed
from reconciler.checks.workload import Query

NANOSECONDS = 1_000_000  # in a millisecond
WARMING = 2  # rounds that are not counted


Row = dict[str, Any]


@dataclass(frozen=True)
class Limits:
    """How often each query runs in each database, unless `seconds` are over before."""

    rounds: int = 30
    seconds: float = 120.0


@dataclass
class _Session:
    """A connection to the database of a variant; `pid` is its backend."""

    variant: str
    connection: psycopg.Connection[Row]
    values: dict[str, str | None] = field(default_factory=dict[str, "str | None"])

    @contextmanager
    def acting(self, query: Query, *, counting: bool = False) -> Generator[None]:
        """Open a transaction with the role and the settings of a query, and roll it back."""
        actor = query.actor or Actor()
        settings = {name: self.value(each, query) for name, each in actor.settings.items()}
        settings.setdefault("search_path", query.search_path)
        self.connection.execute("BEGIN")
        try:
            if counting:
                self.connection.execute("SET LOCAL track_functions TO 'all'")
            for name, value in settings.items():
                self.connection.execute("SELECT set_config(%s, %s, true)", [name, value or ""])
            if actor.role is not None:
                self.connection.execute("SELECT set_config('role', %s, true)", [actor.role])
            yield
        finally:
            with suppress(psycopg.Error):
                self.connection.execute("ROLLBACK")

    def value(self, setting: str | Computed, query: Query) -> str | None:
        """Return a setting or parameter; the result of a query is asked for once."""
        if isinstance(setting, str):
            return setting
        if setting.query not in self.values:
            with self.connection.transaction():
                path = "SELECT set_config('search_path', %s, true)"
                self.connection.execute(path, [query.search_path])
                row = self.connection.execute(setting.query.encode()).fetchone()
            found = next(iter(row.values()), None) if row else None
            self.values[setting.query] = None if found is None else str(found)
        return self.values[setting.query]

    def sample(self, query: Query) -> Sample:
        """Run a query once."""
        parameters = [self.value(each, query) for each in query.parameters]
        with self.acting(query):
            cursor = psycopg.RawCursor(self.connection)
            pid = self.connection.info.backend_pid
            on_cpu, began = _on_cpu(pid), time.perf_counter_ns()
            cursor.execute(query.query.encode(), parameters, binary=True)  # one command only
            elapsed, after = time.perf_counter_ns() - began, _on_cpu(pid)
        cpu = None if after is None or on_cpu is None else (after - on_cpu) / NANOSECONDS
        return Sample(elapsed / NANOSECONDS, cpu)

    def explain(self, query: Query) -> PlanFigures:
        """Run a query once, and read its plan.

        The planner calls functions too, to estimate with their results: these calls are counted
        first, by planning alone, and subtracted.
        """
        parameters = [self.value(each, query) for each in query.parameters]
        with self.acting(query, counting=True):
            cursor = psycopg.RawCursor(self.connection, row_factory=dict_row)
            before = self._calls(cursor)
            cursor.execute((PLAN + query.query).encode(), parameters)
            planned = self._calls(cursor)
            cursor.execute((EXPLAIN + query.query).encode(), parameters)
            (row,) = cursor.fetchall()
            executed = self._calls(cursor)
        return figures(row["QUERY PLAN"], dict(executed - planned - (planned - before)))

    def _calls(self, cursor: psycopg.RawCursor[Row]) -> Counter[str]:
        """Return how often the session has called functions, by name.

        The server counts from its last report on, which it never makes within a transaction.
        """
        return Counter({row["name"]: row["calls"] for row in cursor.execute(CALLS).fetchall()})


def _on_cpu(pid: int) -> int | None:
    """Return the nanoseconds that a process was on a CPU; None where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def measure(
    databases: Mapping[str, str], workload: Mapping[str, Query], scale: float, limits: Limits
) -> list[Measured]:
    """Measure every query in every database; `databases` maps variants to URLs, the baseline first.

    In a round each query runs once in each database, in turn: what slows the machine down slows all
    of them down. Where a query replaces another one, that runs in the baseline, and in every
    database in which the query cannot run.
    """
    with ExitStack() as opened:
        sessions = [
            _Session(variant, opened.enter_context(_connect(url)))
            for variant, url in databases.items()
        ]
        found: list[Measured] = []
        seconds = limits.seconds / max(len(workload), 1)
        for query in workload.values():
            found += _measured(sessions, query, workload, scale, Limits(limits.rounds, seconds))
        return found


def _connect(url: str) -> psycopg.Connection[Row]:
    connection = psycopg.Connection[Row].connect(url, autocommit=True, row_factory=dict_row)
    connection.prepare_threshold = None
    return connection


def _measured(
    sessions: Sequence[_Session],
    query: Query,
    workload: Mapping[str, Query],
    scale: float,
    limits: Limits,
) -> list[Measured]:
    baseline = sessions[0].variant
    plans: dict[str, PlanFigures] = {}
    samples: dict[str, list[Sample]] = {}
    errors: dict[str, str] = {}
    run = {s.variant: query for s in sessions} | {baseline: _replaced(query, workload)}
    for session in sessions:
        replaced = [_replaced(query, workload)] if query.replaces else []
        for tried in (run[session.variant], *replaced):
            try:
                for _ in range(WARMING):
                    session.sample(tried)
                plans[session.variant] = session.explain(tried)
            except psycopg.Error as error:
                errors.setdefault(session.variant, str(error).strip().splitlines()[0])
            else:
                run[session.variant], samples[session.variant] = tried, []
                errors.pop(session.variant, None)
                break
    _sample(sessions, run, samples, limits)
    reference = samples.get(baseline, [])
    return [
        Measured(
            scale=scale,
            variant=session.variant,
            query=query,
            samples=samples.get(session.variant, []),
            figures=plans.get(session.variant),
            ratios=_ratios(samples.get(session.variant, []), reference),
            cpu_ratios=_cpu_ratios(samples.get(session.variant, []), reference),
            error=errors.get(session.variant, ""),
        )
        for session in sessions
    ]


def _sample(
    sessions: Sequence[_Session],
    run: Mapping[str, Query],
    samples: Mapping[str, list[Sample]],
    limits: Limits,
) -> None:
    """Run the queries in rounds; each round begins with another database."""
    working = [s for s in sessions if s.variant in samples]
    deadline = time.monotonic() + limits.seconds
    for number in range(limits.rounds if working else 0):
        if number > 1 and time.monotonic() > deadline:
            return
        turn = number % len(working)
        for session in (*working[turn:], *working[:turn]):
            samples[session.variant].append(session.sample(run[session.variant]))


def _replaced(query: Query, workload: Mapping[str, Query]) -> Query:
    """Return the query of the workload that a query replaces, or the query itself."""
    if not query.replaces:
        return query
    return workload[query.replaces]


def _ratios(samples: Sequence[Sample], reference: Sequence[Sample]) -> list[float]:
    pairs = zip(samples, reference, strict=False)
    return [one.elapsed / other.elapsed for one, other in pairs if other.elapsed]


def _cpu_ratios(samples: Sequence[Sample], reference: Sequence[Sample]) -> list[float]:
    pairs = zip(samples, reference, strict=False)
    return [one.cpu / other.cpu for one, other in pairs if other.cpu and one.cpu is not None]
