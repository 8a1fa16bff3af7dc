"""Inheritance and partitions: https://www.postgresql.org/docs/current/ddl-inherit.html"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, ClassVar, Final, Self

from psycopg import sql
from pydantic import Field, field_validator

from reconciler.model.commit_group import CommitsTogether
from reconciler.model.context import PlanningContext
from reconciler.model.inheritance import Inheriting, override_clause, overrides
from reconciler.model.object import InlinePart
from reconciler.model.on_scratch import StoresResult
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, split_name
from reconciler.model.resumption import Resumable
from reconciler.model.spelling import QualifiedName, RelationName, Sql
from reconciler.model.statement import Hazard, HazardKind, Lock, Question, Statement
from reconciler.model.suspension import Suspendable
from reconciler.sql import compose, joined, literal, raw, text

_PARENTS = """
    SELECT format('%I.%I', pn.nspname, pc.relname) FROM pg_inherits AS h
    JOIN pg_class AS pc ON pc.oid = h.inhparent
    JOIN pg_namespace AS pn ON pn.oid = pc.relnamespace WHERE h.inhrelid = c.oid"""
INHERITANCE_COLUMNS: Final = f"""
    pg_get_expr(c.relpartbound, c.oid) AS values,
    CASE WHEN c.relispartition THEN ({_PARENTS}) END AS partition_of,
    CASE WHEN c.relispartition THEN '{{}}'
         ELSE ARRAY({_PARENTS} ORDER BY h.inhseqno) END AS inherits"""  # for pg_class AS c
_BOUND_ALONE = re.compile(r"\s*(FROM|IN|WITH)\b", re.IGNORECASE)
_FINALIZE: Final = """DO $reconcile$ DECLARE whole regclass; BEGIN
  SELECT inhparent INTO whole FROM pg_inherits WHERE inhdetachpending AND inhrelid = {0}::regclass;
  IF FOUND THEN EXECUTE format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', whole, {0}); END IF;
