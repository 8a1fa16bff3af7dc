"""Statement: one SQL command with what there is to know of it; and the one door for SQL that people wrote."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from psycopg import sql
from pydantic import AliasChoices, BaseModel, ConfigDict, Field


class HazardKind(StrEnum):
    """What may go wrong although the statement succeeds; `--allow` takes these names."""

    DATA_LOSS = "data-loss"
    TABLE_REWRITE = "table-rewrite"
    BLOCKS_WRITES = "blocks-writes"
    BLOCKS_READS = "blocks-reads"
    LONG_SCAN = "long-scan"
    WEAKENS_SECURITY = "weakens-security"
    IRREVERSIBLE = "irreversible"


class Hazard(BaseModel, frozen=True, extra="forbid"):
    """A hazard and why this statement has it, in words that end no sentence."""

    hazard: HazardKind
    reason: str


class Pace(BaseModel):
    """How fast a backfill may go; times are seconds.

    A batch is to take `target` and fills no more than `rows`; after it comes a `pause`, or one of that `share` of its
    time. It waits while a standby is further behind than `max_lag` or `max_lag_bytes`, or more than `max_active`
    sessions of others are at work. Without `triggers` none fires for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: float = 0.2
    rows: int | None = None
    pause: float = 0.0
    share: float = 0.0
    max_lag: float | None = None
    max_lag_bytes: int | None = None
    max_active: int | None = None
    triggers: bool = True


class Fill(BaseModel):
    """A backfill: `column` of `relation` becomes `value` in every row where it is null.

    The three are SQL text, qualified. It fails, and names some of them, if rows are left that get no value; or, as
    the `sweep` after nulls were forbidden or without a `value`, if any row is null at all. A `sure` value is never
    null, and evaluated once for each row: a default that counts. A `partial` one leaves null where the value is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    relation: str
    column: str
    value: str | None = None
    sweep: bool = False
    sure: bool = False
    partial: bool = False
    throttle: Pace = Field(
        default=Pace(),
        validation_alias=AliasChoices("throttle", "pace"),  # 0.1 called it so in journals
    )

    @property
    def unfilled(self) -> str:
        """SQL that is true of a row that is null, and not merely of one that holds a row of nulls."""
        return (
            f"{self.column} IS NOT DISTINCT FROM NULL" if self.partial else f"{self.column} IS NULL"
        )

    @property
    def fillable(self) -> str:
        """SQL that is true of a row that is null and gets a value."""
        found = (
            f"({self.value}) IS DISTINCT FROM NULL"
            if self.partial
            else f"({self.value}) IS NOT NULL"
        )
        return self.unfilled if self.sure else f"{self.unfilled} AND {found}"


class Statement(BaseModel):
    """One SQL command as it will run, with all that later stages must know of it.

    No stage looks into `sql`. What they ask for has a field:

    lock, relation      the strongest table lock that it takes, in the manual's words
                        (https://www.postgresql.org/docs/current/explicit-locking.html), and
                        the relation on which it takes it; "" is none
    transactional       false where PostgreSQL refuses it inside a transaction block
    own_transaction     it commits alone
    before_swap         it commits before the transaction in which a column is swapped
    long                it may wait or run for hours and blocks nobody: no lock_timeout ends it
    cleanup             SQL that removes what a failed attempt leaves behind
    undo                SQL that reverts it; None where only the change as a whole has an undo
    fill                the backfill that runs in place of `sql`, in batches
    index               the index that it builds, drops, renames or attaches: qualified SQL
    builds_index        it builds `index`; outside a transaction block, a failed attempt leaves
                        `index` invalid
    adds_shadow_column  it adds a column that logical replication would send to subscribers
    privilege           the privilege on `relation` that suffices; "" where one must own it
    needs_create_on     where it needs the privilege CREATE because of the index, sequence or
                        schema that it creates; kinds that are created in a schema imply this
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sql: str
    lock: str = ""
    relation: str = ""
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
    adds_shadow_column: bool = False
    privilege: str = ""
    needs_create_on: Literal["", "schema", "database"] = ""


def undoable(
    statements: Iterable[Statement], back: Callable[[], Iterable[Statement]]
) -> list[Statement]:
    """Give statements that do not say how they are undone the way `back`, all of it with the first of them."""
    found = list(statements)
    if found and all(s.undo is None for s in found):
        found[0] = found[0].model_copy(update={"undo": tuple(s.sql for s in back())})
    return [s if s.undo is not None else s.model_copy(update={"undo": ()}) for s in found]


@dataclass(frozen=True)
class Turn:
    """How the values of a replaced data type become those of the new one, and back again.

    `type` is its name as format_type prints it, `aside` what the old one is called meanwhile.
    """

    type: str
    aside: str
    forth: Callable[[sql.Composable], sql.Composable]
    back: Callable[[sql.Composable], sql.Composable]
