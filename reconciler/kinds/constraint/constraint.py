"""Table constraints: https://www.postgresql.org/docs/current/ddl-constraints.html

NOT NULL is the column's. What a partition or an inheriting table gets from its parent is no object of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self, cast

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.catalog_sql import RELATION_KIND, address, ours
from reconciler.model.object import Object, PlanningContext
from reconciler.model.partitioned import (
    PartitionedObject,
    aside_of,
    below,
    leaves,
    piece_of,
    swallowed,
)
from reconciler.model.partitioned_build import PartitionedBuild
from reconciler.model.ref import Ref, default_name
from reconciler.model.statement import Hazard, HazardKind, Statement, Turn
from reconciler.server.capabilities import Server
from reconciler.server.connection import Row
from reconciler.sql import compose, joined, literal, name, parameters, raw, text

UNPROVEN = "reconcile is about to validate this again. "  # begins the comment of one that was valid, until it is so again
HELPER = (
    "reconcile\\_not\\_null\\_%"  # LIKE pattern of what proves NOT NULL while a column is set so
)
Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
_ACTIONS = "CASE {} WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' ELSE 'set default' END"
_COLUMNS = """ARRAY(SELECT a.attname FROM unnest({}) WITH ORDINALITY AS u(n, o)
                         JOIN pg_attribute AS a ON a.attrelid = {} AND a.attnum = u.n ORDER BY o)"""
_SINCE = {
    "nulls_not_distinct": 15,
    "on_delete_columns": 15,
    "without_overlaps": 18,
    "period": 18,
    "not_enforced": 18,
}
_SORTS = ("check", "unique", "primary_key", "foreign_key", "exclude")


class Constraint(PartitionedObject):
    """A check, unique, primary key, foreign key or exclusion constraint; exactly one of the five is given."""

    kind: ClassVar[str] = "constraint"
    section: ClassVar[str] = "constraints"
    parent_kinds: ClassVar[tuple[str, ...]] = ("table", "foreign_table")
    omitted_is_default: ClassVar[bool] = True
    follows_type_change: ClassVar[bool] = True
    sql_fields: ClassVar[tuple[str, ...]] = ("references", *_SORTS)
    besides: ClassVar[frozenset[str]] = frozenset(
        {"comment", "index_comment", "partitioned", "pieces"}
    )
    first_version: ClassVar[Mapping[str, int]] = _SINCE

    check: str | None = Field(default=None, description="a condition that every row meets")
    no_inherit: bool = Field(default=False, description="a check that holds for this table alone")
    unique: tuple[str, ...] | None = Field(default=None, description="columns no two rows agree in")
    primary_key: tuple[str, ...] | None = Field(
        default=None, description="columns that identify a row"
    )
    exclude: str | None = Field(
        default=None,
        description="no two rows match: USING method (column WITH operator, …), as in EXCLUDE",
    )
    nulls_not_distinct: bool = Field(
        default=False, description="nulls count as equal (PostgreSQL 15)"
    )
    without_overlaps: bool = Field(
        default=False, description="the last column of the key is a period (PostgreSQL 18)"
    )
    include: tuple[str, ...] = Field(
        default=(), description="columns that the index carries without indexing them"
    )
    options: dict[str, str] = Field(
        default_factory=dict, description="storage parameters of its index, such as fillfactor"
    )
    tablespace: str | None = Field(
        default=None,
        description="where its index is stored, where it is not the database's tablespace",
    )
    index_comment: str | None = Field(default=None, description="COMMENT ON INDEX, of its index")
    foreign_key: tuple[str, ...] | None = Field(
        default=None, description="columns that name a row of another table"
    )
    references: str | None = Field(
        default=None, description="table(columns), or just the table for its primary key"
    )
    period: bool = Field(
        default=False, description="the last column of the foreign key is a period (PostgreSQL 18)"
    )
    on_delete: Action = "no action"
    on_delete_columns: tuple[str, ...] = Field(
        default=(), description="only these are set null or default (PostgreSQL 15)"
    )
    on_update: Action = "no action"
    match: Literal["simple", "full"] = "simple"
    deferrable: Literal["immediate", "deferred"] | None = Field(
        default=None, description="checked at the end of the transaction: initially …"
    )
    not_valid: bool = Field(default=False, description="existing rows have not been checked")
    not_enforced: bool = Field(default=False, description="no row is ever checked (PostgreSQL 18)")

    @model_validator(mode="after")
    def _one_of_five(self) -> Self:
        if sum(getattr(self, f) is not None for f in _SORTS) != 1:
            raise ValueError(f"a constraint has exactly one of: {', '.join(_SORTS)}")
        if (self.foreign_key is None) != (self.references is None):
            raise ValueError(
                "foreign_key and references belong together: references: table(columns)"
            )
        return self

    @property
    def relation_name(self) -> str | None:
        return self.ref.name if self._indexed else None

    @classmethod
    def catalog(cls, server: Server) -> str:
        distinct = (
            "coalesce(i.indnullsnotdistinct, false)" if server.has_nulls_not_distinct else "false"
        )
        period, enforced = (
            ("k.conperiod", "k.conenforced") if server.has_temporal_keys else ("false", "true")
        )
        emptied = (
            _COLUMNS.format("k.confdelsetcols", "k.conrelid")
            if server.has_set_null_columns
            else "'{}'::text[]"
        )
        index = "CASE WHEN k.contype IN ('p', 'u', 'x') THEN k.conindid ELSE 0 END"
        own, other = (
            _COLUMNS.format("k.conkey", "k.conrelid"),
            _COLUMNS.format("k.confkey", "k.confrelid"),
        )
        not_null = (
            " OR k.contype = 'n' AND NOT k.convalidated" if server.has_not_null_constraints else ""
        )
        return f"""
            SELECT n.nspname AS schema, k.conname AS name, {RELATION_KIND} AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_constraint", "k.oid")}, {address("pg_class", index)}] AS addresses,
                   starts_with(obj_description(k.oid, 'pg_constraint'), '{UNPROVEN}') AS owed,
                   k.contype = 'n' OR k.conname LIKE '{HELPER}' AND k.contype = 'c' OR x.relkind = 'I' AND NOT i.indisvalid AS leftover,
                   x.relkind = 'I' AS sound,
                   CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) WHEN 'n' THEN pg_get_constraintdef(k.oid) END AS check,
                   k.contype = 'c' AND k.connoinherit AS no_inherit,
                   CASE k.contype WHEN 'u' THEN {own} END AS unique,
                   CASE k.contype WHEN 'p' THEN {own} END AS primary_key,
                   CASE k.contype WHEN 'x' THEN pg_get_constraintdef(k.oid) END AS exclude,
                   CASE k.contype WHEN 'f' THEN {own} END AS foreign_key,
                   CASE k.contype WHEN 'f' THEN format('%I.%I', fn.nspname, fc.relname) END AS referenced, {other} AS keys,
                   {distinct} AS nulls_not_distinct, {period} AS period, NOT {enforced} AS not_enforced,
                   ARRAY(SELECT a.attname FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS s
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[s]
                         WHERE k.contype IN ('p', 'u') ORDER BY s) AS include,
                   x.reloptions AS options, obj_description(x.oid, 'pg_class') AS index_comment,
                   (SELECT s.spcname FROM pg_tablespace AS s WHERE s.oid = x.reltablespace) AS tablespace,
                   {_ACTIONS.format("k.confdeltype")} AS on_delete, {_ACTIONS.format("k.confupdtype")} AS on_update,
                   {emptied} AS on_delete_columns, CASE k.confmatchtype WHEN 'f' THEN 'full' ELSE 'simple' END AS match,
                   CASE WHEN k.condeferred THEN 'deferred' WHEN k.condeferrable THEN 'immediate' END AS deferrable,
                   NOT k.convalidated AND {enforced} AS not_valid, c.relkind = 'p' AS partitioned
            FROM pg_constraint AS k
            JOIN pg_class AS c ON c.oid = k.conrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
            LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
            LEFT JOIN pg_class AS x ON x.oid = k.conindid AND k.contype IN ('p', 'u', 'x')
            LEFT JOIN pg_index AS i ON i.indexrelid = x.oid
            WHERE c.relkind IN ('r', 'p', 'f') AND (k.contype IN ('c', 'u', 'p', 'f', 'x'){not_null})
                  AND k.conislocal AND k.conparentid = 0 AND {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, array_position('{{p,u,x,c,f}}', k.contype::text), k.conname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        if (row["comment"] or "").startswith(UNPROVEN):
            row |= {"comment": row["comment"].removeprefix(UNPROVEN) or None, "not_valid": False}
        referenced, keys, period = row.pop("referenced"), row.pop("keys"), row.pop("period")
        if referenced is not None:
            row |= {
                "references": f"{referenced}({_listed(keys, 'PERIOD ' if period else '')})",
                "period": period,
            }
        else:
            row |= {"on_delete": "no action", "on_update": "no action", "without_overlaps": period}
        if row["exclude"] is not None:
            row["exclude"] = (
                row["exclude"]
                .removeprefix("EXCLUDE ")
                .removesuffix(" INITIALLY DEFERRED")
                .removesuffix(" DEFERRABLE")
            )
        row["options"] = (
            {}
            if row["exclude"] is not None
            else dict(o.split("=", 1) for o in row["options"] or ())
        )
        return cls(ref=ref, **row)

    def is_inherited_by(self, child: Object) -> bool:
        return not self.no_inherit if self.check is not None else child.is_partition

    def accepts(self, beneath: Object) -> bool:
        return self.primary_key is None or getattr(beneath, "not_null", None) is not False

    def default_on(self, child: Ref) -> str:
        """The name of a key is that of its index, which PostgreSQL chooses."""
        if not self._indexed or self.exclude is not None:
            return self.ref.name
        return default_name(
            child.name, "_".join(self.unique or ()), "pkey" if self.unique is None else "key"
        )

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        size = context.size(self.ref.on).words if self.ref.on else ""
        checked = Hazard(
            hazard=HazardKind.LONG_SCAN,
            reason=f"{self.stands_on} is read under lock while {self.ref} is checked ({size})",
        )
        harmless = self.ref.on in context.created or self.not_valid or self.not_enforced
        danger = self._blocking(context) if self._indexed else checked
        yield self._add(not_valid=self.not_valid).model_copy(
            update={"hazards": () if harmless else (danger,)}
        )
        yield from (s.model_copy(update={"undo": None}) for s in self.calls(context))

    def define_online(
        self, context: PlanningContext, parts: Sequence[Object] = ()
    ) -> Iterable[Statement]:
        if self._key and self.partitioned:
            yield from PartitionedBuild(self, context).statements
        elif self._key:
            yield from self.entire(context)
        elif self._indexed:
            yield self._add(not_valid=False).model_copy(
                update={"hazards": (self._blocking(context),)}
            )
        elif self._must_be_valid(context):
            yield from self._gather(context)
        else:
            added = self._add(not_valid=not self.not_enforced)
            yield added.model_copy(update={"undo": (self._dropped(), *swallowed(self, context))})
            if not (self.not_valid or self.not_enforced):
                yield self.validated()

    def define_replacement(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Its indexes are built before the transaction."""
        beside = (
            bool(context.exchanges(self.ref.on)) and not self.deferrable
        )  # an index alone is not deferred, and would refuse rows meanwhile
        if self._key and (beside or (old is not None and old.partitioned == self.partitioned)):
            parts = (
                [piece_of(self, t, context) for t in leaves(self.ref.on, context)]
                if self.partitioned and self.ref.on
                else [self]
            )
            yield from (
                s.model_copy(update={"before_swap": True})
                for p in parts
                for s in p.beside(context).built(context)
            )
            yield from (
                p.promote().model_copy(update={"undo": ()}) for p in parts if self.partitioned
            )
            yield (
                self._add(not_valid=False, undo=self._dropped())
                if self.partitioned
                else self.promote()
            )
        else:
            yield from self.define(context)

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self.index_comment != old.index_comment:  # attached, like its own
            same = self.model_copy(update={"index_comment": old.index_comment})
            return () if same == old else same.redefine(old, context)
        if self.model_copy(update={"not_valid": True}) == old:
            return [self.validated(undo=(self._dropped(), *old._added()))]
        if (
            self._indexed
            and not self.partitioned
            and self.model_copy(update={"options": old.options, "tablespace": old.tablespace})
            == old
        ):
            return self._store(old, context)
        if self._indexed or old._indexed:
            return None
        if (
            self.foreign_key is not None
            and self.model_copy(update={"deferrable": old.deferrable}) == old
        ):
            return [self._defer()]
        return self._swap(old, context)

    def finish_interrupted(self, context: PlanningContext) -> Iterable[Statement]:
        yield self.validated()
        yield self._told(self.comment)

    def renamed_to(self, name: str) -> Statement:
        pairs = ((self.ref.name, name), (name, self.ref.name))
        words = [
            text(compose("ALTER TABLE {} RENAME CONSTRAINT {} TO {}", self._table, a, b))
            for a, b in pairs
        ]
        return Statement(
            sql=words[0], lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=(words[1],)
        )

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        yield self._let_go().model_copy(update={"undo": None})

    def suspend(self, context: PlanningContext) -> Iterable[Statement] | None:
        return None if self._indexed else [self._let_go()]

    def restore(
        self, old: Self, turns: Mapping[str, Turn], context: PlanningContext
    ) -> Iterable[Statement]:
        return self._again(self.after_restore(old, context).comment, context)

    def after_restore(self, old: Self, context: PlanningContext) -> Self:
        """One that was valid says so in its comment until it is again: killed in between, nobody would know."""
        later = self._later(context)
        comment = (
            UNPROVEN + (old.comment or "")
            if later and not (self.not_valid or old.not_valid)
            else old.comment
        )
        return self.model_copy(update={"not_valid": self.not_valid or later, "comment": comment})

    def _again(self, comment: str | None, context: PlanningContext) -> Iterable[Statement]:
        yield self._add(not_valid=self._later(context), undo=self._dropped())
        if comment is not None:
            yield self._told(comment)

    def drop_leftover(self, *, wanted: bool = True) -> Iterable[Statement]:
        if (self._key and not wanted) or self.ref.name.startswith(
            HELPER.replace("\\", "").rstrip("%")
        ):
            yield Statement(
                sql=self.gone(), lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=()
            )

    def reuses(self, old: Self | None, context: PlanningContext) -> frozenset[Ref]:
        if old is None and self._key and self.partitioned:
            return frozenset(o.ref for o in PartitionedBuild(self, context).reused) | self.begun(
                context
            )
        if old is None and self._must_be_valid(context):
            return frozenset(o.ref for _, o in self._gathered(context) if o is not None)
        return self.beside(context).begun(context) if self._key else frozenset()

    # -- in pieces -------------------------------------------------------------------------------------------------

    def alone(self) -> Statement:
        words = compose(
            "ALTER TABLE ONLY {} ADD CONSTRAINT {} {}{}",
            self._table,
            self.ref.name,
            self._body(),
            self._deferring(),
        )
        return Statement(
            sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.stands_on, own_transaction=True
        )

    def entire(self, context: PlanningContext) -> Iterable[Statement]:
        yield from self.built(context)
        yield self.promote()

    def built(self, context: PlanningContext) -> Iterable[Statement]:
        """Its index, under a name of ours, unless somebody was killed after that."""
        if self.index_of_ours not in self.begun(context):
            yield self._build_index()

    def plain(self) -> str:
        return self._add(not_valid=False).sql

    def loosened(self, context: PlanningContext) -> Iterable[str]:
        """From 18 on a key makes NOT NULL the partition's own, beside the one that it has of its parent."""
        table = self.ref.on
        if table is not None and self.primary_key is not None:
            free = [
                o.ref.name
                for o in context.partition_children.get(table, ())
                if getattr(o, "not_null", None) is False
            ]
            for column in [c for c in self.primary_key if c in free]:
                for ref in (table, *below(table, context)):
                    yield text(
                        compose(
                            "ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL",
                            name(ref.schema, ref.name),
                            column,
                        )
                    )

    @property
    def index_of_ours(self) -> Ref:
        return Ref("index", self.ref.schema, self._aside, self.ref.on)

    def begun(self, context: PlanningContext) -> frozenset[Ref]:
        """The indexes of ours that are there already, valid and as wanted."""
        parts = (
            [piece_of(self, t, context) for t in leaves(self.ref.on, context)]
            if self.partitioned and self.ref.on
            else [self]
        )
        found = {p.index_of_ours: context.leftovers.get(p.index_of_ours) for p in parts}
        return frozenset(
            r
            for r, left in found.items()
            if left is not None and left.resumable and self._indexed_by(left.made)
        )

    def _indexed_by(self, index: Object) -> bool:
        wanted: dict[str, object] = {
            "on": tuple(map(_quoted, self._keys)),
            "unique": True,
            "method": "btree",
            "where": None,
        }
        wanted |= {
            f: getattr(self, f) for f in ("include", "nulls_not_distinct", "options", "tablespace")
        }
        return all(getattr(index, f, None) == value for f, value in wanted.items())

    def _gathered(self, context: PlanningContext) -> Iterator[tuple[Self, Self | None]]:
        """For each partition the foreign key that it needs, and the one that is there."""
        for table in leaves(self.ref.on, context) if self.ref.on else ():
            part = self.inherited_by(table)
            alike = [
                o
                for o in context.partition_children.get(table, ())
                if part.equals(o) or part.model_copy(update={"not_valid": True}).equals(o)
            ]
            yield part, cast("Self | None", next(iter(alike), None))

    def checked(self, there: Self | None) -> Iterable[Statement]:
        """Added and validated, as far as it is not."""
        if there is None:
            yield self._add(not_valid=True, undo=self.gone()).model_copy(
                update={"own_transaction": True}
            )
        if there is None or there.not_valid:
            yield (self if there is None else there).validated()

    def _gather(self, context: PlanningContext) -> Iterable[Statement]:
        """Checked partition by partition; the whole one finds them so, and reads nothing again."""
        for part, there in self._gathered(context):
            yield from part.checked(there)
        back = (
            s.sql
            for _, o in self._gathered(context)
            if o is not None
            for s in o.create(context, online=False)
        )
        added = self._add(not_valid=False)
        yield added.model_copy(update={"own_transaction": True, "undo": (self._dropped(), *back)})

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _key(self) -> bool:
        """Whether an ordinary unique index makes it, which can be built before."""
        return (
            self.unique is not None or self.primary_key is not None
        ) and not self.without_overlaps

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    @property
    def _indexed(self) -> bool:
        return self.check is None and self.foreign_key is None

    def _must_be_valid(self, context: PlanningContext) -> bool:
        return (
            self.foreign_key is not None
            and self.partitioned
            and not context.server.has_plain_not_valid_everywhere
        )

    def _blocking(self, context: PlanningContext) -> Hazard:
        size = context.size(self.ref.on).words if self.ref.on else ""
        return Hazard(
            hazard=HazardKind.BLOCKS_READS,
            reason=f"nobody can read or write {self.stands_on} while {self.ref} is built ({size})",
        )

    def _store(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """Alter the index behind the constraint."""
        index = name(self.ref.schema, self.ref.name)
        new, gone = (
            {k: v for k, v in self.options.items() if old.options.get(k) != v},
            [k for k in old.options if k not in self.options],
        )
        actions = [compose("SET ({})", parameters(new))] if new else []
        actions += [compose("RESET ({})", joined(gone))] if gone else []
        for action in actions:
            yield Statement(
                sql=text(compose("ALTER INDEX {} {}", index, action)),
                lock="SHARE UPDATE EXCLUSIVE",
                relation=self.stands_on,
            )
        if self.tablespace != old.tablespace:
            words = compose(
                "ALTER INDEX {} SET TABLESPACE {}", index, self.tablespace or "pg_default"
            )
            why = Hazard(
                hazard=HazardKind.TABLE_REWRITE,
                reason=f"the index of {self.ref} is copied while nobody can use it",
            )
            yield Statement(
                sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.stands_on, hazards=(why,)
            )

    def _defer(self) -> Statement:
        deferring = self._deferring() if self.deferrable else raw(" NOT DEFERRABLE")
        words = compose(
            "ALTER TABLE {} ALTER CONSTRAINT {}{}", self._table, self.ref.name, deferring
        )
        return Statement(sql=text(words), lock="SHARE ROW EXCLUSIVE", relation=self.stands_on)

    def _swap(self, old: Self, context: PlanningContext) -> Iterable[Statement]:
        """One transaction for the drop and the new constraint: new rows are never unchecked."""
        yield old._let_go()
        yield from self._again(old.comment, context)
        if self._later(context) and not self.not_valid:
            yield self.validated()

    def _let_go(self) -> Statement:
        return Statement(
            sql=self._dropped(),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            undo=self._added(),
        )

    def _later(self, context: PlanningContext) -> bool:
        """Whether existing rows can be checked after it was added."""
        return not (self.not_enforced or self._must_be_valid(context))

    def _added(self) -> tuple[str, ...]:
        """Plain DDL that brings the constraint back as it is."""
        return (self._add(not_valid=self.not_valid).sql, *self._remark())

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        yield from super()._own(old, context)
        if self._indexed and self.index_comment != (old.index_comment if old else None):
            yield Statement(
                sql=self._remark_on_index(), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on
            )

    def _remark_on_index(self) -> str:
        return text(
            compose(
                "COMMENT ON INDEX {} IS {}",
                name(self.ref.schema, self.ref.name),
                literal(self.index_comment),
            )
        )

    def _told(self, comment: str | None) -> Statement:
        words = compose("COMMENT ON {} IS {}", self.designation(), literal(comment))
        return Statement(
            sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on, undo=()
        )

    def _remark(self) -> tuple[str, ...]:
        own = (
            ()
            if self.comment is None
            else (text(compose("COMMENT ON {} IS {}", self.designation(), literal(self.comment))),)
        )
        return own if self.index_comment is None else (*own, self._remark_on_index())

    def gone(self) -> str:
        return text(
            compose("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", self._table, self.ref.name)
        )

    def _dropped(self) -> str:
        return text(compose("ALTER TABLE {} DROP CONSTRAINT {}", self._table, self.ref.name))

    def _body(self) -> sql.Composable:
        if self.check is not None:
            return compose(
                "CHECK ({}){}", raw(self.check), raw(" NO INHERIT" if self.no_inherit else "")
            )
        if self.foreign_key is not None:
            return joined(self._reference(), by=" ")
        if self.exclude is not None:
            return compose("EXCLUDE {}", raw(self.exclude))
        words = [raw("UNIQUE" if self.unique is not None else "PRIMARY KEY")]
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        overlaps = raw(" WITHOUT OVERLAPS" if self.without_overlaps else "")
        return joined(
            [
                *words,
                compose("({}{})", joined(self._keys), overlaps),
                *self._carried(),
                *self._placed(raw("USING INDEX ")),
            ],
            by=" ",
        )

    @property
    def _keys(self) -> tuple[str, ...]:
        return self.unique or self.primary_key or ()

    def _carried(self) -> Iterable[sql.Composable]:
        if self.include:
            yield compose("INCLUDE ({})", joined(self.include))

    def _placed(self, prefix: sql.Composable) -> Iterable[sql.Composable]:
        if self.options:
            yield compose("WITH ({})", parameters(self.options))
        if self.tablespace is not None:
            yield compose("{}TABLESPACE {}", prefix, self.tablespace)

    def _reference(self) -> Iterable[sql.Composable]:
        own = raw(_listed(self.foreign_key or (), "PERIOD " if self.period else ""))
        yield compose("FOREIGN KEY ({}) REFERENCES {}", own, raw(self.references or ""))
        if self.match == "full":
            yield raw("MATCH FULL")
        yield from (
            raw(f"ON {e} {a}".upper())
            for e, a in (("update", self.on_update), ("delete", self.on_delete))
            if a != "no action"
        )
        if self.on_delete_columns:
            yield compose("({})", joined(self.on_delete_columns))

    def _deferring(self) -> sql.Composable:
        if self.deferrable is None:
            return raw("")
        return raw(" DEFERRABLE" + (" INITIALLY DEFERRED" if self.deferrable == "deferred" else ""))

    def _add(self, *, not_valid: bool, undo: str | None = None) -> Statement:
        valid = raw(" NOT ENFORCED" if self.not_enforced else " NOT VALID" if not_valid else "")
        words = compose(
            "ALTER TABLE {} ADD CONSTRAINT {} {}{}{}",
            self._table,
            self.ref.name,
            self._body(),
            self._deferring(),
            valid,
        )
        lock = "SHARE ROW EXCLUSIVE" if self.foreign_key is not None else "ACCESS EXCLUSIVE"
        return Statement(
            sql=text(words),
            lock=lock,
            relation=self.stands_on,
            undo=None if undo is None else (undo,),
        )

    def validated(self, undo: tuple[str, ...] = ()) -> Statement:
        words = text(compose("ALTER TABLE {} VALIDATE CONSTRAINT {}", self._table, self.ref.name))
        return Statement(
            sql=words,
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            own_transaction=True,
            long=True,
            undo=undo,
        )

    @property
    def _aside(self) -> str:
        """The name under which its index is built: known to be ours, should we be killed before it is promoted."""
        return aside_of(self.ref)

    def _build_index(self) -> Statement:
        keys = joined(self._keys)
        words = [
            compose(
                "CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})", self._aside, self._table, keys
            ),
            *self._carried(),
        ]
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        words += self._placed(raw(""))
        return Statement(
            sql=text(joined(words, by=" ")),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            transactional=False,
            long=True,
            cleanup=(self._drop_index().sql,),
            undo=(self._drop_index().sql,),
        )

    def _drop_index(self) -> Statement:
        return Statement(
            sql=text(
                compose("DROP INDEX CONCURRENTLY IF EXISTS {}", name(self.ref.schema, self._aside))
            ),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            transactional=False,
            long=True,
            undo=(),
        )

    def promote(self) -> Statement:
        sort = raw("UNIQUE" if self.unique is not None else "PRIMARY KEY")
        words = compose(
            "ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}",
            self._table,
            self.ref.name,
            sort,
            self._aside,
            self._deferring(),
        )
        return Statement(
            sql=text(words),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            undo=(self._dropped(),),
        )


def _listed(columns: Sequence[str], period: str) -> str:
    """Column names, the last one marked as a period."""
    return ", ".join([*map(_quoted, columns[:-1]), *(period + _quoted(c) for c in columns[-1:])])


def _quoted(column: str) -> str:
    return text(name(column))