END $reconcile$"""


class InheritableTable(Suspendable, CommitsTogether, Inheriting, Resumable, StoresResult, Granted):
    """A table or foreign table, possibly a child table or a partition."""

    relation: ClassVar[bool] = True

    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"values": ("partition_of",)}
    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"inherits": ("partition_of",)}

    partition_of: RelationName | None = Field(
        default=None, description="the partitioned table to which this partition belongs"
    )
    values: Sql | None = Field(
        default=None,
        description="the partition bound: FROM (…) TO (…), IN (…), WITH (MODULUS …) or DEFAULT",
    )
    inherits: tuple[QualifiedName, ...] = Field(default=(), description="parent tables, in order")

    def attach_hazards(self, context: PlanningContext) -> tuple[Hazard, ...]:
        """Return the hazards of attaching the table with rows as a partition."""
        del context
        return ()

    def may_prove_bound(self, context: PlanningContext) -> bool:
        """Return whether a CHECK may prove the bound before the table is attached."""
        del context
        return False

    @field_validator("values")
    @classmethod
    def _with_for_values(cls, values: str | None) -> str | None:
        """Complete `FROM … TO …`, `IN …` and `WITH (MODULUS …)` by FOR VALUES."""
        return f"FOR VALUES {values}" if values and _BOUND_ALONE.match(values) else values

    @property
    def commit_group(self) -> Ref | None:
        return self.ref

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        """Write empty `columns` of a table without columns, since a body without is a mention."""
        bare = not {"columns", "partition_of", "inherits"} & body.keys()
        return {**body, "columns": dict[str, Any]()} if bare else body

    @property
    def parents(self) -> tuple[Ref, ...]:
        parents = [*self.inherits, *([self.partition_of] if self.partition_of else [])]
        names = filter(None, map(split_name, parents))
        return tuple(Ref("table", n[-2] if len(n) > 1 else self.ref.schema, n[-1]) for n in names)

    def evaluated(self) -> Mapping[str, str]:
        return {"values": self.values} if self.values else {}

    @property
    def is_partition(self) -> bool:
        return self.partition_of is not None

    def needs(self) -> frozenset[Ref]:
        return super().needs() | {*self.parents}

    def without_parents(self) -> Self:
        return self.model_copy(update={"partition_of": None, "values": None, "inherits": ()})

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        """Finish an interrupted DETACH CONCURRENTLY, neither repeatable nor undoable."""
        command = compose(_FINALIZE, literal(text(self.sql_name())))
        yield Statement(
            sql=text(command), lock="ACCESS EXCLUSIVE", relation=self.ref.identity, undo=()
        )

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Add the bound: PostgreSQL alone knows whether two bounds of a table overlap."""
        return super().name_keys() | {("bound", str(p)) for p in self.parents if self.is_partition}

    def free_name(
        self, new: Self, context: PlanningContext
    ) -> tuple[Self, Iterable[Statement]] | None:
        if (
            self.partition_of is None
            or self.partition_of != new.partition_of
            or self.values == new.values
        ):
            return None
        return self.without_parents(), [
            self._detach().model_copy(update={"undo": (self._attach(),)})
        ]

    def _create(
        self,
        create: sql.Composable,
        parts: Sequence[InlinePart],
        context: PlanningContext,
        *clauses: sql.Composable,
    ) -> Iterable[Statement]:
        """Create the table with columns and parents, `clauses` last.

        A partition with columns of its own is created as a table and attached afterwards.
        """
        own_parts = [p for p in parts if not overrides(p)]
        attach_later = self.is_partition and bool(own_parts)
        columns = [p.clause() for p in own_parts] + [
            c for p in parts if (c := override_clause(p, context)) is not None
        ]
        head = self._create_clauses(create, columns, as_partition=not attach_later)
        created = Statement(sql=text(joined([*head, *clauses], by=" ")))
        if not self.is_partition:
            yield created.model_copy(update={"others": self._locks_of_parents()})
        elif attach_later:
            yield created
            yield self._attached("SHARE UPDATE EXCLUSIVE", self._attach())
        else:
            yield self._attached("ACCESS EXCLUSIVE", created.sql)
        for part in parts:
            if overrides(part):
                yield from _without_undo(part.define(context))

    def _attached(self, lock: str, command: str) -> Statement:
        """Lock the partitioned table, and what is around the new partition."""
        return Statement(sql=command, lock=lock, relation=self.parents[-1].identity, ties="attach")

    def _create_clauses(
        self, create: sql.Composable, columns: Sequence[sql.Composable], *, as_partition: bool
    ) -> Iterable[sql.Composable]:
        lines = sql.SQL(",").join(compose("\n    {}", c) for c in columns)
        column_list = compose(" ({}{})", lines, raw("\n" if columns else ""))
        if self.partition_of is not None and as_partition:
            yield compose(
                "{} PARTITION OF {}{}",
                create,
                raw(self.partition_of),
                column_list if columns else raw(""),
            )
            yield raw(self.values or "DEFAULT")
        else:
            yield compose("{}{}", create, column_list)
        if self.inherits:
            yield compose("INHERITS ({})", joined(map(raw, self.inherits)))

    def _bound_differs(self, old: Self) -> bool:
        return (old.partition_of, old.values) != (self.partition_of, self.values)

    def _detach_old(self, old: Self) -> Iterable[Statement]:
        """Detach the partition from the old parent.

        CONCURRENTLY would leave a check constraint, and PostgreSQL refuses it for a table with a
        default partition.
        """
        if old.is_partition and self._bound_differs(old):
            yield old._detach()

    def _attach_new(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        reparenting = (self.ref, old.parents, self.parents)
        before, after = context.reparenting.get(reparenting, ((), ()))
        yield from _without_undo(before)
        own = context.becoming_own.get(reparenting, ())
        yield from self._change_parents(old, _own_for_good(self.ref, own))
        yield from _without_undo(after)
        if self.is_partition and self._bound_differs(old):
            yield Statement(
                sql=self._attach(),
                lock="ACCESS EXCLUSIVE",
                relation=self.ref.identity,
                others=self._locks_of_parents(),
                recurses="partitions",
                ties="attach",
                hazards=self.attach_hazards(context),
                question=self._question_of_bound(context),
            )

    def _question_of_bound(self, context: PlanningContext) -> Question | None:
        """Ask for rows outside the bound; None if its key has expressions or hashes."""
        if self.ref not in context.bounds:
            return None
        columns, bound = context.bounds[self.ref]
        return Question(
            relation=text(self.sql_name()),
            columns=columns,
            condition=f"NOT ({bound})",
            built_in=columns,
            meaning=f"rows of {self.ref.identity} lie outside its bound {self.values or 'DEFAULT'}",
        )

    def _change_parents(self, old: Self, hazards: Sequence[Hazard]) -> Iterable[Statement]:
        """Add new parents before removing old parents.

        After NO INHERIT of the last parent with a column, PostgreSQL marks the column as local, and
        a later INHERIT does not reset the mark: `hazards` say so.
        """
        pairs = zip(old.inherits, self.inherits, strict=False)
        unchanged = {before for before, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)}
        reordered = [p for p in old.inherits if p in self.inherits and p not in unchanged]
        removed = [p for p in old.inherits if p not in self.inherits]
        added = [p for p in self.inherits if p not in unchanged]
        for parent in reordered:
            yield self._alter(compose("NO INHERIT {}", raw(parent)), *hazards)
            hazards = ()
        for parent in added:
            inherit = self._alter(compose("INHERIT {}", raw(parent)))
            yield inherit.model_copy(update={"others": self._locks_of_parents()})
        for parent in removed:
            yield self._alter(compose("NO INHERIT {}", raw(parent)), *hazards)
            hazards = ()

    def _detach(self) -> Statement:
        parent = raw(self.partition_of or "")
        command = compose("ALTER TABLE {} DETACH PARTITION {}", parent, self.sql_name())
        return Statement(
            sql=text(command),
            lock="ACCESS EXCLUSIVE",
            relation=self.parents[-1].identity,
            others=(Lock(relation=self.ref.identity, mode="ACCESS EXCLUSIVE"),),
            ties="detach",
        )

    def _locks_of_parents(self) -> tuple[Lock, ...]:
        mode = "SHARE UPDATE EXCLUSIVE"
        return tuple(Lock(relation=p.identity, mode=mode) for p in self.parents)

    @property
    def is_default_partition(self) -> bool:
        return self.is_partition and (self.values or "DEFAULT").upper() == "DEFAULT"

    def _attach(self) -> str:
        parent, bound = raw(self.partition_of or ""), raw(self.values or "DEFAULT")
        return text(
            compose("ALTER TABLE {} ATTACH PARTITION {} {}", parent, self.sql_name(), bound)
        )

    def _alter(
        self, action: sql.Composable, *hazards: Hazard, lock: str = "ACCESS EXCLUSIVE"
    ) -> Statement:
        command = compose("ALTER {} {}", self.designation(), action)
        return Statement(sql=text(command), lock=lock, relation=self.ref.identity, hazards=hazards)


def _own_for_good(table: Ref, parts: Sequence[Ref]) -> tuple[Hazard, ...]:
    """Return the hazard of leaving the last parents from which a table inherits parts."""
    if not parts:
        return ()
    listed = ", ".join(f"{p.kind} {p.name}" for p in parts)
    reason = (
        f"{table} has {listed} as its own from then on, also once it inherits again: what is"
        " dropped from a parent stays there"
    )
    return (Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason, partly=True),)


def _without_undo(statements: Iterable[Statement]) -> Iterable[Statement]:
    """Leave the undo to the change as a whole."""
    return (s.model_copy(update={"undo": None}) for s in statements)
