"""How the rows of a column that have no value get one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue, SkipJsonSchema
from pydantic_core import CoreSchema

from reconciler.kinds.column.target import Target
from reconciler.model.statement import Fill, Statement, ThrottleSettings
from reconciler.sql import compose, text

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0}
ONLINE = "online"
BYTES = {"kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]+)")


class Batch(BaseModel):
    """How much is filled at once, in one short transaction."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str = Field(
        default="200ms",
        description="how long a batch is to take; its rows are adapted to that: 200ms, 1s",
    )
    rows: int | None = Field(
        default=None, gt=0, description="no more rows than this at once, however fast they are"
    )


class Pacing(BaseModel):
    """How gently rows are filled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        description="whether triggers fire for the rows that are filled, such as one that sets updated_at; "
        "false needs the privilege to set session_replication_role",
    )

    @model_validator(mode="after")
    def _readable(self) -> Self:
        self.throttle()
        return self

    def throttle(self) -> ThrottleSettings:
        """The same in seconds, rows and bytes; raises ValueError."""
        pause, share = amount("pause", self.pause, {**SECONDS, "%": 0.01})
        lag, unit = amount("max_lag", self.max_lag, {**SECONDS, **BYTES})
        return ThrottleSettings(
            target=amount("batch.target", self.batch.target, SECONDS)[0]
            or ThrottleSettings().target,
            rows=self.batch.rows,
            pause=0.0 if share == "%" else pause or 0.0,
            share=(pause or 0.0) if share == "%" else 0.0,
            max_lag=lag if unit in SECONDS else None,
            max_lag_bytes=int(lag) if lag is not None and unit in BYTES else None,
            max_active=self.max_active,
            triggers=self.triggers,
        )


class Backfill(Pacing):
    """Where the rows that have no value get one, and how gently; rows that have one are never touched."""

    value: str = Field(
        description="SQL expression over the row; other columns are named `table.column`"
    )
    keep_filled: bool = Field(
        default=False,
        description="a trigger fills what applications leave null, from before the backfill until this is taken away again",
    )

    sure: SkipJsonSchema[bool] = Field(
        default=False, exclude=True, json_schema_extra={"derived": True}
    )  # the value is never null

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: object) -> object:
        """The value alone is the short form."""
        return (
            {"value": str(given).lower() if isinstance(given, bool) else str(given)}
            if isinstance(given, str | int | float)
            else given
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(schema), {"type": ["string", "number", "boolean"]}]}


class Retype(Pacing):
    """A column gets its new type without a rewrite under lock: a twin beside it is filled, and takes its place."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, given: object) -> object:
        """`online` is the short form."""
        return {} if given == ONLINE else given

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [{"const": ONLINE}, handler(schema)]}


def amount(
    key: str, sql_fields: str | None, units: Mapping[str, float]
) -> tuple[float | None, str]:
    """What is written as a number with a unit, in the unit that counts one; and that unit's word. Raises ValueError."""
    if sql_fields is None:
        return None, ""
    match = _AMOUNT.fullmatch(sql_fields.strip())
    if match is None or match[2] not in units:
        raise ValueError(
            f"{key}: expected a number with a unit ({', '.join(units)}), got {sql_fields!r}"
        )
    return float(match[1]) * units[match[2]], match[2]


def fill(
    target: Target, backfill: Backfill | None, *, sweep: bool = False, partial: bool = False
) -> Statement:
    """Fill what is null and stop, with sample keys, if what is left gets no value; a sweep leaves none, a partial one may."""
    relation, column = text(target.table), text(compose("{}", target.column))
    value = backfill.value if backfill is not None else None
    update = f"UPDATE {relation} SET {column} = {value} WHERE {column} IS NULL{f' AND ({value}) IS NOT NULL' if partial else ''}"
    assert_none = f"SELECT count(*) AS rows_without_value FROM {relation} WHERE {column} IS NULL"
    throttle, sure = (
        (backfill.throttle(), backfill.sure)
        if backfill is not None
        else (ThrottleSettings(), False)
    )
    return Statement(
        sql=update if value is not None else assert_none,
        lock="ROW EXCLUSIVE" if value is not None else "ACCESS SHARE",
        relation=target.relation,
        transactional=False,
        fill=Fill(
            relation=relation,
            column=column,
            value=value,
            sweep=sweep,
            sure=sure,
            partial=partial,
            throttle=throttle,
        ),
        undo=(),
    )
