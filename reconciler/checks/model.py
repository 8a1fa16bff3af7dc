"""The `checks:` of the YAML files, run by `verify` beside comparing the structure."""

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
    """Map PostgreSQL's condition names to SQLSTATEs.

    psycopg's exceptions are named after the conditions, with the suffix `Ext` on a second exception
    of the same name. https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    codes: dict[str, set[str]] = {}
    for class_name, value in vars(errors).items():
        code = getattr(value, "sqlstate", None)
        if isinstance(value, type) and isinstance(code, str):
            codes.setdefault(_snake_case(class_name), set()).add(code)
    return {condition: frozenset(found) for condition, found in codes.items()}


def _snake_case(class_name: str) -> str:
    bare = class_name.rstrip("_").removesuffix("Ext")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", bare).lower()


CONDITIONS: Mapping[str, frozenset[str]] = _conditions()
ASSERTED = ("equals", "fails_with", "uses_index")
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")


class Setting(BaseModel):
    """A setting with the result of a query as the value, run before the role is set."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    query: str = Field(
        description="returns one text; runs read-only, with the rights of the user of `verify`"
    )


class Actor(BaseModel):
    """The role and the settings of an assertion.

    The role narrows what an assertion may do: the user of `verify` must be a member of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    role: str | None = Field(default=None, description="SET LOCAL ROLE")
    settings: dict[str, str | Setting] = Field(
        default_factory=dict, description="SET LOCAL: a text, or a query that returns it"
    )


class Assertion(BaseModel):
    """A query and the expected result: a value, an error or the use of an index."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(description="one SQL command")
    equals: str | int | float | bool | None = Field(
        default=None, description="the only value that it returns; null: no row, or NULL"
    )
    fails_with: str = Field(
        default="", description="a condition such as check_violation, or its SQLSTATE"
    )
    uses_index: str = Field(default="", description="an index that the query's plan reads")
    actor: Actor | None = Field(
        default=None, alias="as", description="the role and the settings it runs with"
    )
    writes: bool = Field(
        default=False,
        description="the query calls functions that write; rolled back afterwards, except the"
        " positions of sequences",
    )
    position: SkipJsonSchema[Position | None] = Field(default=None, exclude=True, repr=False)
    from_file: SkipJsonSchema[bool] = Field(default=False, exclude=True, repr=False)

    @field_validator("fails_with")
    @classmethod
    def _known(cls, value: str) -> str:
        if value in CONDITIONS or _SQLSTATE.fullmatch(value):
            return value
        near = "".join(f"; did you mean {n}?" for n in get_close_matches(value, CONDITIONS, 1))
        raise ValueError(
            f"{value!r} is neither a condition of PostgreSQL"
            f" nor a SQLSTATE of five characters{near}"
        )

    @model_validator(mode="after")
    def _one_of_three(self) -> Self:
        declared = [key for key in ASSERTED if key in self.model_fields_set]
        if len(declared) != 1:
            got = f"; got {' and '.join(declared)}" if declared else ""
            raise ValueError(f"an assertion has exactly one of: {', '.join(ASSERTED)}{got}")
        return self

    @property
    def asserts(self) -> str:
        """The key of the expected result; `equals: null` is declared as well."""
        return next(key for key in ASSERTED if key in self.model_fields_set)

    def expects(self, sqlstate: str) -> bool:
        """Compare an error with the expected condition.

        The condition of a whole class, such as 23000, expects every error of the class.
        """
        codes = CONDITIONS.get(self.fails_with, frozenset({self.fails_with}))
        return sqlstate != "" and bool(codes & {sqlstate, sqlstate[:2] + "000"})


class Check(BaseModel):
    """A named list of assertions; all must hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: str
    assertions: tuple[Assertion, ...]
    search_path: str = "public"
    position: Position | None = Field(default=None, exclude=True, repr=False)
