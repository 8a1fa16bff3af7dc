"""Identity columns: https://www.postgresql.org/docs/current/ddl-identity-columns.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from psycopg import sql
from pydantic import Field

from reconciler.kinds.column.target import Target
from reconciler.model.object import PlanningContext
from reconciler.model.privileges import Access, Grants, all_privileges
from reconciler.model.ref import default_name
from reconciler.model.sequence_options import SequenceOptions
from reconciler.model.statement import Hazard, HazardKind, Statement, undoable
from reconciler.sql import compose, joined, literal, name, raw, text

SEQUENCE = "SEQUENCE"


class Identity(SequenceOptions):
    """An identity column's sequence; where nothing but `generated` is said, that word alone is enough."""

    generated: Literal["always", "by default"] = "always"
    sequence: str | None = Field(
        default=None, description="its name, where it is not table_column_seq"
    )
    unlogged: bool | None = Field(
        default=None, description="where it is not as the table is (PostgreSQL 15)"
    )
    grants: dict[str, tuple[str, ...]] | None = Field(
        default=None, description="role (or `public`) → privileges on the sequence"
    )
    comment: str | None = Field(default=None, description="COMMENT ON SEQUENCE")

    def short_form(self, table: str, column: str) -> Identity | Literal["always", "by default"]:
        """The shortest way to say it, where a name left out is the usual one."""
        usual = default_name(table, column, "seq")
        found = self.model_copy(
            update={
                "sequence": None if self.sequence == usual else self.sequence,
                "grants": self.grants or None,
            }
        )
        return found.generated if found == Identity(generated=found.generated) else found

    def named(self, target: Target) -> str:
        """The sequence's own name."""
        return self.sequence or default_name(target.name, target.column, "seq")

    def sql_name(self, target: Target) -> sql.Composable:
        """The sequence's qualified name."""
        return name(target.schema, self.named(target))

    def clause(self, schema: str) -> sql.Composable:
        """GENERATED … AS IDENTITY, as in the definition of the column."""
        words: list[sql.Composable] = (
            [compose("SEQUENCE NAME {}", name(schema, self.sequence))]
            if self.sequence is not None
            else []
        )
        if options := text(self.clauses()).strip():
            words.append(raw(options))
        listed = compose(" ({})", joined(words, by=" ")) if words else raw("")
        return compose("GENERATED {} AS IDENTITY{}", raw(self.generated.upper()), listed)

    def attached(
        self, old: Identity | None, target: Target, context: PlanningContext
    ) -> Iterator[Statement]:
        """Its privileges and its comment, as far as they differ from `old` or from what a new sequence has."""
        sequence = self.sql_name(target)
        if self.unlogged != (old.unlogged if old else None):
            words = compose(
                "ALTER SEQUENCE {} SET {}", sequence, raw("UNLOGGED" if self.unlogged else "LOGGED")
            )
            yield Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=text(sequence))
        access = Access(
            compose("SEQUENCE {}", sequence),
            text(sequence),
            all_privileges(SEQUENCE, context.server),
            "",
            context.user,
        )
        initial: Grants = context.initial.get(
            (SEQUENCE, target.schema), context.initial.get((SEQUENCE, ""), {})
        )
        yield from access.changes(initial if old is None else old.grants or {}, self.grants or {})
        if self.comment != (old.comment if old else None):
            yield Statement(
                sql=text(compose("COMMENT ON SEQUENCE {} IS {}", sequence, literal(self.comment)))
            )

    def added(self, type_: str, target: Target, context: PlanningContext) -> Iterable[Statement]:
        """Number a column that is there, and go on after the values that are."""
        yield target.alter_column(
            compose("ADD {}", self.clause(target.schema)), raw("DROP IDENTITY")
        )
        yield from (s.model_copy(update={"undo": ()}) for s in self.attached(None, target, context))
        if target.foreign:
            return
        furthest = compose("{}({})", raw("max" if self.increment > 0 else "min"), target.column)
        low, high = self.bounds(type_)
        having = compose("HAVING {} BETWEEN {} AND {}", furthest, literal(low), literal(high))
        words = compose(
            "SELECT setval({}, {}) FROM {} {}",
            literal(text(self.sql_name(target))),
            furthest,
            target.table,
            having,
        )
        why = f"{target.relation} is read under lock, unless an index tells the furthest {target.column}"
        danger = Hazard(hazard=HazardKind.LONG_SCAN, reason=why)
        yield Statement(
            sql=text(words),
            lock="ACCESS SHARE",
            relation=target.relation,
            undo=(),
            hazards=(danger,),
        )

    def dropped(self, target: Target, context: PlanningContext) -> Statement:
        """Number the column no more."""
        back = [
            target.column_action(compose("ADD {}", self.clause(target.schema))),
            *(s.sql for s in self.attached(None, target, context)),
        ]
        lost = Hazard(
            hazard=HazardKind.DATA_LOSS,
            reason=f"how far {target.relation}.{target.column} has counted is forgotten",
        )
        return target.alter_column(raw("DROP IDENTITY"), undo=tuple(back), hazards=(lost,))

    def remembered(self, target: Target, key: str) -> Iterable[Statement]:
        """Keep in mind how far it has counted, and let it count no further."""
        held = compose(
            "ALTER SEQUENCE {} INCREMENT BY {}", self.sql_name(target), literal(self.increment)
        )
        yield Statement(
            sql=text(held), lock="SHARE ROW EXCLUSIVE", relation=target.relation, undo=()
        )
        told = compose(
            "SELECT set_config({}, last_value || ' ' || is_called, true) FROM {}",
            literal(key),
            self.sql_name(target),
        )
        yield Statement(sql=text(told), undo=())

    def continued(self, target: Target, key: str, context: PlanningContext) -> Iterable[Statement]:
        """Number a column that takes the place of the one which had it, and go on where that was."""
        yield target.alter_column(compose("ADD {}", self.clause(target.schema)), undo=())
        yield from (s.model_copy(update={"undo": ()}) for s in self.attached(None, target, context))
        words = compose(
            "SELECT setval({}, split_part(current_setting({}), ' ', 1)::bigint, split_part(current_setting({}), ' ', 2)::boolean)",
            literal(text(self.sql_name(target))),
            literal(key),
            literal(key),
        )
        yield Statement(sql=text(words), undo=())

    def changed_from(
        self, old: Identity, type_: str, target: Target, context: PlanningContext
    ) -> Iterable[Statement]:
        """The statements that turn `old` into this."""
        if self.generated != old.generated:
            words = [compose("SET GENERATED {}", raw(i.generated.upper())) for i in (self, old)]
            yield target.alter_column(words[0], words[1])
        if self.named(target) != old.named(target):
            pairs = ((old, self), (self, old))
            rename = [
                text(compose("ALTER SEQUENCE {} RENAME TO {}", a.sql_name(target), b.named(target)))
                for a, b in pairs
            ]
            yield Statement(
                sql=rename[0],
                lock="SHARE ROW EXCLUSIVE",
                relation=target.relation,
                undo=(rename[1],),
            )
        sequence, types = self.sql_name(target), (type_, type_)
        yield from undoable(
            self.altered(old, sequence, types), lambda: old.altered(self, sequence, types)
        )
        renamed = old.model_copy(update={"sequence": self.sequence})
        yield from undoable(
            self.attached(old, target, context), lambda: renamed.attached(self, target, context)
        )
