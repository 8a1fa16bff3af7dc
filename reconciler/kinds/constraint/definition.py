"""Definitions of table constraints, and statements to add, validate and drop constraints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Literal, Self

from psycopg import sql
from pydantic import Field, model_validator

from reconciler.model.clauses import EXCLUSION, EXPRESSION, Clause, Fragment, referenced
from reconciler.model.object import PlanningContext
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref, default_name, split_name
from reconciler.model.references import References
from reconciler.model.spelling import Comment, Name, Parameter, Referenced, Sql
from reconciler.model.statement import Hazard, HazardKind, Lock, Statement
from reconciler.sql import compose, index_of_word, joined, literal, name, parameters, raw, text

Action = Literal["no action", "restrict", "cascade", "set null", "set default"]
KEYS = ("unique", "primary_key")
INDEXED = (*KEYS, "exclude")
TYPES = ("check", *KEYS, "foreign_key", "exclude")


class ConstraintDefinition(References, PartitionedObject):
    """The fields of a constraint, of `TYPES` exactly one."""

    main_key: ClassVar[str] = "check"
    other_keys: ClassVar[Mapping[str, str]] = {"with": "options"}
    sql_fields: ClassVar[tuple[str, ...]] = ("references", *TYPES)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "check": EXPRESSION,
        "exclude": EXCLUSION,
    }
    not_compared: ClassVar[frozenset[str]] = frozenset(
        {"comment", "index_comment", "partitioned", "pieces"}
    )

    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = ((*TYPES, "not_null"),)
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "foreign_key": ("references",),
        "references": ("foreign_key",),
        "no_inherit": ("check", "not_null"),
        "nulls_not_distinct": ("unique",),
        "without_overlaps": KEYS,
        "include": KEYS,  # `exclude` has its own
        **dict.fromkeys(("options", "tablespace", "index_comment"), INDEXED),
        **dict.fromkeys(("period", "on_delete", "on_update", "match"), ("foreign_key",)),
        "on_delete_columns": ("on_delete",),
        "deferrable": (*INDEXED, "foreign_key"),
        "not_enforced": ("check", "foreign_key"),
        "not_valid": ("check", "foreign_key", "not_null"),
    }
    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "not_valid": ("not_enforced",),
        **dict.fromkeys(("renamed_from", "depends_on", "pieces"), ("not_null",)),
    }

    check: Sql | None = Field(default=None, description="a condition that every row meets")
    no_inherit: bool = Field(default=False, description="a check that holds for this table alone")
    unique: tuple[Name, ...] | None = Field(
        default=None, description="columns no two rows agree in"
    )
    primary_key: tuple[Name, ...] | None = Field(
        default=None, description="columns that identify a row"
    )
    exclude: Sql | None = Field(
        default=None,
        description="no two rows match: USING method (column WITH operator, …), as in EXCLUDE",
    )
    nulls_not_distinct: bool = Field(
        default=False, description="nulls count as equal (PostgreSQL 15)"
    )
    without_overlaps: bool = Field(
        default=False, description="the last column of the key is a period (PostgreSQL 18)"
    )
    include: tuple[Name, ...] = Field(
        default=(), description="columns that the index carries without indexing them"
    )
    options: dict[Parameter, str] = Field(
        default_factory=dict, description="storage parameters of its index, such as fillfactor"
    )
    tablespace: Name | None = Field(
        default=None,
        description="where its index is stored, where it is not the database's tablespace",
    )
    index_comment: Comment | None = Field(
        default=None, description="COMMENT ON INDEX, of its index"
    )
    not_null: Name | None = Field(
        default=None,
        description="the column that is never null; it keeps this name (PostgreSQL 18)",
    )
    foreign_key: tuple[Name, ...] | None = Field(
        default=None, description="columns that name a row of another table"
    )
    references: Referenced | None = Field(
        default=None, description="table(columns), or just the table for its primary key"
    )
    period: bool = Field(
        default=False, description="the last column of the foreign key is a period (PostgreSQL 18)"
    )
    on_delete: Action = Field(
        default="no action",
        description="what happens to a row when the row that it names is deleted",
    )
    on_delete_columns: tuple[Name, ...] = Field(
        default=(), description="only these are set null or default (PostgreSQL 15)"
    )
    on_update: Action = Field(
        default="no action",
        description="what happens to a row when the key of the row that it names changes",
    )
    match: Literal["simple", "full"] = Field(
        default="simple",
        description="full: either all columns of the foreign key are null or none",
    )
    deferrable: Literal["immediate", "deferred"] | None = Field(
        default=None, description="checked at the end of the transaction: initially …"
    )
    not_valid: bool = Field(default=False, description="existing rows have not been checked")
    not_enforced: bool = Field(default=False, description="no row is ever checked (PostgreSQL 18)")

    @model_validator(mode="after")
    def _one_of_five(self) -> Self:
        if sum(getattr(self, f) is not None for f in TYPES) != 1:
            raise ValueError(f"a constraint has exactly one of: {', '.join(TYPES)}, not_null")
        if self.not_null is not None:
            raise ValueError(f"a constraint has exactly one of: {', '.join(TYPES)}, not_null")
        if (self.foreign_key is None) != (self.references is None):
            raise ValueError(
                "foreign_key and references belong together: references: table(columns)"
            )
        return self

    def fragments(self) -> Iterator[Fragment]:
        yield from super().fragments()
        yield from referenced(self.references)

    # -- type and names ----------------------------------------------------------------------------

    @property
    def is_key(self) -> bool:
        """Whether an ordinary unique index backs the constraint, and can be built in advance."""
        has_key = self.unique is not None or self.primary_key is not None
        return has_key and not self.without_overlaps

    @property
    def has_index(self) -> bool:
        """Whether an index backs the constraint: of a key or an exclusion constraint."""
        return self.check is None and self.foreign_key is None

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of a unique or primary key."""
        return self.unique or self.primary_key or ()

    @property
    def table(self) -> sql.Composable:
        """The qualified name of the table."""
        assert self.ref.on is not None
        return name(self.ref.on.schema, self.ref.on.name)

    @property
    def relation_name(self) -> str | None:
        return self.ref.name if self.has_index else None

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Return the keys of the base class; a table has at most one primary key."""
        primary = (
            {("primary key", str(self.ref.on))} if self.primary_key else set[tuple[str, ...]]()
        )
        return super().name_keys() | primary

    def default_on(self, child: Ref) -> str:
        """Return the name of the partition's index: PostgreSQL names the constraint alike."""
        if not self.has_index or self.exclude is not None:
            return self.ref.name
        columns = "_".join(self.unique or ())
        return default_name(child.name, columns, "pkey" if self.unique is None else "key")

    def over_shadow(self, context: PlanningContext) -> Self:
        shadows = context.exchanges(self.ref.on)
        columns = {"unique": self.unique, "primary_key": self.primary_key, "include": self.include}
        return self.model_copy(
            update={
                f: tuple(shadows.get(c, c) for c in names)
                for f, names in columns.items()
                if names is not None
            }
        )

    # -- clauses -----------------------------------------------------------------------------------

    def body(self) -> sql.Composable:
        """Return the constraint as in ADD CONSTRAINT, without name, DEFERRABLE and NOT VALID."""
        if self.check is not None:
            no_inherit = raw(" NO INHERIT" if self.no_inherit else "")
            return compose("CHECK ({}){}", raw(self.check), no_inherit)
        if self.foreign_key is not None:
            return joined(self._foreign_key_clauses(), by=" ")
        if self.exclude is not None:
            return joined(self._exclusion_clauses(self.exclude), by=" ")
        return joined(self._key_clauses(), by=" ")

    def _key_clauses(self) -> Iterable[sql.Composable]:
        yield raw("UNIQUE" if self.unique is not None else "PRIMARY KEY")
        if self.nulls_not_distinct:
            yield raw("NULLS NOT DISTINCT")
        overlaps = raw(" WITHOUT OVERLAPS" if self.without_overlaps else "")
        yield compose("({}{})", joined(self.key_columns), overlaps)
        yield from self.include_clause()
        yield from self.storage_clauses(raw("USING INDEX "))

    def _exclusion_clauses(self, exclude: str) -> Iterable[sql.Composable]:
        """Yield the constraint, with storage parameters and tablespace before its WHERE."""
        where = index_of_word(exclude, "WHERE")
        yield compose("EXCLUDE {}", raw(exclude[:where].strip()))
        yield from self.storage_clauses(raw("USING INDEX "))
        yield from [raw(exclude[where:])] if exclude[where:] else []

    def include_clause(self) -> Iterable[sql.Composable]:
        """Yield INCLUDE if columns are included."""
        if self.include:
            yield compose("INCLUDE ({})", joined(self.include))

    def storage_clauses(self, tablespace_prefix: sql.Composable) -> Iterable[sql.Composable]:
        """Yield storage parameters and tablespace of the index."""
        if self.options:
            yield compose("WITH ({})", parameters(self.options))
        if self.tablespace is not None:
            yield compose("{}TABLESPACE {}", tablespace_prefix, self.tablespace)

    def _foreign_key_clauses(self) -> Iterable[sql.Composable]:
        columns = raw(column_list(self.foreign_key or (), "PERIOD " if self.period else ""))
        yield compose("FOREIGN KEY ({}) REFERENCES {}", columns, raw(self.references or ""))
        if self.match == "full":
            yield raw("MATCH FULL")
        if self.on_update != "no action":
            yield raw(f"ON UPDATE {self.on_update.upper()}")
        if self.on_delete != "no action":
            yield raw(f"ON DELETE {self.on_delete.upper()}")
        if self.on_delete_columns:
            yield compose("({})", joined(self.on_delete_columns))

    def deferrable_clause(self) -> sql.Composable:
        """Return DEFERRABLE with a leading space, or nothing."""
        if self.deferrable is None:
            return raw("")
        return raw(" DEFERRABLE" + (" INITIALLY DEFERRED" if self.deferrable == "deferred" else ""))

    # -- statements --------------------------------------------------------------------------------

    @property
    def referenced_table(self) -> Ref | None:
        names = split_name((self.references or "").rsplit("(", 1)[0])
        if self.foreign_key is None or not names:
            return None
        return Ref("table", names[-2] if len(names) > 1 else self.ref.schema, names[-1])

    @property
    def recurses(self) -> Literal["partitions", "children"]:
        """The child tables that statements lock as the table: a foreign key is not inherited."""
        return "children" if self.check is not None else "partitions"

    def _locks_of_referenced(self, mode: str) -> tuple[Lock, ...]:
        table = self.referenced_table
        return () if table is None else (Lock(relation=table.identity, mode=mode),)

    def add(self, *, not_valid: bool, undo: str | None = None) -> Statement:
        """Add the constraint."""
        valid = raw(" NOT ENFORCED" if self.not_enforced else " NOT VALID" if not_valid else "")
        add = compose(
            "ALTER TABLE {} ADD CONSTRAINT {} {}{}{}",
            self.table,
            self.ref.name,
            self.body(),
            self.deferrable_clause(),
            valid,
        )
        return Statement(
            sql=text(add),
            lock="ACCESS EXCLUSIVE" if self.foreign_key is None else "SHARE ROW EXCLUSIVE",
            relation=self.stands_on,
            others=self._locks_of_referenced("SHARE ROW EXCLUSIVE"),
            recurses=self.recurses,
            needs_create_on="schema" if self.exclude is not None else "",
            undo=None if undo is None else (undo,),
        )

    def validate_rows(self, undo: tuple[str, ...] = ()) -> Statement:
        """Validate existing rows, in a separate transaction without blocking writes."""
        validate = compose("ALTER TABLE {} VALIDATE CONSTRAINT {}", self.table, self.ref.name)
        return Statement(
            sql=text(validate),
            lock="SHARE UPDATE EXCLUSIVE",
            relation=self.stands_on,
            others=self._locks_of_referenced("ROW SHARE"),
            recurses=self.recurses,
            own_transaction=True,
            long=True,
            undo=undo,
        )

    def drop_restorable(self) -> Statement:
        """Drop the constraint; the undo adds the constraint again."""
        return Statement(
            sql=self.plain_drop_sql(),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            others=self._locks_of_referenced("ACCESS EXCLUSIVE"),
            recurses=self.recurses,
            undo=self.restore_sql(),
        )

    def restore_sql(self) -> tuple[str, ...]:
        """Return the plain DDL to add the constraint with comments."""
        comment = () if self.comment is None else (self.comment_on(self.comment).sql,)
        index_comment = () if self.index_comment is None else (self.index_comment_sql(),)
        return (self.add(not_valid=self.not_valid).sql, *comment, *index_comment)

    def plain_drop_sql(self) -> str:
        """Return the plain DDL to drop an existing constraint."""
        return text(compose("ALTER TABLE {} DROP CONSTRAINT {}", self.table, self.ref.name))

    def alter_deferrable(self) -> Statement:
        """Change DEFERRABLE of a foreign key; PostgreSQL cannot for other constraints."""
        clause = self.deferrable_clause() if self.deferrable else raw(" NOT DEFERRABLE")
        alter = compose("ALTER TABLE {} ALTER CONSTRAINT {}{}", self.table, self.ref.name, clause)
        return Statement(
            sql=text(alter),
            lock="ACCESS EXCLUSIVE",
            relation=self.stands_on,
            recurses=self.recurses,
        )

    def alter_index(self, old: Self, context: PlanningContext) -> Iterator[Statement]:
        """Alter storage parameters and tablespace of the index behind the constraint."""
        added = {k: v for k, v in self.options.items() if old.options.get(k) != v}
        removed = [k for k in old.options if k not in self.options]
        if added:
            yield self._alter_index(compose("SET ({})", parameters(added)))
        if removed:
            yield self._alter_index(compose("RESET ({})", joined(removed)))
        if self.tablespace != old.tablespace:
            move = compose("SET TABLESPACE {}", self.tablespace or context.tablespaces.usual)
            blocked = Hazard(
                hazard=HazardKind.TABLE_REWRITE,
                reason=f"the index of {self.ref} is copied while nobody can use it",
            )
            yield self._alter_index(move).model_copy(
                update={"lock": "ACCESS EXCLUSIVE", "hazards": (blocked,)}
            )

    def _alter_index(self, action: sql.Composable) -> Statement:
        alter = compose("ALTER INDEX {} {}", name(self.ref.schema, self.ref.name), action)
        return Statement(sql=text(alter), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on)

    def comment_on(self, comment: str | None) -> Statement:
        """Set the comment on the constraint."""
        comment_on = compose("COMMENT ON {} IS {}", self.designation(), literal(comment))
        return Statement(
            sql=text(comment_on), lock="SHARE UPDATE EXCLUSIVE", relation=self.stands_on, undo=()
        )

    def index_comment_sql(self) -> str:
        """Return the SQL to set the comment on the index."""
        index = name(self.ref.schema, self.ref.name)
        return text(compose("COMMENT ON INDEX {} IS {}", index, literal(self.index_comment)))

    # -- on partitions -----------------------------------------------------------------------------

    def create_on_parent_only(self) -> Statement:
        add = compose(
            "ALTER TABLE ONLY {} ADD CONSTRAINT {} {}{}",
            self.table,
            self.ref.name,
            self.body(),
            self.deferrable_clause(),
        )
        return Statement(
            sql=text(add), lock="ACCESS EXCLUSIVE", relation=self.stands_on, own_transaction=True
        )

    def create_sql(self) -> str:
        return self.add(not_valid=False).sql

    def drop_sql(self) -> str:
        drop = compose("ALTER TABLE {} DROP CONSTRAINT IF EXISTS {}", self.table, self.ref.name)
        return text(drop)


def column_list(columns: Sequence[str], period: str) -> str:
    """Return quoted column names, the last with the prefix `period`."""
    quoted = [text(name(c)) for c in columns]
    return ", ".join([*quoted[:-1], *(period + c for c in quoted[-1:])])
