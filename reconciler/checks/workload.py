"""The `workload:` of the YAML files: the queries that `bench` measures."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from reconciler.checks.model import Actor, Computed
from reconciler.errors import Position


class Query(BaseModel):
    """A query of an application, with the role and the settings that the application has."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(description="one SQL command; $1, $2, … stand for the parameters")
    parameters: tuple[str | Computed, ...] = Field(
        default=(), description="the values of $1, $2, …: a text, or a query that returns it"
    )
    actor: Actor | None = Field(
        default=None, alias="as", description="the role and the settings it runs with"
    )
    weight: float = Field(
        default=1.0, gt=0, description="how often it runs, compared with the other queries"
    )
    promise: float | None = Field(
        default=None, le=100, description="per cent of the time that the declared state saves"
    )
    replaces: str = Field(
        default="",
        description="the query whose place it takes in the declared state; that one runs before,"
        " and wherever this one cannot",
    )
    name: SkipJsonSchema[str] = Field(default="", exclude=True)
    search_path: SkipJsonSchema[str] = Field(default="public", exclude=True)
    position: SkipJsonSchema[Position | None] = Field(default=None, exclude=True, repr=False)
