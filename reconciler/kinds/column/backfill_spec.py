"""Backfills: the declaration, and the statement to fill the rows without a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema

from reconciler.kinds.column.target import Target
from reconciler.model.spelling import Sql
from reconciler.model.statement import Fill, Question, Statement, ThrottleSettings
from reconciler.sql import compose, text

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
ONLINE = "online"
BYTES = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]+)")


class Batch(BaseModel):
    """The size of a batch: a short transaction."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    target: str = Field(
        default="200ms",
        description="how long a batch is to take; its rows are adapted to that: 200ms, 1s",
    )
    rows: int | None = Field(
        default=None, gt=0, description="no more rows than this at once, however fast they are"
    )


class Pacing(BaseModel):
    """The throttle of a backfill."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    batch: Batch = Field(default=Batch(), description="how much is filled at once")
    pause: str | None = Field(
        default=None,
        description="after each batch: 500ms, 1s, or a share of what the batch took: 50%",
    )
    max_lag: str | None = Field(
        default=None,
        description="it waits while a standby is further behind than this: 10s, or 64MB of WAL",
    )
    max_active: int | None = Field(
        default=None,
        ge=0,
        description="it waits while more sessions of others than this are at work",
    )
    triggers: bool = Field(
        default=True,
        description="whether triggers fire for the rows that are filled, "
        "such as one that sets updated_at; "
        "false needs the privilege to set session_replication_role",
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.throttle()
        return self

    def throttle(self) -> ThrottleSettings:
        """Return the throttle in seconds, rows and bytes; raise ValueError for an unknown unit."""
        pause, share = amount("pause", self.pause, {**SECONDS, "%": 0.01})
        lag, unit = amount("max_lag", self.max_lag, {**SECONDS, **BYTES})
        target, _ = amount("batch.target", self.batch.target, SECONDS)
        return ThrottleSettings(
            target=target or ThrottleSettings().target,
            rows=self.batch.rows,
            pause=0.0 if share == "%" else pause or 0.0,
            share=(pause or 0.0) if share == "%" else 0.0,
            max_lag=lag if unit in SECONDS else None,
            max_lag_bytes=int(lag) if lag is not None and unit in BYTES else None,
            max_active=self.max_active,
            triggers=self.triggers,
        )


class Backfill(Pacing):
    """A backfill of the rows without a value; rows with a value are never written."""

    main_key: ClassVar[str] = "value"

    value: Sql = Field(
        description="SQL expression over the row; other columns are named `table.column`"
    )
    keep_filled: bool | Literal["always"] = Field(
        default=False,
        description="a trigger fills what applications leave null, "
        "from before the backfill until this is taken away again; "
        "`always` sets the value in every row that is written, as a stored generated column does, "
        "without its rewrite of the table: every row then holds the value of its own other columns",
    )

    # of a column that a trigger sets in every row: its type
    computed: SkipJsonSchema[str] = Field(
        default="", exclude=True, json_schema_extra={"derived": True}
    )
    # whether the value is never null
    sure: SkipJsonSchema[bool] = Field(
        default=False, exclude=True, json_schema_extra={"derived": True}
    )
    # whether the value is the same for all rows, and not null
    constant: SkipJsonSchema[bool] = Field(
        default=False, exclude=True, json_schema_extra={"derived": True}
    )


class Retype(Pacing):
    """The online change of a type: a shadow column is filled and swapped for the column."""

    @model_validator(mode="before")
    @classmethod
    def _expand_short_form(cls, body: object) -> object:
        """Read `online` as the default throttle."""
        return {} if isinstance(body, str) and body.lower() == ONLINE else body

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"const": ONLINE}, handler(schema)]}


def amount(key: str, spelled: str | None, units: Mapping[str, float]) -> tuple[float | None, str]:
    """Parse a number with a unit; return the number times the unit's factor, and the unit.

    Raises ValueError.
    """
    if spelled is None:
        return None, ""
    match = _AMOUNT.fullmatch(spelled.strip())
    if match is None or match[2] not in units:
        raise ValueError(
            f"{key}: expected a number with a unit ({', '.join(units)}), got {spelled!r}"
        )
    return float(match[1]) * units[match[2]], match[2]


def fill(
    target: Target, backfill: Backfill | None, *, sweep: bool = False, partial: bool = False
) -> Statement:
    """Fill the rows without a value in batches; without a backfill, assert no row lacks a value.

    Of a column that a trigger sets in every row, fill the rows that hold another value. The run
    stops, with the keys of a few rows, if rows are left without a value. A `sweep` runs after NOT
    NULL is in force for new rows. A `partial` one leaves the rows of a null value.
    """
    relation, column = text(target.table), text(compose("{}", target.column))
    value = backfill.value if backfill is not None else None
    filled = Fill(
        relation=relation,
        column=column,
        value=value,
        sweep=sweep,
        sure=backfill.sure if backfill is not None else False,
        partial=partial,
        computed=backfill.computed if backfill is not None else "",
        throttle=backfill.throttle() if backfill is not None else ThrottleSettings(),
    )
    fillable = f"{column} IS NULL" + (f" AND ({value}) IS NOT NULL" if partial else "")
    if filled.computed:
        fillable = filled.unfilled
    update = f"UPDATE {relation} SET {column} = {value} WHERE {fillable}"
    assertion = f"SELECT count(*) AS rows_without_value FROM {relation} WHERE {column} IS NULL"
    return Statement(
        sql=assertion if value is None else update,
        lock="ACCESS SHARE" if value is None else "ROW EXCLUSIVE",
        relation=target.relation,
        transactional=False,
        fill=filled,
        undo=(),
        question=None if value is not None else _question_of_nulls(target),
    )


def _question_of_nulls(target: Target) -> Question:
    """Ask for rows without a value, which nothing fills."""
    return Question(
        relation=text(target.table),
        columns=(target.column,),
        condition=text(compose("asked.{} IS NULL", target.column)),
        meaning=f"rows of {target.relation} have no value in {target.column}",
        remedy="declare a backfill",
    )
