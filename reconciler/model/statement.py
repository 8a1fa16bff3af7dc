"""Describe SQL commands: locks, hazards, privileges, how to undo, and backfills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from psycopg import sql
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from reconciler.model.frozen import Frozen


class HazardKind(StrEnum):
    """A kind of harm done by a successful statement; the values are the names for `--allow`."""

    DATA_LOSS = "data-loss"
    TABLE_REWRITE = "table-rewrite"
    BLOCKS_WRITES = "blocks-writes"
    BLOCKS_READS = "blocks-reads"
    LONG_SCAN = "long-scan"
    WEAKENS_SECURITY = "weakens-security"
    IRREVERSIBLE = "irreversible"
    STOPS_REPLICATION = "stops-replication"


class Hazard(BaseModel, frozen=True, extra="forbid", defer_build=True):
    """A hazard of a statement; `reason` is a clause without a full stop.

    Of a `partly` irreversible statement the undo brings back all but what the reason says.
    """

    hazard: HazardKind
    reason: str
    partly: bool = False

    @property
    def has_no_undo(self) -> bool:
        """Whether the object has to stay as the statement leaves it."""
        return self.hazard is HazardKind.IRREVERSIBLE and not self.partly

    @model_serializer(mode="wrap")
    def _without_default(self, serialize: SerializerFunctionWrapHandler):
        """Leave out `partly` where it says nothing: saved plans stay as they are.

        Without the type of the result, the JSON Schema is that of the fields.
        """
        found: dict[str, object] = serialize(self)
        return found if self.partly else {k: v for k, v in found.items() if k != "partly"}


class TableRewrite(BaseModel):
    """A rewrite of a table by an action of ALTER TABLE, which can be combined with others.

    kind      the clause of ALTER TABLE: ADD COLUMN, or ALTER COLUMN with TYPE or SET EXPRESSION
    table     the table as SQL
    relation  the table, for people
    size      its size, for people
    action    the action as SQL
    undo      the action that reverts it, "" if none does
    column    the column on account of which the table is rewritten
    online    `retype: online` would do without the rewrite
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    kind: Literal["add", "type", "expression"]
    table: str
    relation: str
    size: str
    action: str
    undo: str = ""
    column: str
    online: bool = False


def hazard_of_rewrites(rewrites: Sequence[TableRewrite]) -> Hazard:
    """Return the hazard of rewriting one table on account of one or several columns."""
    first, online = rewrites[0], [r.column for r in rewrites if r.online]
    columns = ", ".join(r.column for r in rewrites)
    why = (
        f"{first.relation} ({first.size}) is rewritten for {columns} "
        "while nobody can read or write it"
    )
    if online:
        of = "" if len(online) == len(rewrites) else f" of {', '.join(online)}"
        why += f"; `retype: online`{of} does it while all can"
    return Hazard(hazard=HazardKind.TABLE_REWRITE, reason=why)


class ThrottleSettings(BaseModel):
    """The limits of a backfill; times are seconds.

    target          the desired duration of a batch
    rows            the most rows that a batch fills
    pause, share    the pause after a batch, and a pause as a share of the batch's duration
    max_lag         wait while a standby is further behind, in seconds
    max_lag_bytes   wait while a standby is further behind, in bytes of WAL
    max_active      wait while more than this number of foreign sessions are active
    triggers        false disables the triggers of the table for the backfill
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    target: float = 0.2
    rows: int | None = None
    pause: float = 0.0
    share: float = 0.0
    max_lag: float | None = None
    max_lag_bytes: int | None = None
    max_active: int | None = None
    triggers: bool = True


class Fill(BaseModel):
    """A backfill: set `column` of `relation` to `value` in every row where the column is null.

    All three are SQL, the relation qualified. Rows that remain null make the backfill fail.

    value     None only checks that no row is null
    sweep     the column is NOT NULL for new rows already: any row that remains null is a failure,
              and not only a row without a value
    sure      the value is never null and is evaluated once for each row, like a default
    partial   rows with a null value may remain null
    computed  the type of a column that a trigger sets in every row, else "": rows that hold another
              value than theirs are filled
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    relation: str
    column: str
    value: str | None = None
    sweep: bool = False
    sure: bool = False
    partial: bool = False
    computed: str = ""
    throttle: ThrottleSettings = Field(
        default=ThrottleSettings(),
        validation_alias=AliasChoices("throttle", "pace"),  # the name in journals of 0.1
    )

    @property
    def unfilled(self) -> str:
        """SQL true of rows to be filled.

        For a `partial` fill IS NULL would not do: it is also true of a composite of nulls. Values
        are compared byte by byte, as not every type has an equality, nor every equality sees all.
        """
        if self.computed:
            value = f"ROW(({self.value})::{self.computed})::record"
            return f"ROW({self.column})::record OPERATOR(pg_catalog.*<>) {value}"
        return (
            f"{self.column} IS NOT DISTINCT FROM NULL" if self.partial else f"{self.column} IS NULL"
        )

    @property
    def fillable(self) -> str:
        """SQL true of rows to be filled with a non-null value."""
        found = (
            f"({self.value}) IS DISTINCT FROM NULL"
            if self.partial
            else f"({self.value}) IS NOT NULL"
        )
        return self.unfilled if self.sure or self.computed else f"{self.unfilled} AND {found}"


