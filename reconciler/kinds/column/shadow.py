"""Shadow columns: columns of the new type, kept in sync with a column and filled.

The shadow column is filled in batches and swapped for the column in one short transaction, so that
a change of type that rewrites every row blocks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

from psycopg import sql

from reconciler.kinds.column.backfill_spec import Backfill, Retype, fill
from reconciler.kinds.column.definition import ColumnDefinition
from reconciler.kinds.column.fill_trigger import FillTrigger, own_function, source_of
from reconciler.kinds.column.not_null import prove_by_check
from reconciler.kinds.column.target import Target, in_own_transaction
from reconciler.model.context import PlanningContext
from reconciler.model.facts import Leftover
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import SHADOW_PREFIX, SHADOW_TRIGGER_PREFIX
from reconciler.model.spelling import collation_sql
from reconciler.model.statement import Statement
from reconciler.server.parameters import SEARCH_PATH
from reconciler.sql import compose, literal, name, raw, text

# SECURITY DEFINER: roles that write need no privileges on functions that the declared value calls.
# So the function must belong to the owner of the table, not to a superuser who applies the plan.
_CREATE_FUNCTION = (
    "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
    " SET search_path TO {}\nAS {}"
)


@dataclass(frozen=True)
class ShadowColumn:
    """The shadow column `ref`, equal to `value` in every row: SQL over the row.

    `owner` is the owner of the table, if it is not the role that applies the plan. `path` is the
    search_path for the value.
    """

    ref: Ref
    type: str
    collation: str | None
    value: str
    pacing: Retype = field(default_factory=Retype)
    owner: str | None = None
    path: str = SEARCH_PATH

    @classmethod
    def of(
        cls,
        column: ColumnDefinition,
        value: str,
        pacing: Retype,
        context: PlanningContext,
    ) -> Self:
        """Return the shadow column to become `column`.

        The name is a hash of the definition, so that leftovers of another definition are not
        reused. A second name avoids a leftover whose trigger is gone.
        """
        definition = "\n".join((str(column.ref), column.type, column.collation or "", value))
        leftovers = context.leftovers
        owner = context.owners.get(column.target.on)
        candidates = [
            cls(
                column.ref._replace(name=SHADOW_PREFIX + _digest(definition + suffix)),
                column.type,
                column.collation,
                value,
                pacing,
                owner,
                context.search_path_of(column.ref),
            )
            for suffix in ("", "again")
        ]
        usable = (c for c in candidates if c.ref not in leftovers or c.is_in_sync(leftovers))
        return next(usable, candidates[0])

    @classmethod
    def from_leftover(cls, column: ColumnDefinition) -> Self:
        """Return the shadow column of a leftover column."""
        value = column.fill_trigger.value if column.fill_trigger else ""
        return cls(column.ref, column.type, column.collation, value)

    @property
    def target(self) -> Target:
        """The table and the name, for ALTER TABLE."""
        assert self.ref.on is not None
        return Target(self.ref.on, self.ref.name)

    def is_in_sync(self, leftovers: Mapping[Ref, Leftover]) -> bool:
        """Return whether shadow column and trigger exist."""
        left = leftovers.get(self.ref)
        trigger = getattr(left.made, "fill_trigger", None) if left else None
        return isinstance(trigger, FillTrigger) and trigger.value == self.value

    # -- create and drop ---------------------------------------------------------------------------

    def create(self) -> Iterator[Statement]:
        """Add the column, then the function and the trigger to keep the column in sync."""
        own, collation = self.target.column, raw("")
        if self.collation is not None:
            collation = compose(" COLLATE {}", collation_sql(self.collation))
        add = compose("ADD COLUMN {} {}{}", own, raw(self.type), collation)
        drop = compose("DROP COLUMN IF EXISTS {}", own)
        added = in_own_transaction(self.target.alter(add, drop))
        yield added.model_copy(update={"adds_shadow_column": True})
        yield from self._create_trigger()

    def _create_trigger(self) -> Iterator[Statement]:
        """Create a trigger to fire after all triggers of users, for replicated rows as well."""
        yield from self._create_function()
        create = compose(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} "
            "FOR EACH ROW EXECUTE FUNCTION {}()",
            self._trigger,
            self.target.table,
            self._function,
        )
        yield Statement(
            sql=text(create),
            lock="SHARE ROW EXCLUSIVE",
            relation=self.target.relation,
            privilege="TRIGGER",
            undo=(self._drop_trigger_sql,),
        )
        enable = compose("ENABLE ALWAYS TRIGGER {}", self._trigger)
        yield self.target.alter(enable, undo=(), lock="SHARE ROW EXCLUSIVE")

    def _create_function(self) -> Iterator[Statement]:
        source = literal(source_of(self.target, self.value))
        create = compose(_CREATE_FUNCTION, self._function, raw(self.path), source)
        yield Statement(sql=text(create), undo=(self._drop_function_sql,))
        yield own_function(self._function, self.owner)

    def replace_function(self) -> Iterator[Statement]:
        """Replace the function of an interrupted run: it may belong to another role."""
        for statement in self._create_function():
            yield statement.model_copy(update={"undo": ()})

    def recreate_leftovers(self) -> Iterator[Statement]:
        """Create the leftovers of an interrupted run, without trigger if the trigger is missing."""
        column, *trigger = self.create()
        yield column
        yield from trigger if self.value else ()

    def drop_trigger(self) -> Iterator[Statement]:
        """Drop the trigger and the function."""
        yield Statement(
            sql=self._drop_trigger_sql,
            lock="ACCESS EXCLUSIVE",
            relation=self.target.relation,
            undo=(),
        )
        yield Statement(sql=self._drop_function_sql, undo=())

    def drop(self) -> Iterable[Statement]:
        """Drop trigger, function and column if present."""
        yield from self.drop_trigger()
        drop = "ALTER TABLE IF EXISTS {} DROP COLUMN IF EXISTS {}"
        yield Statement(
            sql=text(compose(drop, self.target.table, self.target.column)),
            lock="ACCESS EXCLUSIVE",
            relation=self.target.relation,
            undo=(),
        )

    # -- fill --------------------------------------------------------------------------------------

    def fill(self, *, nulls: bool) -> Iterator[Statement]:
        """Fill the column, prove NOT NULL unless `nulls` are allowed, and analyse the column."""
        throttle = {f: getattr(self.pacing, f) for f in Retype.model_fields}
        yield fill(self.target, Backfill(value=self.value, **throttle), partial=nulls)
        if not nulls:
            yield from prove_by_check(self.target)
        yield Statement(
            sql=text(compose("ANALYZE {} ({})", self.target.table, self.target.column)),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.target.relation,
            own_transaction=True,
            long=True,
            undo=(),
        )

    # -- names -------------------------------------------------------------------------------------

    @property
    def _trigger(self) -> str:
        return SHADOW_TRIGGER_PREFIX + self.target.column

    @property
    def _function(self) -> sql.Composable:
        return name(self.target.schema, self.target.column)

    @property
    def _drop_trigger_sql(self) -> str:
        return text(compose("DROP TRIGGER IF EXISTS {} ON {}", self._trigger, self.target.table))

    @property
    def _drop_function_sql(self) -> str:
        return text(compose("DROP FUNCTION IF EXISTS {}()", self._function))


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
