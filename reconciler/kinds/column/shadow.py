"""A column's twin: beside it, of the type that it is to have, kept in step and filled, until it takes its place.

So a change of type that writes every row anew holds nobody up: what is filled is filled in batches, and the exchange takes
but a moment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Self

from psycopg import sql

from reconciler.kinds.column.backfill_spec import Backfill, Retype, fill
from reconciler.kinds.column.definition import Described
from reconciler.kinds.column.fill_trigger import FillTrigger, source_of
from reconciler.kinds.column.not_null import proven, unproven
from reconciler.kinds.column.storage import Plain, settings
from reconciler.kinds.column.target import Target
from reconciler.kinds.column.type_change import Retyping, collate
from reconciler.model.context import PlanningContext
from reconciler.model.facts import Leftover
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import SETTING_PREFIX, SHADOW_PREFIX, SHADOW_TRIGGER_PREFIX
from reconciler.model.statement import Statement
from reconciler.sql import compose, literal, name, raw, text

# Whoever writes need not know what the expression calls; it is the table's owner who declared it.
_FUNCTION = """CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS {}"""


@dataclass(frozen=True)
class ShadowColumn:
    """The column `ref`, which is `value` in every row: SQL over the row."""

    ref: Ref
    type: str
    collation: str | None
    value: str
    pacing: Retype = field(default_factory=Retype)

    @classmethod
    def of(
        cls,
        column: Ref,
        type_: str,
        collation: str | None,
        value: str,
        pacing: Retype,
        leftovers: Mapping[Ref, Leftover],
    ) -> Self:
        """The twin of a column; its name tells what it is to hold, so that one which holds something else is not taken for it."""
        told = "\n".join((str(column), type_, collation or "", value))
        names = [
            SHADOW_PREFIX + sha256((told + more).encode()).hexdigest()[:12]
            for more in ("", "again")
        ]
        both = [cls(replace(column, name=n), type_, collation, value, pacing) for n in names]
        return next((t for t in both if t.ref not in leftovers or t.begun(leftovers)), both[0])

    @classmethod
    def left(cls, found: Described) -> Self:
        """The one that a column of that name is."""
        return cls(
            found.ref,
            found.type,
            found.collation,
            found.fill_trigger.value if found.fill_trigger else "",
        )

    @property
    def target(self) -> Target:
        """Where it stands."""
        assert self.ref.on is not None
        return Target(self.ref.on, self.ref.name)

    def begun(self, leftovers: Mapping[Ref, Leftover]) -> bool:
        """Whether it is there, and was kept in step ever since."""
        left = leftovers.get(self.ref)
        fill_trigger = getattr(left.made, "fill_trigger", None) if left else None
        return isinstance(fill_trigger, FillTrigger) and fill_trigger.value == self.value

    # -- made and cleared away -------------------------------------------------------------------------------------

    def made(self) -> Iterator[Statement]:
        """Add it with what keeps it in step: behind all other triggers, and whoever writes, replication too."""
        own, collated = (
            self.target.column,
            compose(" COLLATE {}", collate(self.collation))
            if self.collation is not None
            else raw(""),
        )
        added = compose("ADD COLUMN {} {}{}", own, raw(self.type), collated)
        statement = self.target.alter(
            added, compose("DROP COLUMN IF EXISTS {}", own), own_transaction=True
        )
        yield statement.model_copy(update={"adds_shadow_column": True})
        yield from self._kept()

    def strewn(self) -> Iterator[Statement]:
        """Make it as it was found."""
        added, *kept = self.made()
        yield from (added, *(kept if self.value else ()))

    def _kept(self) -> Iterator[Statement]:
        """The trigger and its function."""
        define = compose(_FUNCTION, self._function, literal(source_of(self.target, self.value)))
        yield Statement(sql=text(define), undo=(self._function_gone,))
        words = "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW EXECUTE FUNCTION {}()"
        fires = compose(words, self._trigger, self.target.table, self._function)
        yield Statement(
            sql=text(fires),
            lock="SHARE ROW EXCLUSIVE",
            relation=self.target.relation,
            privilege="TRIGGER",
            undo=(self._trigger_gone,),
        )
        yield self.target.alter(
            compose("ENABLE ALWAYS TRIGGER {}", self._trigger), undo=(), lock="SHARE ROW EXCLUSIVE"
        )

    def filled(self, *, nulls: bool) -> Iterator[Statement]:
        """Fill it; unless there may be `nulls`, prove that there are none. Tell the planner what is in it."""
        backfill = Backfill(
            value=self.value, **{f: getattr(self.pacing, f) for f in Retype.model_fields}
        )
        yield fill(self.target, backfill, partial=nulls)
        yield from () if nulls else proven(self.target)
        words = text(compose("ANALYZE {} ({})", self.target.table, self.target.column))
        yield Statement(
            sql=words,
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.target.relation,
            own_transaction=True,
            long=True,
            undo=(),
        )

    def released(self) -> Iterator[Statement]:
        """Drop what keeps it in step."""
        yield Statement(
            sql=self._trigger_gone, lock="ACCESS EXCLUSIVE", relation=self.target.relation, undo=()
        )
        yield Statement(sql=self._function_gone, undo=())

    def put(
        self,
        target: Target,
        retyping: Retyping,
        new: Described,
        old: Described,
        said: Iterable[Statement],
        context: PlanningContext,
    ) -> Iterator[Statement]:
        """Put it in the place of the old column, with what is `said` of that; its way back writes every row anew."""
        counted, key = (
            old.numbering if new.numbering is not None else None,
            SETTING_PREFIX + self.target.column,
        )
        if old.default is not None:
            yield target.default(None, before=old.default)
        if old.numbering is not None and counted is None:
            yield old.numbering.dropped(target, context)
        first, *more = self.released()
        yield first.model_copy(
            update={"undo": tuple(_undo_statements(target, retyping, new, old, context))}
        )
        yield from more
        if old.fill_trigger is not None:
            yield from _once(old.fill_trigger.removed(target))
        if counted is not None:
            yield from counted.remembered(target, key)
        yield target.alter(
            compose("DROP COLUMN {}", target.column), undo=(), hazards=tuple(retyping.losses())
        )
        yield self.target.alter(
            compose("RENAME COLUMN {} TO {}", self.target.column, target.column), undo=()
        )
        if old.forbidden is not None:
            yield from old.forbidden.said(target, context.server)
            yield from () if old.forbidden.not_valid else [unproven(self.target)]
        if counted is not None:
            yield from counted.continued(target, key, context)
        if old.fill_trigger is not None:
            yield from _once(old.fill_trigger.made(target))
        yield from (
            s.model_copy(update={"hazards": ()}) for s in _once(said)
        )  # no more than was said before
        if new.default is not None:
            yield target.default(new.default, before=None)

    def discarded(self) -> Iterable[Statement]:
        """Drop all of it."""
        yield from self.released()
        words = compose(
            "ALTER TABLE IF EXISTS {} DROP COLUMN IF EXISTS {}",
            self.target.table,
            self.target.column,
        )
        yield Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.target.relation, undo=()
        )

    @property
    def _trigger(self) -> str:
        return SHADOW_TRIGGER_PREFIX + self.target.column

    @property
    def _function(self) -> sql.Composable:
        return name(self.target.schema, self.target.column)

    @property
    def _trigger_gone(self) -> str:
        return text(compose("DROP TRIGGER IF EXISTS {} ON {}", self._trigger, self.target.table))

    @property
    def _function_gone(self) -> str:
        return text(compose("DROP FUNCTION IF EXISTS {}()", self._function))


def ahead(
    shadow: ShadowColumn, new: Described, old: Described, context: PlanningContext
) -> Iterator[Statement]:
    """What is done before the twin takes its place: made, unless it is there, and filled."""
    found: list[Statement] = []
    if not shadow.begun(context.leftovers):
        found += [
            *shadow.made(),
            *_once(settings(new, Plain(new.type), shadow.target, context.server)),
        ]
    found += shadow.filled(nulls=old.forbidden is None or old.forbidden.not_valid)
    yield from (s.model_copy(update={"before_swap": True}) for s in found)


def _once(statements: Iterable[Statement]) -> Iterator[Statement]:
    """Without a way back of their own."""
    return (s.model_copy(update={"undo": ()}) for s in statements)


def refused(new: Described, old: Described, *, constrained: bool, inherited: bool) -> str:
    """Why no twin can be made, "" where one can."""
    reasons = {
        "its rows are another server's": new.ref.on is not None
        and new.ref.on.kind == "foreign_table",
        "it is generated": new.generated is not None or old.generated is not None,
        "a parent has it too": inherited,
        f"{new.type} has constraints, and adding a column of it writes every row anew too": constrained,
    }
    return next((why for why, hinders in reasons.items() if hinders), "")


def _undo_statements(
    target: Target, retyping: Retyping, new: Described, old: Described, context: PlanningContext
) -> Iterator[str]:
    """What keeps a column filled names it in a condition, and must stand aside while its type changes."""
    fill_trigger = old.fill_trigger
    yield from (s.sql for s in fill_trigger.removed(target)) if fill_trigger is not None else ()
    yield target.column_action(retyping.back())
    kept = Plain(
        old.type,
        statistics=new.statistics,
        n_distinct=new.n_distinct,
        n_distinct_inherited=new.n_distinct_inherited,
    )
    yield from (s.sql for s in settings(old, kept, target, context.server))
    yield from (s.sql for s in fill_trigger.made(target)) if fill_trigger is not None else ()
