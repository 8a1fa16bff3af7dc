"""What must hold once an object's last step is done: it is there, or gone, and it is what the plan said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.introspect.objects import look
from reconciler.model.inheritance import satisfied_by
from reconciler.model.object import Object
from reconciler.plan.plan import Plan, Planned
from reconciler.server.connection import Connection

Named = tuple[str, str]  # kind and identity


def unmet(connection: Connection, plan: Plan, objects: Iterable[Named]) -> dict[Named, str]:
    """Why each of these objects is not what the plan makes of it; empty where all are.

    Where the plan was spelled by another major version than the target's, the SQL in their fields may be printed otherwise
    and is not compared.
    """
    planned: dict[Named, Planned] = {
        (c.kind, c.identity): c for c in sorted(plan.changes, key=_stays)
    }
    wanted = {o: planned[o] for o in objects if o in planned}
    if not wanted:
        return {}
    found, debris = look(
        connection, {kind for kind, _ in wanted}, [identity for _, identity in wanted]
    )
    there: dict[Named, Object] = {(r.kind, r.identity): o for r, o in found.items()}
    same = connection.info.server_version // 10000 == plan.spelled_by
    unfinished = {(r.kind, r.identity) for r in debris}
    reasons = {o: _unmet(c, there.get(o), o in unfinished, exact=same) for o, c in wanted.items()}
    return {o: why for o, why in reasons.items() if why}


def _stays(change: Planned) -> bool:
    """Of two objects of one name, such as indexes of a view and of the table in its place, the one that stays counts."""
    return change.after is not None


def _unmet(change: Planned, found: Object | None, unfinished: bool, *, exact: bool) -> str:
    if change.after is None:
        return "it is still there" if found is not None and change.before is not None else ""
    if unfinished:
        return "it is there, but invalid"
    if found is None:
        return (
            "it is not there" if change.action == "create" else ""
        )  # what a parent gives is no object of its own
    return _different(found, change.after, exact=exact)


def _different(found: Object, after: Mapping[str, Any], *, exact: bool) -> str:
    wanted = type(found).model_validate({"ref": found.ref, **after})
    if not exact:
        wanted = wanted.model_copy(update={f: getattr(found, f) for f in found.sql_fields})
    if satisfied_by(wanted, found):
        return ""
    fields = _fields(wanted, found)
    return "it differs: " + "; ".join(
        f"{f} is {found.fields().get(f)!r}, not {wanted.fields().get(f)!r}" for f in fields
    )


def _fields(wanted: Object, found: Object) -> Sequence[str]:
    one, other = wanted.fields(), found.fields()
    return [f for f in one if one[f] != other.get(f) and f not in found.derived()]
