"""What `verify` asserts beside the structure: the `checks:` of the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar, Self

from psycopg import errors
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from reconciler.errors import Position


def _conditions() -> dict[str, frozenset[str]]:
    """PostgreSQL's names of conditions → SQLSTATEs, from psycopg's exceptions, which are named after them.

    psycopg ends a name that is there twice in `Ext`.
    """
    found: dict[str, set[str]] = {}
    for name, value in vars(errors).items():
        code = getattr(value, "sqlstate", None)
        if isinstance(value, type) and isinstance(code, str):
            words = re.sub(r"(?<!^)(?=[A-Z])", "_", name.rstrip("_").removesuffix("Ext")).lower()
            found.setdefault(words, set()).add(code)
    return {name: frozenset(codes) for name, codes in found.items()}


CONDITIONS: Mapping[str, frozenset[str]] = _conditions()
ASSERTED = ("equals", "fails_with", "uses_index")
_CODE = re.compile(r"[0-9A-Z]{5}")


class Setting(BaseModel):
    """A setting whose value a query returns, asked before the role is taken on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    query: str = Field(description="returns one text; it sees what the one who verifies may see")


class Actor(BaseModel):
    """As whom an assertion runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str | None = Field(default=None, description="SET LOCAL ROLE")
    settings: dict[str, str | Setting] = Field(
        default_factory=dict, description="SET LOCAL: a text, or a query that returns it"
    )


class Assertion(BaseModel):
    """A query and the one thing that is said of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(description="one SQL command")
    equals: str | int | float | bool | None = Field(
        default=None, description="the one value that it returns; null: no row, or NULL"
    )
    fails_with: str = Field(
        default="", description="a condition such as check_violation, or its SQLSTATE"
    )
    uses_index: str = Field(default="", description="an index that its plan reads")
    actor: Actor | None = Field(
        default=None, alias="as", description="the role and the settings it runs with"
    )
    position: SkipJsonSchema[Position | None] = Field(default=None, exclude=True, repr=False)

    @field_validator("fails_with")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in CONDITIONS or _CODE.fullmatch(value):
            return value
        near = "".join(f"; did you mean {n}?" for n in get_close_matches(value, CONDITIONS, 1))
        raise ValueError(
            f"{value!r} is neither a condition of PostgreSQL nor a SQLSTATE of five characters{near}"
        )

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        given = [f for f in ASSERTED if f in self.model_fields_set]
        if len(given) != 1:
            raise ValueError(
                f"an assertion has exactly one of: {', '.join(ASSERTED)}"
                + (f"; got {' and '.join(given)}" if given else "")
            )
        return self

    @property
    def asserts(self) -> str:
        """Which of the three it says: `equals: null` says something too."""
        return next(f for f in ASSERTED if f in self.model_fields_set)

    def expects(self, sqlstate: str) -> bool:
        """Whether a failure is the expected one; a class of conditions, such as 23000, stands for all in it."""
        codes = CONDITIONS.get(self.fails_with, frozenset({self.fails_with}))
        return sqlstate != "" and any(c in (sqlstate, sqlstate[:2] + "000") for c in codes)


class Check(BaseModel):
    """Assertions under one name; it holds when all of them do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    assertions: tuple[Assertion, ...]
    search_path: str = "public"
    position: Position | None = Field(default=None, exclude=True, repr=False)
