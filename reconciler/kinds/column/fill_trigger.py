"""A trigger that fills a column where applications leave it null: from before its backfill, for as long as that is declared.

It is part of the column and no object of its own, so that it stands before the first row is filled. Its value is
evaluated with the rights of whoever writes.
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


class FillTrigger(BaseModel):
    """The trigger and its function, by their names, and the value that they give; it is not kept in step with renamings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    trigger: str
    function: str

    @classmethod
    def of(cls, target: Target, value: str) -> Self:
        """The one that gives this value, under the usual names."""
        return cls(
            value=value, trigger=_named(target.column), function=_named(target.name, target.column)
        )

    @classmethod
    def read(cls, target: Target, trigger: str, function: str, source: str) -> Self:
        """The one whose function has that source, "" if it does not fire; what is not ours to the letter is taken for its value."""
        head, tail = source_of(target, "\0").split("\0")
        ours = source.startswith(head) and source.endswith(tail)
        return cls(
            value=source[len(head) : len(source) - len(tail)] if ours else source,
            trigger=trigger,
            function=function,
        )

    def made(self, target: Target) -> Iterator[Statement]:
        """The statements that make it, or give one of these names this value."""
        words = "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS {}"
        define = compose(words, self._function(target), literal(source_of(target, self.value)))
        yield Statement(sql=text(define), undo=(self._gone(target),))
        words = "CREATE OR REPLACE TRIGGER {} BEFORE INSERT OR UPDATE ON {} FOR EACH ROW WHEN (NEW.{} IS NULL) EXECUTE FUNCTION {}()"
        fires = compose(words, self.trigger, target.table, target.column, self._function(target))
        undo = text(compose("DROP TRIGGER {} ON {}", self.trigger, target.table))
        yield Statement(
            sql=text(fires),
            lock="SHARE ROW EXCLUSIVE",
            relation=target.relation,
            privilege="TRIGGER",
            undo=(undo,),
        )

    def changed_from(self, old: FillTrigger, target: Target) -> Iterator[Statement]:
        """The statements that turn `old` into this; one of other names goes only when this one fires."""
        define, fires = self.made(target)
        if (self.trigger, self.function) == (old.trigger, old.function):
            yield define.model_copy(update={"undo": (next(iter(old.made(target))).sql,)})
            yield from () if old.value else [fires.model_copy(update={"undo": ()})]
            return
        yield from (define, fires)
        yield from old.removed(target)

    def removed(self, target: Target) -> Iterator[Statement]:
        """The statements that drop it."""
        define, fires = self.made(target)
        assert fires.undo is not None
        yield Statement(
            sql=fires.undo[0],
            lock="ACCESS EXCLUSIVE",
            relation=target.relation,
            undo=(fires.sql,),
        )
        yield define.model_copy(update={"sql": self._gone(target), "undo": (define.sql,)})

    def left(self, target: Target) -> Iterator[Statement]:
        """The statement that drops what is left of it when its table is gone."""
        yield Statement(sql=self._gone(target))

    def _function(self, target: Target) -> sql.Composable:
        return name(target.schema, self.function)

    def _gone(self, target: Target) -> str:
        return text(compose("DROP FUNCTION {}()", self._function(target)))


def source_of(target: Target, value: str) -> str:
    """The body of a trigger's function that gives the column this value."""
    own, row = name(target.column), name(target.name)
    return text(
        compose(
            "BEGIN\n  NEW.{} := (SELECT {} FROM (SELECT NEW.*) AS {});\n  RETURN NEW;\nEND",
            own,
            raw(value),
            row,
        )
    )


def _named(*parts: str) -> str:
    """A name of ours; where it is too long, a digest tells it from others that begin like it."""
    whole = FILL_TRIGGER_PREFIX + "_".join(parts)
    if len(whole.encode()) <= 63:
        return whole
    return (
        whole.encode()[:54].decode(errors="ignore") + "_" + sha256(whole.encode()).hexdigest()[:8]
    )
