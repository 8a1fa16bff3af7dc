"""Compare three states: (plan, live state, state after the last runs) → classes of differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from reconciler.diff.diff import differences
from reconciler.drift.result import (
    CLASSES,
    DriftClass,
    FieldDrift,
    LastRun,
    ObjectDrift,
    Trace,
)
from reconciler.journal.history import LastApplied
from reconciler.kinds import KINDS
from reconciler.model.access import decides_access
from reconciler.model.object import Object
from reconciler.model.owned import owner_of
from reconciler.model.ref import Ref
from reconciler.model.resumption import tells_validity
from reconciler.model.state import State
from reconciler.plan.plan import Plan, Planned

STOPPED = ("failed", "interrupted")


@dataclass(frozen=True)
class History:
    """The recorded states of objects, by kind and identity.

    `done` is the time at which the last run that was done ended.
    """

    objects: Mapping[str, LastApplied] = field(default_factory=dict[str, LastApplied])
    done: datetime | None = None


@dataclass(frozen=True)
class Evidence:
    """The inputs for telling the sides of a difference apart.

    live      the target's state as the target spells it
    absent    objects that are declared as absent
    leftover  objects that an interrupted build or run left
    history   None without a journal: the comparison has two sides
    traces    of the last changes in the database
    """

    live: State
    absent: Set[str] = frozenset()
    leftover: Set[str] = frozenset()
    history: History | None = None
    traces: Mapping[Ref, Trace] = field(default_factory=dict[Ref, Trace])


def refs_of(plan: Plan, live: State) -> dict[str, Ref]:
    """Map the changes of a plan, as kind and identity, to refs."""
    known = {str(r): r for r in plan.touches}
    changed = {f"{c.kind} {c.identity}" for c in plan.changes}
    if changed - known.keys():
        known |= {name: r for r in live if (name := str(r)) in changed}
    return {name: ref for name, ref in known.items() if name in changed}


def classify(plan: Plan, evidence: Evidence) -> list[ObjectDrift]:
    """Return the differences with their classes, security first."""
    refs = refs_of(plan, evidence.live)
    renamed = {str(r.becomes) for r in plan.renames}
    found = [_Difference(c, refs, evidence, renamed).result() for c in plan.changes]
    return sorted(found, key=lambda o: (not o.security, CLASSES.index(o.drift_class)))


class _Difference:
    """A change of a plan, with the recorded state of the object.

    `applied` are the fields that the last run left, None for an absent or unknown object.
    `moved_live` maps the fields that were changed in the database since to what the run left, and
    `moved_declared` those that were changed in the files; "" is the whole object.
    """

    def __init__(
        self, change: Planned, refs: Mapping[str, Ref], evidence: Evidence, renamed: Set[str]
    ) -> None:
        self.change, self.evidence = change, evidence
        self.name = f"{change.kind} {change.identity}"
        self.ref, self.renamed = refs.get(self.name), self.name in renamed
        self.live = evidence.live.get(self.ref) if self.ref else None
        history = evidence.history
        self.last = history.objects.get(self.name) if history else None
        left = self.last and (self.last.after if self.last.seen else self.last.before)
        self.applied = _as_known(self.ref, left)
        now = self.live.fields() if self.live else None
        self.moved_live = _moved(self.applied, now)
        self.moved_declared = _moved(self.applied, change.after)
        # A run that broke off before it looked again left the object as it was, if it is so still.
        self.known = self.last is not None and (
            (left is None) == (self.applied is None) if self.last.seen else not self.moved_live
        )

    def result(self) -> ObjectDrift:
        fields = [self._field(d.field, d.live, d.wanted) for d in self.change.differences]
        return ObjectDrift(
            kind=self.change.kind,
            identity=self.change.identity,
            action=self.change.action,
            drift_class=self._class(fields),
            security=self._concerns_security(),
            fields=fields,
            position=self.change.position,
            last_run=self.last and LastRun(self.last.run, self.last.started_at, self.last.status),
            trace=self.evidence.traces.get(self.ref) if self.ref else None,
            owner=self._owner,
        )

    @property
    def _owner(self) -> str | None:
        """The owner of the live object, or of the object's table."""
        table = self.ref.on if self.ref else None
        return owner_of(self.live) or (owner_of(self.evidence.live.get(table)) if table else None)

    def _field(self, field_name: str, live: Any, wanted: Any) -> FieldDrift:
        if not self.known or self.applied is None:
            return FieldDrift(field_name, live, wanted)
        applied = self.moved_live.get(field_name, live)
        return FieldDrift(field_name, live, wanted, applied, recorded=True)

    def _class(self, fields: Sequence[FieldDrift]) -> DriftClass:
        if self._is_unfinished or self._was_not_done:
            return "unfinished"
        if self.change.action == "create":
            return self._class_of_missing()
        if self.change.action == "drop":
            return self._class_of_surplus()
        return self._class_of_altered(fields)

    def _class_of_altered(self, fields: Sequence[FieldDrift]) -> DriftClass:
        """Classify the alteration of an existing object."""
        if self.renamed:
            return "drifted" if self.applied is not None else self._class_of_unknown("pending")
        if not self.known or self.applied is None:
            return self._class_of_unknown("different")
        classes: set[DriftClass] = {self._class_of(f) for f in fields} or {"drifted"}
        first, *others = classes
        return "both" if others else first

    def _class_of(self, found: FieldDrift) -> DriftClass:
        if not _is_among(found.field, self.moved_live):
            return "pending"
        return "both" if _is_among(found.field, self.moved_declared) else "drifted"

    @property
    def _is_unfinished(self) -> bool:
        """Whether only unfinished work differs, such as an invalid index or unchecked rows."""
        fields = [d.field for d in self.change.differences]
        if fields:
            return all(tells_validity(self.live, f) for f in fields)
        nothing_said = self.change.before is None and self.change.after is None
        return (nothing_said and not self.renamed) or self.name in self.evidence.leftover

    @property
    def _was_not_done(self) -> bool:
        """Whether the last run with this object stopped before the object's change."""
        last = self.last
        if last is None or last.status not in STOPPED or not self.known or self.moved_live:
            return False
        return not last.seen or last.after != last.planned

    def _class_of_missing(self) -> DriftClass:
        """Classify a declared object absent from the database.

        Where runs are recorded, an object that none has made is new in the files.
        """
        if self.evidence.history is None:
            return "missing"
        if self.last is None or (self.known and self.applied is None):
            return "pending" if self.evidence.history.done else "missing"
        return "missing"

    def _class_of_surplus(self) -> DriftClass:
        """Classify an existing object to be dropped."""
        declared_absent = self.name in self.evidence.absent
        if not self.known:
            return "different" if declared_absent else "unmanaged"
        if self.applied is None:
            return "drifted" if declared_absent else "unmanaged"
        return "both" if self.moved_live else "pending"

    def _class_of_unknown(self, otherwise: DriftClass) -> DriftClass:
        """Classify a difference of an object absent from the journal.

        A row that was written after the last run was not written by that run.
        """
        history = self.evidence.history
        trace = self.evidence.traces.get(self.ref) if self.ref else None
        if history and history.done and trace and trace.committed_at:
            return "drifted" if trace.committed_at > history.done else otherwise
        return otherwise

    def _concerns_security(self) -> bool:
        objects = [self.live, _object(self.ref, self.change.after), self._declared_before]
        top = {d.field.split(".")[0] for d in self.change.differences} or {""}
        return any(decides_access(o, name) for o in objects for name in top)

    @property
    def _declared_before(self) -> Object | None:
        return _object(self.ref, self.change.before)


def _object(ref: Ref | None, fields: Mapping[str, Any] | None) -> Object | None:
    """Build an object from fields; None if this version does not know the fields."""
    if ref is None or fields is None:
        return None
    try:
        return KINDS[ref.kind].model_validate({"ref": ref, **fields})
    except (KeyError, ValidationError):
        return None


def _as_known(ref: Ref | None, fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return recorded fields in the spelling of this version; None for unknown fields."""
    obj = _object(ref, fields)
    return obj.fields() if obj else None


def _moved(applied: dict[str, Any] | None, now: dict[str, Any] | None) -> Mapping[str, Any]:
    """Map the fields changed since a run to their values after the run."""
    if applied is None or now is None:
        return {} if applied == now else {"": applied}
    return {d.field: d.live for d in differences(applied, now)}


def _is_among(field_name: str, moved: Iterable[str]) -> bool:
    """Tell whether a field, a part of the field or a parent of the field has moved."""
    return any(
        m in ("", field_name) or m.startswith(f"{field_name}.") or field_name.startswith(f"{m}.")
        for m in moved
    )
