"""Fill triggers: set a column where applications leave null, for `keep_filled` of a backfill.

With `keep_filled: always` the trigger sets the column in every row that is written. The trigger
belongs to the column and is created before the first row is filled. Its value is evaluated with the
privileges of the role that writes the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict

from reconciler.kinds.column.backfill_spec import Backfill
from reconciler.kinds.column.target import Target
from reconciler.model.reserved_names import FILL_TRIGGER_PREFIX, LAST_TRIGGER_PREFIX
from reconciler.model.statement import Statement
from reconciler.sql import compose, literal, name, raw, text

_CREATE_FUNCTION = (
    "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SET search_path TO {}\nAS {}"
)


class FillTrigger(BaseModel):
    """A fill trigger and a function, by name, and the SQL expression for the value.

    The names stay when table or column are renamed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    value: str
    trigger: str
    function: str

    @property
    def always(self) -> bool:
        """Whether the trigger sets the value in every row, after all triggers of users."""
        return self.trigger.startswith(LAST_TRIGGER_PREFIX)

    @classmethod
    def of(cls, target: Target, backfill: Backfill) -> Self:
        """Return the fill trigger of a backfill, under the default names."""
        always = backfill.keep_filled == "always"
        return cls(
            value=backfill.value,
            trigger=_reserved_name(target.column, before=LAST_TRIGGER_PREFIX if always else ""),
            function=_reserved_name(target.name, target.column),
        )

    def as_backfill(self) -> Backfill:
        """Return the backfill that declares the trigger."""
        return Backfill(value=self.value, keep_filled="always" if self.always else True)

    @classmethod
    def read(cls, target: Target, trigger: str, function: str, source: str) -> Self:
        """Return the trigger of a function body, "" for a disabled trigger.

        A body that differs from ours becomes the value as a whole, and so a difference.
        """
        head, tail = source_of(target, "\0").split("\0")
        ours = source.startswith(head) and source.endswith(tail)
        value = source[len(head) : len(source) - len(tail)] if ours else source
        return cls(value=value, trigger=trigger, function=function)

    def create(self, target: Target, path: str) -> Iterator[Statement]:
        """Create or replace the function with a search_path, then the trigger."""
        yield from self._create_function(target, path)
        yield self._create_trigger(target)

    def _create_function(self, target: Target, path: str) -> tuple[Statement, Statement]:
        """Create or replace the function, and take it from the role that made it beforehand."""
        function = self._function_name(target)
        source = literal(source_of(target, self.value))
        create = compose(_CREATE_FUNCTION, function, raw(path), source)
        return (
            Statement(sql=text(create), undo=(self._drop_function_sql(target),)),
            own_function(function, None),
        )

    def _create_trigger(self, target: Target) -> Statement:
        # True of every row, this names the column: PostgreSQL drops the trigger with the column.
        always = "(NEW.{} IS NULL) IS NOT NULL"
        create = compose(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} "
            "FOR EACH ROW WHEN ({}) EXECUTE FUNCTION {}()",
            self.trigger,
            target.table,
            compose(always if self.always else "NEW.{} IS NULL", target.column),
            self._function_name(target),
        )
        undo = text(compose("DROP TRIGGER {} ON {}", self.trigger, target.table))
        return Statement(
            sql=text(create),
            lock="SHARE ROW EXCLUSIVE",
            relation=target.relation,
            privilege="TRIGGER",
            undo=(undo,),
        )

    def change_from(self, old: FillTrigger, target: Target, path: str) -> Iterator[Statement]:
        """Change `old`; create before drop if the names differ."""
        if self.function != old.function:
            yield from (*self.create(target, path), *old.drop(target, path))
            return
        function, own = self._create_function(target, path)
        undo = tuple(s.sql for s in old._create_function(target, path))
        yield function.model_copy(update={"undo": undo})
        yield own
        if self.trigger != old.trigger:
            yield self._create_trigger(target)
            yield old._drop_trigger(target)
        elif not old.value:  # disabled
            yield self._create_trigger(target).model_copy(update={"undo": ()})

    def drop(self, target: Target, path: str) -> Iterator[Statement]:
        """Drop trigger and function; the undo creates the function with the search_path."""
        yield self._drop_trigger(target)
        undo = tuple(s.sql for s in self._create_function(target, path))
        yield Statement(sql=self._drop_function_sql(target), undo=undo)

    def _drop_trigger(self, target: Target) -> Statement:
        trigger = self._create_trigger(target)
        assert trigger.undo is not None
        return Statement(
            sql=trigger.undo[0],
            lock="ACCESS EXCLUSIVE",
            relation=target.relation,
            undo=(trigger.sql,),
        )

    def drop_function(self, target: Target) -> Statement:
        """Drop the function, after a drop of the table with the trigger."""
        return Statement(sql=self._drop_function_sql(target))

    def _function_name(self, target: Target) -> sql.Composable:
        return name(target.schema, self.function)

    def _drop_function_sql(self, target: Target) -> str:
        return text(compose("DROP FUNCTION {}()", self._function_name(target)))


def source_of(target: Target, value: str) -> str:
    """Return the body of a trigger function to set the column to the value."""
    body = "BEGIN\n  NEW.{} := (SELECT {} FROM (SELECT NEW.*) AS {});\n  RETURN NEW;\nEND"
    return text(compose(body, name(target.column), raw(value), name(target.name)))


def own_function(function: sql.Composable, owner: str | None) -> Statement:
    """Give a trigger function to `owner`, None for the role that applies the plan.

    CREATE OR REPLACE FUNCTION keeps the owner of a function that another role made beforehand, and
    the owner may replace the body: so this follows in the same transaction.
    """
    role = raw("CURRENT_USER") if owner is None else name(owner)
    give = compose("ALTER FUNCTION {}() OWNER TO {}", function, role)
    return Statement(sql=text(give), undo=())


def _reserved_name(*parts: str, before: str = "") -> str:
    """Return a reserved name of at most 63 bytes; a hash replaces the end of a longer name."""
    whole = before + FILL_TRIGGER_PREFIX + "_".join(parts)
    if len(whole.encode()) <= 63:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:8]
    return whole.encode()[:54].decode(errors="ignore") + "_" + digest
