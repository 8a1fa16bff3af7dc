"""Watch a run: read the journal, the catalog and the statistics, and compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import ValidationError

from reconciler.checks.workload import Query
from reconciler.counted import counted
from reconciler.errors import PlanRefused, StatementFailed
from reconciler.introspect.introspect import introspect
from reconciler.journal.history import (
    Run,
    Touched,
    baselines,
    detail,
    last_left,
    later,
)
from reconciler.journal.ownership import Place, assert_trusted
from reconciler.journal.runs_of_target import last_run_of_target
from reconciler.monitor.compare import figures, findings
from reconciler.monitor.observed import Observed
from reconciler.monitor.promises import (
    index_promises,
    not_readable,
    object_promises,
    query_promises,
)
from reconciler.monitor.read import read_present
from reconciler.monitor.result import Finding, Monitoring, Promise, Window, window_of
from reconciler.monitor.statistics import Baseline
from reconciler.server.connection import Connection, connect_to_read, rows


@dataclass(frozen=True)
class Watch:
    """A run to watch, by default the last run with changes.

    `window` is chosen by the run's age unless given. `workload` holds queries with promises.
    """

    target: str
    journal: Place
    run: int | None = None
    window: Window | None = None
    workload: Mapping[str, Query] = field(default_factory=dict[str, Query])
    session: Mapping[str, str] = field(default_factory=dict[str, str])


def monitor(watch: Watch) -> Monitoring:
    """Compare a run with the present; raises PlanRefused without a run, and StatementFailed."""
    with connect_to_read(watch.target, {"row_security": "off", **watch.session}) as connection:
        assert_trusted(connection, watch.journal)
        run = _run(connection, watch)
        left = last_left(connection, watch.journal.schema, run.id)
        if run.status != "done":  # promises nothing of what it has not made
            left = [t for t in left if not t.seen or t.before != t.after]
        return _monitoring(connection, watch, run, left)


def _unfinished(connection: Connection, schema: str, run: Run) -> Iterator[Finding]:
    """Report an unfinished run, unless a later run has finished."""
    if run.status != "done" and not any(x.done for x in later(connection, schema, run.id)):
        yield Finding(
            "unfinished-run",
            f"run {run.id}",
            f"its status is {run.status}, with {run.done} of {counted(run.steps, 'step')} done:"
            f" `reconcile history {run.id}` shows them; apply again, or roll back",
        )


def _undone(connection: Connection, schema: str, run: Run) -> str:
    """Return the note on a rollback: by the run, or of the run; "" otherwise."""
    if run.rollback_of is not None:
        return f"run {run.id} is the rollback of run {run.rollback_of}"
    backs = (each for each in later(connection, schema, run.id) if each.rollback_of == run.id)
    back = next((each for each in backs if each.done), None)
    return f"run {run.id} was rolled back by run {back.run}" if back else ""


def _run(connection: Connection, watch: Watch) -> Run:
    schema = watch.journal.schema
    if watch.run is not None:
        return detail(connection, schema, watch.run).run
    run = last_run_of_target(connection, watch.journal)
    if run is None:
        raise PlanRefused(
            f"schema {schema} records no run that changed something: --journal names another schema"
        )
    return run


def _monitoring(
    connection: Connection, watch: Watch, run: Run, left: Sequence[Touched]
) -> Monitoring:
    kept, without = _baselines(connection, watch.journal.schema, run)
    present = read_present(connection, [t.ref for t in left])
    ended_at = run.finished_at or run.started_at
    age = max((present.at - ended_at).total_seconds(), 0.0)
    window = watch.window or window_of(age)
    observed = Observed(
        kept.get("before"),
        kept.get("after"),
        present,
        ended_at,
        window,
        without,
        frozenset(t.ref.identity for t in left if t.before is None),
    )
    undone = _undone(connection, watch.journal.schema, run)
    queries = [*query_promises(watch.workload, observed, undone)]
    promises = [
        *_object_promises(connection, left),
        *index_promises(observed),
        *(promise for promise, _ in queries),
    ]
    unseen = [f"{part}: {reason}" for part, reason in present.statistics.unseen.items()]
    if observed.incomparable:
        unseen.append(f"what has happened since the run: {observed.incomparable}")
    return Monitoring(
        rows(connection, "SELECT current_database()::text AS name")[0]["name"],
        run.id,
        run.status,
        ended_at,
        age,
        window,
        promises,
        [*_unfinished(connection, watch.journal.schema, run), *findings(observed)],
        [*figures(observed), *(f for _, f in queries)],
        unseen,
        undone,
    )


def _object_promises(connection: Connection, left: Sequence[Touched]) -> Iterator[Promise]:
    """Compare the objects, unless a table is locked against reading."""
    try:
        live = introspect(connection)
    except StatementFailed as error:
        return not_readable(left, f"the catalog cannot be read: {error.message}")
    return object_promises(left, live)


def _baselines(connection: Connection, schema: str, run: Run) -> tuple[dict[str, Baseline], str]:
    """Return the statistics recorded by a run, by moment, and the reason for missing statistics."""
    try:
        found = baselines(connection, schema, run.id)
    except StatementFailed as error:
        return {}, f"the statistics that the run has kept cannot be read: {error.message}"
    if not found:
        return {}, f"run {run.id}, by version {run.version}, has kept no statistics"
    try:
        return {
            moment: Baseline(taken_at=row["taken_at"], statistics=row["counters"])
            for moment, row in found.items()
        }, ""
    except ValidationError:
        return {}, f"the statistics that run {run.id} has kept are in a form that is not known"
