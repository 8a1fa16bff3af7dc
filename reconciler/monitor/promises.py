"""Judge the promises of a plan and of the workload: kept, not kept, or not measurable."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from pydantic import ValidationError

from reconciler.checks.workload import Query
from reconciler.counted import counted
from reconciler.diff.diff import Difference, differences
from reconciler.introspect.introspect import Snapshot
from reconciler.journal.history import Touched
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.monitor.compare import MIN_CALLS, not_unused
from reconciler.monitor.observed import Observed, Times, duration
from reconciler.monitor.query_text import normalised
from reconciler.monitor.read import STATEMENTS
from reconciler.monitor.result import Figure, Promise

AS_LEFT = "as the run left it"
GONE = "dropped"
USED = "used"


def object_promises(left: Sequence[Touched], live: Snapshot) -> Iterator[Promise]:
    """Yield for each object of the run whether the object is unchanged since."""
    for touched in left:
        yield _object(touched, live)


def not_readable(left: Sequence[Touched], reason: str) -> Iterator[Promise]:
    """Yield the same promises where the catalog cannot be read."""
    for touched in left:
        yield Promise(str(touched.ref), _promise(touched), "not measurable", reason)


def _promise(touched: Touched) -> str:
    return AS_LEFT if touched.after is not None or not touched.seen else GONE


def _object(touched: Touched, live: Snapshot) -> Promise:
    ref, present = touched.ref, live.state.get(touched.ref)
    reason, changed = "", ""
    found: tuple[Difference, ...] = ()
    if not touched.seen:
        reason = "the run broke off before it read what it had left"
    elif touched.after is None:
        changed = "somebody has created it again since" if present is not None else ""
    elif present is None:
        invalid = ref in live.context.leftovers
        changed = "it is invalid" if invalid else "somebody has dropped it since"
    elif ref in live.context.hidden_options:
        reason = "its options are hidden from this role"
    elif (expected := _recorded(ref, touched.after)) is None:
        reason = "it was recorded by another version of reconcile, in a form that is not known"
    elif not _equal(expected, present):
        changed = "somebody has changed it since"
        found = tuple(differences(expected.fields(), present.fields()))
    verdict = "not measurable" if reason else "not kept" if changed else "kept"
    return Promise(str(ref), _promise(touched), verdict, reason or changed or "it is", found)


def _recorded(ref: Ref, fields: Mapping[str, object]) -> Object | None:
    """Return a recorded object; None if the kind or a field is unknown."""
    try:
        return KINDS[ref.kind].model_validate({"ref": ref, **fields})
    except (KeyError, ValidationError):
        return None


def _equal(expected: Object, present: Object) -> bool:
    """Compare two objects, apart from fields known to the catalog alone."""
    derived = {n: getattr(present, n) for n in expected.derived()}
    return expected.model_copy(update=derived) == present


def index_promises(observed: Observed) -> Iterator[Promise]:
    """Yield whether each index built by the run is used; keys serve without being used."""
    for index in observed.now.indexes:
        if index.enforces or not index.valid or not observed.is_new(index):
            continue
        subject = f"index {index.identity}"
        reason = not_unused(observed, index)
        if observed.index_since(index):
            yield Promise(subject, USED, "kept", reason)
        elif reason:
            yield Promise(subject, USED, "not measurable", reason)
        else:
            span = duration(observed.seconds or 0.0)
            reason = f"nobody has used it in {span}, while its table was read; ask standbys, too"
            yield Promise(subject, USED, "not kept", reason)


def query_promises(
    workload: Mapping[str, Query], observed: Observed, undone: str
) -> Iterator[tuple[Promise, Figure]]:
    """Yield whether each query saves the promised share, with the query's mean time.

    Nothing is promised of a run that is `undone`.
    """
    promising = {name: query for name, query in workload.items() if query.promise is not None}
    if not promising:
        return
    ids: dict[str, list[int]] = defaultdict(list)
    for queryid, shown in observed.present.texts.items():
        ids[normalised(shown)].append(queryid)
    for name, query in promising.items():
        replaced = workload[query.replaces] if query.replaces else query
        before = observed.times_before(ids.get(normalised(replaced.query), ()))
        since = observed.times_since(ids.get(normalised(query.query), ()))
        known = all(normalised(q.query) in ids for q in (replaced, query))
        reason = _immeasurable(observed, before, since) if known else _unknown(observed)
        reason = undone or reason
        yield (
            _query(name, query.promise or 0.0, reason, before, since),
            Figure(
                "query_milliseconds",
                f"query {name}",
                since.mean if since and since.calls else None,
                before.mean if before and before.calls else None,
            ),
        )


def _unknown(observed: Observed) -> str:
    """Return why pg_stat_statements tells nothing of a query."""
    if observed.now.statements is None:
        return observed.now.unseen.get(STATEMENTS, f"{STATEMENTS} cannot be read")
    if observed.statements_were_reset and not observed.incomparable:
        return f"{STATEMENTS} was reset since the run, and has not seen the query after that"
    return (
        f"{STATEMENTS} does not know the query, or the one that it replaces: not executed,"
        " displaced by others, or not shown to this role"
    )


def _immeasurable(observed: Observed, before: Times | None, since: Times | None) -> str:
    """Return why the times of a known query cannot be compared, or ""."""
    if observed.incomparable:
        return observed.incomparable
    if before is None or since is None:
        return f"{STATEMENTS} could not be read at the time of the run, or lacked the query"
    if before.calls < MIN_CALLS:
        return (
            f"{STATEMENTS} knows {before.calls} executions of it before the run; {MIN_CALLS} are"
            " needed"
        )
    if since.calls < MIN_CALLS:
        reset = f", after a reset of {STATEMENTS}" if observed.statements_were_reset else ""
        return (
            f"executed {counted(since.calls, 'time')} since the run{reset}; {MIN_CALLS} are needed"
        )
    return ""


def _query(
    name: str, promised: float, reason: str, before: Times | None, since: Times | None
) -> Promise:
    subject, promise = f"query {name}", f"saves {promised:g} % of its time"
    if reason or before is None or since is None:
        return Promise(subject, promise, "not measurable", reason)
    saved = 100 * (1 - since.mean / before.mean) if before.mean else 0.0
    reason = (
        f"saves {saved:.1f} %: {since.mean:,.2f} ms on average in {since.calls:,} executions since"
        f" the run, before {before.mean:,.2f} ms in {before.calls:,}"
    )
    return Promise(subject, promise, "kept" if saved >= promised else "not kept", reason)
