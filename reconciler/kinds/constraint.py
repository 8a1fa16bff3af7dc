"""Table constraints: https://www.postgresql.org/docs/current/ddl-constraints.html"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.catalog import address, ours
from reconciler.connection import Row, Server
from reconciler.ref import Ref
from reconciler.state import Object, Situation
from reconciler.statement import Statement, compose, joined, literal, name, raw, text

HELPER = "reconcile\\_not\\_null\\_%"  # LIKE pattern of what proves NOT NULL while a column is set so
Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
_ACTIONS = (
    "CASE {} WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' ELSE 'set default' END"
)


class Constraint(Object):
    """A check, unique, primary key or foreign key constraint; exactly one of the four is given."""

    kind: ClassVar[str] = "constraint"
    section: ClassVar[str] = "constraints"
    within: ClassVar[tuple[str, ...]] = ("table",)
    whole: ClassVar[bool] = True
    follows: ClassVar[bool] = True
    written: ClassVar[tuple[str, ...]] = ("check", "references", "foreign_key", "unique", "primary_key")

    check: str | None = Field(default=None, description="a condition that every row meets")
    no_inherit: bool = False
    unique: tuple[str, ...] | None = Field(default=None, description="columns no two rows agree in")
    primary_key: tuple[str, ...] | None = Field(default=None, description="columns that identify a row")
    nulls_not_distinct: bool = Field(default=False, description="nulls count as equal (PostgreSQL 15)")
    include: tuple[str, ...] = Field(default=(), description="columns that the index carries without indexing them")
    foreign_key: tuple[str, ...] | None = Field(default=None, description="columns that name a row of another table")
    references: str | None = Field(default=None, description="table(columns), or just the table for its primary key")
    on_delete: Action = "no action"
    on_update: Action = "no action"
    match: Literal["simple", "full"] = "simple"
    deferrable: Literal["immediate", "deferred"] | None = Field(
        default=None, description="checked at the end of the transaction: initially …"
    )
    not_valid: bool = Field(default=False, description="existing rows have not been checked")

    @model_validator(mode="after")
    def _one_of_four(self) -> Self:
        given = [f for f in ("check", "unique", "primary_key", "foreign_key") if getattr(self, f) is not None]
        if len(given) != 1:
            raise ValueError("a constraint has exactly one of: check, unique, primary_key, foreign_key")
        if (self.foreign_key is None) != (self.references is None):
            raise ValueError("foreign_key and references belong together: references: table(columns)")
        return self

    @property
    def takes(self) -> str | None:
        return self.ref.name if self._indexed else None

    @classmethod
    def catalog(cls, server: Server) -> str:
        distinct = "coalesce(i.indnullsnotdistinct, false)" if server.has_nulls_not_distinct else "false"
        keys = """ARRAY(SELECT a.attname FROM unnest({}) WITH ORDINALITY AS u(n, o)
                         JOIN pg_attribute AS a ON a.attrelid = {} AND a.attnum = u.n ORDER BY o)"""
        index = "CASE WHEN k.contype IN ('p', 'u') THEN k.conindid ELSE 0 END"
        own, other = keys.format("k.conkey", "k.conrelid"), keys.format("k.confkey", "k.confrelid")
        not_null = " OR k.contype = 'n' AND NOT k.convalidated" if server.has_not_null_constraints else ""
        return f"""
            SELECT n.nspname AS schema, k.conname AS name, 'table' AS on_kind, c.relname AS on_name,
                   ARRAY[{address("pg_constraint", "k.oid")}, {address("pg_class", index)}] AS addresses,
                   k.contype = 'n' OR k.conname LIKE '{HELPER}' AND k.contype = 'c' AS leftover,
                   CASE k.contype WHEN 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS check,
                   k.contype = 'c' AND k.connoinherit AS no_inherit,
                   CASE k.contype WHEN 'u' THEN {own} END AS unique,
                   CASE k.contype WHEN 'p' THEN {own} END AS primary_key,
                   CASE k.contype WHEN 'f' THEN {own} END AS foreign_key,
                   CASE k.contype WHEN 'f' THEN format('%I.%I', fn.nspname, fc.relname) END AS referenced, {other} AS keys,
                   {distinct} AS nulls_not_distinct,
                   ARRAY(SELECT a.attname FROM generate_series(i.indnkeyatts, i.indnatts - 1) AS s
                         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = i.indkey[s]
                         WHERE k.contype IN ('p', 'u') ORDER BY s) AS include,
                   {_ACTIONS.format("k.confdeltype")} AS on_delete, {_ACTIONS.format("k.confupdtype")} AS on_update,
                   CASE k.confmatchtype WHEN 'f' THEN 'full' ELSE 'simple' END AS match,
                   CASE WHEN k.condeferred THEN 'deferred' WHEN k.condeferrable THEN 'immediate' END AS deferrable,
                   NOT k.convalidated AS not_valid
            FROM pg_constraint AS k
            JOIN pg_class AS c ON c.oid = k.conrelid
            JOIN pg_namespace AS n ON n.oid = c.relnamespace
            LEFT JOIN pg_class AS fc ON fc.oid = k.confrelid
            LEFT JOIN pg_namespace AS fn ON fn.oid = fc.relnamespace
            LEFT JOIN pg_index AS i ON i.indexrelid = k.conindid
            WHERE c.relkind = 'r' AND NOT c.relispartition AND (k.contype IN ('c', 'u', 'p', 'f'){not_null})
                  AND {ours("pg_class", "c.oid", "n.nspname")}
            ORDER BY n.nspname, c.relname, array_position('{{p,u,c,f}}', k.contype::text), k.conname"""

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        referenced, keys = row.pop("referenced"), row.pop("keys")
        if referenced is not None:
            row["references"] = f"{referenced}({text(joined(keys))})"
        else:
            row |= {"on_delete": "no action", "on_update": "no action"}
        return cls(ref=ref, **row)

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        yield self._add(not_valid=self.not_valid)

    def define_online(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        if self._indexed:
            yield self._build_index()
            yield self._promote()
            return
        yield self._add(not_valid=True, undo=self._dropped())
        if not self.not_valid:
            yield self._validate()

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        if self.model_copy(update={"not_valid": True}) == old:
            return [self._validate(undo=(self._dropped(), *old._added()))]
        if self._indexed or old._indexed:
            return None
        return self._swap(old)

    def remove(self, on: Situation) -> Iterable[Statement]:
        yield Statement(sql=self._dropped(), lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=self._added())

    @classmethod
    def discard(cls, leftover: Ref) -> Iterable[Statement]:
        if leftover.on is not None and leftover.name.startswith(HELPER.replace("\\", "").rstrip("%")):
            words = compose("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", name(leftover.on.schema, leftover.on.name), leftover.name)
            yield Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=leftover.on.identity, undo=())

    # -- pieces ----------------------------------------------------------------------------------------------------

    @property
    def _table(self) -> sql.Composable:
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    @property
    def _indexed(self) -> bool:
        return self.unique is not None or self.primary_key is not None

    def _swap(self, old: Self) -> Iterable[Statement]:
        """One transaction for the drop and the new constraint: new rows are never unchecked."""
        yield Statement(sql=old._dropped(), lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=old._added())
        yield self._add(not_valid=True, undo=self._dropped())
        yield from (Statement(sql=words, undo=()) for words in old._remark())
        if not self.not_valid:
            yield self._validate()

    def _added(self) -> tuple[str, ...]:
        """Plain DDL that brings the constraint back as it is."""
        return (self._add(not_valid=self.not_valid).sql, *self._remark())

    def _remark(self) -> tuple[str, ...]:
        return () if self.comment is None else (text(compose("COMMENT ON {} IS {}", self.designation(), literal(self.comment))),)

    def _dropped(self) -> str:
        return text(compose("ALTER TABLE {} DROP CONSTRAINT {}", self._table, self.ref.name))

    def _body(self) -> sql.Composable:
        if self.check is not None:
            return compose("CHECK ({}){}", raw(self.check), raw(" NO INHERIT" if self.no_inherit else ""))
        if self.foreign_key is not None:
            words: list[sql.Composable] = [compose("FOREIGN KEY ({}) REFERENCES {}", joined(self.foreign_key), raw(self.references or ""))]
            if self.match == "full":
                words.append(raw("MATCH FULL"))
            words += [raw(f"ON {e} {a}".upper()) for e, a in (("update", self.on_update), ("delete", self.on_delete)) if a != "no action"]
            return joined(words, by=" ")
        words = [raw("UNIQUE" if self.unique is not None else "PRIMARY KEY")]
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        words.append(compose("({})", joined(self.unique or self.primary_key or ())))
        if self.include:
            words.append(compose("INCLUDE ({})", joined(self.include)))
        return joined(words, by=" ")

    def _deferring(self) -> sql.Composable:
        if self.deferrable is None:
            return raw("")
        return raw(" DEFERRABLE" + (" INITIALLY DEFERRED" if self.deferrable == "deferred" else ""))

    def _add(self, *, not_valid: bool, undo: str | None = None) -> Statement:
        valid = raw(" NOT VALID" if not_valid else "")
        words = compose("ALTER TABLE {} ADD CONSTRAINT {} {}{}{}", self._table, self.ref.name, self._body(), self._deferring(), valid)
        lock = "SHARE ROW EXCLUSIVE" if self.foreign_key is not None else "ACCESS EXCLUSIVE"
        return Statement(sql=text(words), lock=lock, relation=self.stands_on, undo=None if undo is None else (undo,))

    def _validate(self, undo: tuple[str, ...] = ()) -> Statement:
        return Statement(
            sql=text(compose("ALTER TABLE {} VALIDATE CONSTRAINT {}", self._table, self.ref.name)),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            apart=True,
            long=True,
            undo=undo,
        )

    @property
    def _aside(self) -> str:
        """The name under which its index is built: known to be ours, should we be killed before it is promoted."""
        return "reconcile_" + sha256(str(self.ref).encode()).hexdigest()[:12]

    def _build_index(self) -> Statement:
        words: list[sql.Composable] = [
            compose(
                "CREATE UNIQUE INDEX CONCURRENTLY {} ON {} ({})", self._aside, self._table, joined(self.unique or self.primary_key or ())
            )
        ]
        if self.include:
            words.append(compose("INCLUDE ({})", joined(self.include)))
        if self.nulls_not_distinct:
            words.append(raw("NULLS NOT DISTINCT"))
        return Statement(
            sql=text(joined(words, by=" ")),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            transactional=False,
            long=True,
            mend=(self._drop_index().sql,),
            undo=(self._drop_index().sql,),
        )

    def _drop_index(self) -> Statement:
        return Statement(
            sql=text(compose("DROP INDEX CONCURRENTLY IF EXISTS {}", name(self.ref.schema, self._aside))),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            transactional=False,
            long=True,
            undo=(),
        )

    def _promote(self) -> Statement:
        sort = raw("UNIQUE" if self.unique is not None else "PRIMARY KEY")
        words = compose(
            "ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}", self._table, self.ref.name, sort, self._aside, self._deferring()
        )
        return Statement(sql=text(words), lock="ACCESS EXCLUSIVE", relation=self.stands_on, undo=(self._dropped(),))
