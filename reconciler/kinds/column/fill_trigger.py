"""Fill triggers: set a column where applications leave null, for `keep_filled` of a backfill.

The trigger belongs to the column and is created before the first row is filled. Its value is
evaluated with the privileges of the role that writes the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict

from reconciler.kinds.column.target import Target
from reconciler.model.reserved_names import FILL_TRIGGER_PREFIX
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

    @classmethod
    def of(cls, target: Target, value: str) -> Self:
        """Return a fill trigger for the value, under the default names."""
        return cls(
            value=value,
            trigger=_reserved_name(target.column),
            function=_reserved_name(target.name, target.column),
        )

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
        create = compose(
            "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} "
            "FOR EACH ROW WHEN (NEW.{} IS NULL) EXECUTE FUNCTION {}()",
            self.trigger,
            target.table,
            target.column,
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
        if (self.trigger, self.function) != (old.trigger, old.function):
            yield from (*self.create(target, path), *old.drop(target, path))
            return
        function, own = self._create_function(target, path)
        undo = tuple(s.sql for s in old._create_function(target, path))
        yield function.model_copy(update={"undo": undo})
        yield own
        if not old.value:  # disabled
            yield self._create_trigger(target).model_copy(update={"undo": ()})

    def drop(self, target: Target, path: str) -> Iterator[Statement]:
        """Drop trigger and function; the undo creates the function with the search_path."""
        trigger = self._create_trigger(target)
        assert trigger.undo is not None
        yield Statement(
            sql=trigger.undo[0],
            lock="ACCESS EXCLUSIVE",
            relation=target.relation,
            undo=(trigger.sql,),
        )
        undo = tuple(s.sql for s in self._create_function(target, path))
        yield Statement(sql=self._drop_function_sql(target), undo=undo)

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


def _reserved_name(*parts: str) -> str:
    """Return a reserved name of at most 63 bytes; a hash replaces the end of a longer name."""
    whole = FILL_TRIGGER_PREFIX + "_".join(parts)
    if len(whole.encode()) <= 63:
        return whole
    digest = sha256(whole.encode()).hexdigest()[:8]
    return whole.encode()[:54].decode(errors="ignore") + "_" + digest
