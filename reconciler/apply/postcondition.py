"""Compare objects with the plan after the last step on each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.diff.diff import shown
from reconciler.introspect.objects import look
from reconciler.model.inheritance import satisfied_by
from reconciler.model.object import Object
from reconciler.plan.plan import Plan, Planned
from reconciler.server.connection import Connection

Named = tuple[str, str]  # kind and identity


def unmet(connection: Connection, plan: Plan, objects: Iterable[Named]) -> dict[Named, str]:
    """Return a reason for each object not in the planned state.

    SQL in fields is compared only if the plan was made with the target's major version: different
    major versions may print an expression differently.
    """
    changes: dict[Named, Planned] = {
        (c.kind, c.identity): c for c in sorted(plan.changes, key=_remains)
    }
    planned = {o: changes[o] for o in objects if o in changes}
    if not planned:
        return {}
    kinds, identities = {kind for kind, _ in planned}, [identity for _, identity in planned]
    found, leftovers = look(connection, kinds, identities)
    present: dict[Named, Object] = {(r.kind, r.identity): o for r, o in found.items()}
    unfinished = {(r.kind, r.identity) for r in leftovers}
    exact = connection.info.server_version // 10000 == plan.spelled_by
    reasons = {
        o: _unmet(change, present.get(o), unfinished=o in unfinished, exact=exact)
        for o, change in planned.items()
    }
    return {o: reason for o, reason in reasons.items() if reason}


def as_planned(change: Planned, found: Object | None) -> bool:
    """Tell whether an object is in the planned state already."""
    if found is None:
        return change.after is None
    return not _unmet(change, found, unfinished=False, exact=True)


def _remains(change: Planned) -> bool:
    """Return whether the object exists after the change.

    A plan may drop one object and create another of the same name, such as an index of a
    materialized view and one of the table that replaces the view: the latter counts.
    """
    return change.after is not None


def _unmet(change: Planned, found: Object | None, *, unfinished: bool, exact: bool) -> str:
    if change.after is None:
        return "it is still there" if found is not None and change.before is not None else ""
    if unfinished:
        return "it is there, but invalid"
    if found is None:  # an inherited object that was altered is no object of its own
        return "it is not there" if change.action == "create" else ""
    return _differences(found, change.after, exact=exact)


def _differences(found: Object, after: Mapping[str, Any], *, exact: bool) -> str:
    # `over` completes what the server's files choose, such as an undeclared version
    planned = type(found).model_validate({"ref": found.ref, **after}).over(found)
    if not exact:
        planned = planned.model_copy(update={f: getattr(found, f) for f in found.sql_fields})
    if satisfied_by(planned, found):
        return ""
    expected, actual = planned.fields(), found.fields()
    return "it differs: " + "; ".join(
        f"{field} is {shown(actual.get(field))}, not {shown(expected[field])}"
        for field in expected
        if expected[field] != actual.get(field) and field not in found.derived()
    )
