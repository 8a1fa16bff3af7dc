"""What tables share that may inherit, or be partitions: https://www.postgresql.org/docs/current/ddl-inherit.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, ClassVar, Final, Self

from psycopg import sql
from pydantic import Field

from reconciler.model.commit_group import CommitsTogether
from reconciler.model.context import PlanningContext
from reconciler.model.inheritance import Inheriting, override_clause, overrides
from reconciler.model.object import InlinePart
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, split_name
from reconciler.model.resumption import Resumable
from reconciler.model.statement import Hazard, Statement
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
         ELSE ARRAY({_PARENTS} ORDER BY h.inhseqno) END AS inherits"""  # of pg_class AS c
_FINALIZE: Final = """DO $reconcile$ DECLARE whole regclass; BEGIN
  SELECT inhparent INTO whole FROM pg_inherits WHERE inhdetachpending AND inhrelid = {0}::regclass;
  IF FOUND THEN EXECUTE format('ALTER TABLE %s DETACH PARTITION %s FINALIZE', whole, {0}); END IF;
END $reconcile$"""


class InheritableTable(Suspendable, CommitsTogether, Inheriting, Resumable, Granted):
    """A table of which others may be the parents, or the whole."""

    relation: ClassVar[bool] = True

    partition_of: str | None = Field(
        default=None, description="the partitioned table whose partition it is"
    )
    values: str | None = Field(default=None, description="its bound: FOR VALUES … or DEFAULT")
    inherits: tuple[str, ...] = Field(default=(), description="parent tables, in their order")

    def attach_hazards(self, context: PlanningContext) -> tuple[Hazard, ...]:
        """What it is dangerous for to be attached with its rows."""
        del context
        return ()

    @property
    def commit_group(self) -> Ref | None:
        return self.ref

    @classmethod
    def short_form(cls, body: dict[str, Any]) -> object:
        """A table without columns says so, or nothing would tell it from one that is only spoken of."""
        bare = not {"columns", "partition_of", "inherits"} & body.keys()
        return {**body, "columns": dict[str, Any]()} if bare else body

    @property
    def parents(self) -> tuple[Ref, ...]:
        named = [*self.inherits, *([self.partition_of] if self.partition_of else [])]
        parts = filter(None, map(split_name, named))
        return tuple(Ref("table", p[-2] if len(p) > 1 else self.ref.schema, p[-1]) for p in parts)

    @property
    def is_partition(self) -> bool:
        return self.partition_of is not None

    def needs(self) -> frozenset[Ref]:
        return super().needs() | {*self.parents}

    def without_parents(self) -> Self:
        return self.model_copy(update={"partition_of": None, "values": None, "inherits": ()})

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        """Finish a DETACH CONCURRENTLY that was broken off; it can be neither repeated nor taken back."""
        words = compose(_FINALIZE, literal(text(self.sql_name())))
        yield Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.ref.identity, undo=()
        )

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """A bound; only PostgreSQL knows whether it overlaps another of the same table."""
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
        *beside: sql.Composable,
    ) -> Iterable[Statement]:
        """It with its columns and what it inherits; a partition that has columns of its own is attached afterwards."""
        columns = [compose("\n    {}", p.clause()) for p in parts if not overrides(p)]
        columns += [
            compose("\n    {}", a) for p in parts if (a := override_clause(p, context)) is not None
        ]
        listed = compose(" ({}{})", sql.SQL(",").join(columns), raw("\n" if columns else ""))
        attached = self.is_partition and any(not overrides(p) for p in parts)
        words: list[sql.Composable] = [compose("{}{}", create, listed)]
        if self.partition_of is not None and not attached:
            words[0] = compose(
                "{} PARTITION OF {}{}",
                create,
                raw(self.partition_of),
                listed if columns else raw(""),
            )
            words.append(raw(self.values or "DEFAULT"))
        if self.inherits:
            words.append(compose("INHERITS ({})", joined(map(raw, self.inherits))))
        parent = self.parents[-1].identity if self.is_partition else ""
        yield Statement(
            sql=text(joined([*words, *beside], by=" ")),
            lock="ACCESS EXCLUSIVE" if parent else "",
            relation=parent,
        )
        if attached:  # by itself it may have columns, which are its parent's from then on
            yield Statement(sql=self._attach(), lock="ACCESS EXCLUSIVE", relation=parent)
        for part in parts:
            if overrides(part):
                yield from (s.model_copy(update={"undo": None}) for s in part.define(context))

    def _detach_old(self, old: Self) -> Iterable[Statement]:
        """Detached without CONCURRENTLY, which would leave a check behind and is refused beside a default partition."""
        if old.is_partition and (old.partition_of, old.values) != (self.partition_of, self.values):
            yield old._detach()

    def _attach_new(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        reparenting, given_back = context.reparenting.get(
            (self.ref, old.parents, self.parents), ((), ())
        )
        yield from (s.model_copy(update={"undo": None}) for s in reparenting)
        yield from self._change_parents(old)
        yield from (s.model_copy(update={"undo": None}) for s in given_back)
        if self.is_partition and (old.partition_of, old.values) != (self.partition_of, self.values):
            yield Statement(
                sql=self._attach(),
                lock="ACCESS EXCLUSIVE",
                relation=self.ref.identity,
                hazards=self.attach_hazards(context),
            )

    def _change_parents(self, old: Self) -> Iterable[Statement]:
        """New parents first: a column that no parent gives becomes the child's own for good."""
        kept = {
            a
            for a, _ in takewhile(
                lambda pair: pair[0] == pair[1], zip(old.inherits, self.inherits, strict=False)
            )
        }
        again = [p for p in old.inherits if p in self.inherits and p not in kept]
        yield from (self._alter(compose("NO INHERIT {}", raw(p))) for p in again)
        yield from (
            self._alter(compose("INHERIT {}", raw(p))) for p in self.inherits if p not in kept
        )
        yield from (
            self._alter(compose("NO INHERIT {}", raw(p)))
            for p in old.inherits
            if p not in self.inherits
        )

    def _detach(self) -> Statement:
        words = compose(
            "ALTER TABLE {} DETACH PARTITION {}", raw(self.partition_of or ""), self.sql_name()
        )
        return Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.parents[-1].identity
        )

    def _attach(self) -> str:
        bound = raw(self.values or "DEFAULT")
        return text(
            compose(
                "ALTER TABLE {} ATTACH PARTITION {} {}",
                raw(self.partition_of or ""),
                self.sql_name(),
                bound,
            )
        )

    def _alter(
        self, action: sql.Composable, *hazards: Hazard, lock: str = "ACCESS EXCLUSIVE"
    ) -> Statement:
        words = compose("ALTER {} {}", self.designation(), action)
        return Statement(sql=text(words), lock=lock, relation=self.ref.identity, hazards=hazards)