class Lock(BaseModel):
    """A lock of a table, in the manual's words."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    relation: str
    mode: str


class Question(BaseModel):
    """A question about rows that would make a statement fail.

    relation    the table, as qualified SQL; its alias in `condition` is `asked`, and all its rows
                are those of `rows`; "" stands for each table with columns of the type that the
                statement changes: then `condition` is about VALUE, and `meaning` says which values
                the rows have in that column
    only        rows of child tables do not count
    columns     the columns that identify a row without a primary key
    condition   SQL true of the rows in the way, which runs no code of users: values are compared as
                parts of records, since no cast applies to these
    built_in    the columns whose types must be PostgreSQL's own, or domains over them, as the
                condition names operators
    meaning     what such rows mean, for people
    remedy      what to do, for people
    unasked     why the rows must not be looked at; "" if they may
    subject     the kind and identity of the object, if it is another than that of the step
    must_know   no plan is made unless the answer is that there is no such row
    more        further questions about the same statement
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    relation: str
    only: bool = False
    columns: tuple[str, ...] = ()
    condition: str = "true"
    built_in: tuple[str, ...] = ()
    meaning: str
    remedy: str = ""
    unasked: str = ""
    subject: str = ""
    must_know: bool = False
    more: tuple[Question, ...] = ()


class Requirement(BaseModel):
    """What a role that is no superuser needs to run a statement.

    condition   SQL that is true for a current role that may run it
    lacking     what is to be said of a role that may not, after its name, with the remedy
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    condition: str
    lacking: str


Held = Literal["connection string", "password"]


class Statement(Frozen):
    """A SQL command, with all facts needed by later stages.

    No stage parses `sql`. Every property that a stage needs has a field:

    lock, relation      the strongest table lock of the statement, in the manual's words
                        (https://www.postgresql.org/docs/current/explicit-locking.html), and
                        the locked relation; "" is none
    others              locks on further relations
    recurses            locks the partitions, or all child tables, in the same way
    ties                what else it locks: the tables to which foreign keys of a dropped or retyped
                        object refer, the tables around a partition that is attached or detached,
                        the tables that use a domain, or the typed tables of a composite type
    transactional       false if PostgreSQL refuses the statement inside a transaction block
    own_transaction     commit the statement alone
    before_swap         commit before the transaction in which a column is swapped
    long                may wait or run for hours without blocking sessions: no lock_timeout
    cleanup             SQL to remove objects left by a failed attempt
    undo                SQL to revert the statement; None if only the whole change has an undo
    fill                the backfill that runs in place of `sql`, in batches
    index               the index built, dropped, renamed or attached: qualified SQL
    drops_leftover      drops `index` because it is invalid, unless another session builds it
    builds_index        builds `index`; outside a transaction block, a failed attempt leaves
                        `index` invalid
    adds_shadow_column  adds a column that logical replication would send to subscribers
    privilege           a sufficient privilege on `relation`; "" if only the owner may run `sql`
    needs_create_on     "schema" or "database" if the role needs CREATE there for a new index,
                        sequence or schema; kinds created in a schema imply "schema"
    question            the rows of `relation` that would make the statement fail
    temporary           `undo` must run if steps fail that come later on the same object
    swaps_names         belongs to the transaction in which a new index takes the name of another
    rewrite             the rewrite of the table, if it can be combined with others
    environment         the environment variable whose value stands in `sql` for :'NAME'; it is put
                        there when the statement is sent, and shown nowhere
    holds               what that variable holds; in place of a password its verifier is sent
    database            another database of the cluster in which the statement runs
    requirements        what the role needs beside `privilege` and `needs_create_on`
    also                further objects that the statement changes: kind and identity
    """

    sql: str
    lock: str = ""
    relation: str = ""
    others: tuple[Lock, ...] = ()
    recurses: Literal["", "partitions", "children"] = ""
    ties: Literal["", "references", "attach", "detach", "users", "typed tables"] = ""
    transactional: bool = True
    own_transaction: bool = False
    before_swap: bool = False
    long: bool = False
    hazards: tuple[Hazard, ...] = ()
    cleanup: tuple[str, ...] = ()
    undo: tuple[str, ...] | None = None
    fill: Fill | None = None
    index: str = ""
    builds_index: bool = False
    drops_leftover: bool = False
    adds_shadow_column: bool = False
    privilege: str = ""
    needs_create_on: Literal["", "schema", "database"] = ""
    question: Question | None = None
    temporary: bool = False
    swaps_names: bool = False
    rewrite: TableRewrite | None = None
    environment: str = ""
    holds: Held = "connection string"
    database: str = ""
    requirements: tuple[Requirement, ...] = ()
    also: tuple[tuple[str, str], ...] = ()

    @property
    def brief(self) -> bool:
        """Whether the statement can share a transaction with others, and is no backfill."""
        alone = self.own_transaction or self.before_swap or self.long or self.fill is not None
        return self.transactional and not alone


def undoable(
    statements: Iterable[Statement], back: Callable[[], Iterable[Statement]]
) -> list[Statement]:
    """Return statements with an `undo` each: all of `back` on the first if none had an undo."""
    found = list(statements)
    if found and all(s.undo is None for s in found):
        found[0] = found[0].model_copy(update={"undo": tuple(s.sql for s in back())})
    return [s if s.undo is not None else s.model_copy(update={"undo": ()}) for s in found]


@dataclass(frozen=True)
class TypeConversion:
    """A conversion of a column from a replaced data type, or collation, to the replacement.

    `type` is the name of both as format_type prints it. While both exist, the old type or
    collation has the name `old_name`. `convert` and `convert_back` compose SQL from the SQL
    of a value. `lost` are the values of an enumerated type that have no replacement. `losses` say
    what becomes of values without an error: `are cut to character(3)`. `underlying` are the types
    under the old and the new domain.
    """

    type: str
    old_name: str
    convert: Callable[[sql.Composable], sql.Composable]
    convert_back: Callable[[sql.Composable], sql.Composable]
    lost: tuple[str, ...] = ()
    losses: tuple[str, ...] = ()
    underlying: tuple[str, str] | None = None
