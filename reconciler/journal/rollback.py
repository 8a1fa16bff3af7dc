"""Declare the objects before a run: (journal, live state) → declaration.

The plan towards it is made and proven like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from pydantic import ValidationError

from reconciler.diff.renames import refs_aside
from reconciler.errors import PlanRefused
from reconciler.journal.history import Detail, Later, Touched
from reconciler.kinds import KINDS
from reconciler.model.declared import RenamesParts
from reconciler.model.inheritance import parents_of
from reconciler.model.object import InlinePart, Object
from reconciler.model.ref import Ref, placed
from reconciler.model.state import Declaration, State
from reconciler.model.statement import HazardKind
from reconciler.plan.plan import Renamed
from reconciler.plan.step import Step
from reconciler.sql import name, text

SHOWN = 5  # objects in a message


@dataclass(frozen=True)
class RollbackPlan:
    """The declaration to plan towards, and notes for people."""

    declaration: Declaration
    notes: Sequence[str]


def rollback_declaration(
    of: Detail,
    attempts: Sequence[Detail],
    afterwards: Sequence[Later],
    live: State,
    has_rows: Callable[[Ref], bool],
) -> RollbackPlan:
    """Declare the objects as recorded before the run.

    `attempts` are unfinished rollbacks of the same run, `afterwards` all other runs since.
    `has_rows` is asked of tables that get a column back. Raises PlanRefused if the objects have
    been changed since.
    """
    _refuse_unrecorded(of)
    rollback = _Rollback(of, attempts, live)
    rollback.refuse_conflicts(afterwards)
    rollback.refuse_later_contents()
    nullable = rollback.nullable_columns(has_rows)
    objects = {
        r: _renamed_back(nullable.get(r, o), rollback.renames) for r, o in rollback.objects.items()
    }
    return RollbackPlan(
        Declaration(
            objects={**rollback.child_tables(), **objects},
            absent={**rollback.absent, **rollback.objects_moved_aside},
            moved_aside=rollback.moved_aside,
            schemas=frozenset(t.ref.schema for t in of.touched),
            recorded=True,
        ),
        [
            *_lost(of),
            *(f"{r} is created again without values, so it may be null" for r in nullable),
            *rollback.notes_of_irreversible(),
            *rollback.notes_of_unseen(),
        ],
    )


class _Rollback:
    """The changes of a run and the live state.

    `touched` leaves out irreversible alterations, `objects` are those before the run by their old
    refs, `renames` those of the plan that were done. `old_names` and `new_names` map the refs
    after them to those before, and the reverse.
    """

    def __init__(self, of: Detail, attempts: Sequence[Detail], live: State) -> None:
        self.of, self.live = of, live
        self.latest = {t.ref: t for detail in (of, *attempts) for t in detail.touched}
        self.known = {t.ref for t in of.touched}
        self.irreversible = _irreversible(of)
        self.touched = [t for t in of.touched if not self._is_irreversible(t)]
        self.objects = {
            t.ref: _model(of, t.ref, t.before) for t in self.touched if t.before is not None
        }
        self.renames = [r for r in of.plan.renames if r.becomes in live or r.was in live]
        self.old_names = {r.becomes: r.was for r in self.renames if r.part is None}
        self.new_names = {was: new for new, was in self.old_names.items() if new in live}

    def _is_irreversible(self, touched: Touched) -> bool:
        """Tell whether the run altered the object irreversibly."""
        altered = touched.before is not None and touched.after is not None
        return altered and str(touched.ref) in self.irreversible

    @cached_property
    def absent(self) -> dict[Ref, Object]:
        """The objects created by the run, to be dropped, by the refs before renamings."""
        created = (t.ref for t in self.touched if t.before is None and t.ref in self.live)
        refs = {ref: _old_ref(ref, self.old_names) for ref in created}
        return {
            old: self.live[ref].model_copy(update={"ref": old})
            for ref, old in refs.items()
            if old not in self.objects
        }

    @cached_property
    def moved_aside(self) -> dict[Ref, Ref]:
        """Map objects under the former names of renamed ones to temporary names."""
        reused = {
            r.was
            for r in self.renames
            if r.part is None
            and r.was != r.becomes
            and {r.was, r.becomes} <= self.live.objects.keys()
            if (took := self.latest.get(r.was)) is not None and self._is_live(r.was, took.after)
        }
        return refs_aside(
            r for r in reused if r.on not in reused or self.live[r].relation_name == r.name
        )

    @property
    def objects_moved_aside(self) -> dict[Ref, Object]:
        """The live objects to be moved aside and dropped."""
        return {
            aside: self.live[ref].model_copy(update={"ref": aside})
            for ref, aside in self.moved_aside.items()
        }

    def nullable_columns(self, has_rows: Callable[[Ref], bool]) -> dict[Ref, Object]:
        """Return columns to create again in tables with rows, without NOT NULL."""
        found: dict[Ref, Object] = {}
        for ref, obj in self.objects.items():
            on = self._present(ref.on) if ref.on is not None else None
            if on is None or self._present(ref) is not None:
                continue
            if placed(ref, on) in self.live.inherited(on):
                continue
            nullable = obj.for_existing_rows() if isinstance(obj, InlinePart) else obj
            if nullable != obj and has_rows(on):
                found[ref] = nullable
        return found

    def _present(self, ref: Ref) -> Ref | None:
        """Return the present ref of an object that was there before the run; None if it is gone."""
        if ref in self.new_names:
            return self.new_names[ref]
        on = self._present(ref.on) if ref.on is not None else None
        now = placed(ref, on) if on is not None else ref
        is_gone = ref.on is not None and on is None
        is_taken = now in self.new_names.values()  # by an object that had another name
        return None if is_gone or is_taken or now not in self.live else now

    def child_tables(self) -> dict[Ref, Object]:
        """Return child tables of changed parts, if the run did not change the table itself."""
        tables = (t.ref.on for t in self.touched if t.ref.on is not None)
        return {
            table: self.live[table]
            for table in tables
            if table in self.live and table not in self.known and parents_of(self.live[table])
        }

    # Refusals.

    def refuse_conflicts(self, afterwards: Sequence[Later]) -> None:
        """Raise PlanRefused if objects have been changed since, or old names are in use."""
        refusals = [
            *self._changed_by_later_runs(afterwards),
            *self._changed_by_others(),
            *self._names_in_use(),
        ]
        if refusals:
            lines = "\n".join(f"  {r}" for r in refusals)
            raise PlanRefused(f"run {self.of.run.id} cannot be rolled back:\n{lines}")

    def refuse_later_contents(self) -> None:
        """Raise PlanRefused if the rollback would drop a later object with a table or schema."""
        dropped = {
            r for r in self.known if r in self.live and _old_ref(r, self.old_names) in self.absent
        }
        dropped |= self.moved_aside.keys()
        inside = (r for r in self.live if r.on in dropped or (r.schema and r.schema_ref in dropped))
        if later := sorted(str(r) for r in inside if r not in self.known):
            raise PlanRefused(
                f"run {self.of.run.id} cannot be rolled back: what it created contains objects "
                f"that were created later: {', '.join(later[:SHOWN])}"
            )

    def _changed_by_later_runs(self, afterwards: Sequence[Later]) -> Iterator[str]:
        """Yield refusals for later runs with changes of the same objects."""
        changed = {t.ref for t in self.of.touched if not (t.seen and self._is_live(t.ref, t.after))}
        for run in (later for later in reversed(afterwards) if changed & later.refs):
            if run.done and run.rollback_of == self.of.run.id:
                yield f"run {run.run} has rolled it back"
                continue
            refs = sorted(str(r) for r in changed & run.refs)
            yield (
                f"run {run.run} changed {', '.join(refs[:SHOWN])} after it; roll back that one "
                f"first: reconcile rollback {run.run}"
            )

    def _changed_by_others(self) -> Iterator[str]:
        """Yield refusals for objects different from the states both before and after the run."""
        for touched in self.touched:
            ref, left = touched.ref, self.latest[touched.ref]
            if (
                not left.seen
                or self._is_live(ref, left.after)
                or self._is_live(ref, touched.before)
            ):
                continue
            if ref not in self.live:
                yield f"{ref} was dropped by somebody else since"
            elif left.after is None:
                yield f"{ref} was created again by somebody else since"
            else:
                yield f"{ref} was changed by somebody else since"

    def _names_in_use(self) -> Iterator[str]:
        """Yield refusals for objects with an old name in use by a further object."""
        for rename in self.renames:
            if rename.part is not None or rename.was in {rename.becomes, *self.moved_aside}:
                continue
            if rename.was in self.live and rename.becomes in self.live:
                yield (
                    f"{rename.becomes} cannot be renamed to {rename.was.name}: another object has "
                    "that name"
                )

    def _is_live(self, ref: Ref, fields: Mapping[str, object] | None) -> bool:
        """Tell whether the live object has the `fields`; for None, whether no object exists."""
        live = self.live.get(ref)
        return live is None if fields is None else _model(self.of, ref, fields) == live

    # Notes.

    def notes_of_irreversible(self) -> list[str]:
        """Note the irreversibly altered objects, left unchanged by the rollback."""
        staying = self.known - {t.ref for t in self.touched}
        names = {str(r) for r in staying}
        return [
            f"{changed} stays as it is: {reason}"
            for changed, reason in self.irreversible.items()
            if changed in names
        ]

    def notes_of_unseen(self) -> list[str]:
        """Note objects in an unknown state: the run broke off before reading the objects."""
        planned = {f"{c.kind} {c.identity}": c.after for c in self.of.plan.changes}
        unknown = [
            str(t.ref)
            for t in self.latest.values()
            if not t.seen
            and not self._is_live(t.ref, t.before)
            and not self._is_live(t.ref, planned.get(str(t.ref)))
        ]
        if not unknown:
            return []
        return [
            f"run {self.of.run.id} broke off before it could look at {', '.join(unknown[:SHOWN])}: "
            "what was changed since by others cannot be told from what it did"
        ]


def _refuse_unrecorded(of: Detail) -> None:
    """Raise PlanRefused if the journal holds no objects of the run."""
    if of.touched:
        return
    reason = "changed nothing"
    if not of.plan.touches:  # plans of earlier versions did not say what they touch
        reason = f"was recorded by version {of.run.version}, which did not keep what it needs"
    raise PlanRefused(f"run {of.run.id} cannot be rolled back: it {reason}")


def _model(of: Detail, ref: Ref, fields: Mapping[str, object]) -> Object:
    """Return a recorded object; raise PlanRefused if the kind or a field is unknown."""
    try:
        return KINDS[ref.kind].model_validate({"ref": ref, **fields})
    except (KeyError, ValidationError):
        raise PlanRefused(
            f"{ref} was recorded by version {of.run.version} in a format that this version does "
            "not know"
        ) from None


def _renamed_back(obj: Object, renames: Sequence[Renamed]) -> Object:
    """Return the object under the old name, and parts under the old names."""
    own = [r for r in renames if r.was == obj.ref]
    now = next((r.becomes for r in own if r.part is None), None)
    parts = dict(r.part for r in own if r.part is not None)
    if now is not None:
        schema = (now.schema,) if now.on is None and now.schema else ()
        obj = obj.model_copy(update={"renamed_from": text(name(*schema, now.name))})
    return obj.with_parts_from(parts) if isinstance(obj, RenamesParts) and parts else obj


def _old_ref(ref: Ref, old_names: Mapping[Ref, Ref]) -> Ref:
    """Return the ref of an object before the renaming of the object or the table."""
    if ref in old_names:
        return old_names[ref]
    return placed(ref, _old_ref(ref.on, old_names)) if ref.on is not None else ref


def _irreversible(of: Detail) -> dict[str, str]:
    """Map each object that a done step changed without an undo to the reason."""
    return {
        f"{step.kind} {step.identity}": hazard.reason
        for step in _done_steps(of)
        for hazard in step.hazards
        if hazard.has_no_undo
    }


def _lost(of: Detail) -> list[str]:
    """Note the data lost by the run, and what it changed for good in objects that come back."""
    return [
        f"run {of.run.id} lost what no rollback brings back: {hazard.reason}"
        for step in _done_steps(of)
        for hazard in step.hazards
        if hazard.hazard is HazardKind.DATA_LOSS or hazard.partly
    ]


def _done_steps(of: Detail) -> Iterator[Step]:
    """Yield the steps of the plan without a record of failure or skipping in the journal."""
    not_done = {s.step_id for s in of.steps if s.status != "done"}
    return (s for s in of.plan.steps if s.id not in not_done)
