"""The `checks:` of the YAML files, run by `verify` beside comparing the structure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from reconciler.checks.conditions import assert_known, matches
from reconciler.errors import Position

Count = Annotated[int, Field(ge=0)]
Moment = Literal["before", "after"]
Verdict = Literal["visible", "allowed", "denied"]

# The kinds of assertions: each is declared by one of these keys. A lower and an upper bound go
# together.
ASSERTED: tuple[tuple[str, ...], ...] = (
    ("equals",),
    ("at_least", "at_most"),
    ("empty",),
    ("fails_with",),
    ("affects",),
    ("uses_index",),
    ("plan",),
    ("within",),
    ("access",),
)
KINDS = tuple(key for keys in ASSERTED for key in keys)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Computed(_Model):
    """A value that a query returns, run beforehand, without the role of the assertion."""

    query: str = Field(
        description="returns one value; runs read-only, with the rights of the user of `verify`"
    )


class Actor(_Model):
    """The role and the settings of an assertion.

    The role narrows what an assertion may do: the user of `verify` must be a member of it.
    """

    role: str | None = Field(default=None, description="SET LOCAL ROLE")
    settings: dict[str, str | Computed] = Field(
        default_factory=dict,
        description="SET LOCAL: a text, or a query that returns it. Without a row there is nobody"
        " to act as, and the assertion is vacuous",
    )


class Reference(_Model):
    """A query to compare with."""

    query: str = Field(description="one SQL command")
    actor: Actor | None = Field(
        default=None, alias="as", description="the role and the settings it runs with"
    )


class PlanBounds(_Model):
    """Bounds of a query's plan, from EXPLAIN ANALYZE with the server's own settings."""

    index_condition: str | dict[str, str] = Field(
        default_factory=dict,
        description="an index that the plan must read by an index condition; or a mapping of"
        " indexes to a text that the condition must contain",
    )
    no_seq_scan: bool | str | tuple[str, ...] = Field(
        default=(), description="tables that must not be read by a Seq Scan; true: no table at all"
    )
    rows_at_most: Count | None = Field(
        default=None, description="rows that all scans read, those that a filter removes included"
    )
    buffers_at_most: Count | None = Field(
        default=None, description="pages that the query reads, cached ones included"
    )
    calls_at_most: dict[str, Count] = Field(
        default_factory=dict,
        description="how often the plan may evaluate a function, such as that of a policy",
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            keys = ", ".join(type(self).model_fields)
            raise ValueError(f"plan has at least one of: {keys}")
        return self

    @property
    def indexes(self) -> Mapping[str, str]:
        """The indexes, each with the text that its condition must contain."""
        named = self.index_condition
        return {named: ""} if isinstance(named, str) else named

    @property
    def unscanned(self) -> tuple[str, ...] | None:
        """The tables without a Seq Scan; None for every table."""
        named = self.no_seq_scan
        if isinstance(named, bool):
            return None if named else ()
        return (named,) if isinstance(named, str) else named


class Ratio(_Model):
    """A limit relative to the time of another query, measured in turn with it."""

    ratio: float = Field(gt=0, description="how many times as long as the other query")
    to: str | Reference = Field(description="the other query")

    @property
    def reference(self) -> Reference:
        """The query to compare with; without `as` run by the same actor."""
        return self.to if isinstance(self.to, Reference) else Reference(query=self.to)


class Cells(_Model):
    """The expected result of a command on the actor's own rows, and on foreign rows."""

    own: Verdict | None = Field(default=None, description="visible, allowed or denied")
    foreign: Verdict | None = Field(default=None, description="visible, allowed or denied")
    into_foreign: Verdict | None = Field(
        default=None, description="of `update`: making own rows rows of others"
    )


class Expected(_Model):
    """A row of the matrix: an actor, and what is expected of each command."""

    actor: Actor = Field(alias="as", description="the role and the settings it acts with")
    own: str = Field(default="", description="the actor's own rows, if not those of the matrix")
    select: Verdict | Cells | None = Field(default=None, description="own and foreign, or both")
    insert: Verdict | Cells | None = Field(default=None, description="own and foreign, or both")
    update: Verdict | Cells | None = Field(default=None, description="own and foreign, or both")
    delete: Verdict | Cells | None = Field(default=None, description="own and foreign, or both")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.commands:
            raise ValueError("a row of the matrix has at least one of: select, insert, …")
        for command, cells in self.commands.items():
            word = "visible" if command == "select" else "allowed"
            found = {cells.own, cells.foreign, cells.into_foreign} - {None, word, "denied"}
            if found:
                raise ValueError(f"{command} is {word} or denied, not {', '.join(map(str, found))}")
            if command != "update" and cells.into_foreign:
                raise ValueError("into_foreign belongs to update")
        return self

    @property
    def commands(self) -> Mapping[str, Cells]:
        """The declared cells by command."""
        declared: dict[str, Verdict | Cells | None] = {
            "select": self.select,
            "insert": self.insert,
            "update": self.update,
            "delete": self.delete,
        }
        return {
            command: value if isinstance(value, Cells) else Cells(own=value, foreign=value)
            for command, value in declared.items()
            if value is not None
        }


class Access(_Model):
    """A matrix of roles, commands and rows of a table.

    Commands are run without WHERE or RETURNING: to a command that reads a column, the policies for
    SELECT apply too, and hide what the command's own policies let through.
    """

    table: str = Field(description="a table or a view")
    own: str = Field(
        description="a condition on a row: the actor's own. Subqueries in it are read with the"
        " actor's rights; settings of `as` hold what was computed beforehand"
    )
    set: str = Field(default="", description="what an UPDATE sets, to a constant: `name = 'x'`")
    into: str | tuple[str, ...] = Field(
        default=(), description="columns that say whose a row is, for `into_foreign`"
    )
    up_to_rows: Count = Field(
        default=100_000,
        description="no UPDATE or DELETE of all rows is tried in a larger table; the check is then"
        " vacuous",
    )
    expect: Annotated[tuple[Expected, ...], Field(min_length=1)] = Field(
        description="a list of actors, each with what is expected of select, insert, update, delete"
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        updates = [e.commands["update"] for e in self.expect if "update" in e.commands]
        if any(c.own or c.foreign for c in updates) and not self.set:
            raise ValueError("update needs set: what to set to which constant")
        if any(c.into_foreign for c in updates) and not self.into:
            raise ValueError("into_foreign needs into: the columns that say whose a row is")
        return self

    @property
    def owner_columns(self) -> tuple[str, ...]:
        """The columns that say whose a row is."""
        return (self.into,) if isinstance(self.into, str) else self.into


class Assertion(_Model):
    """A query and the expected result, error, effect, plan or time; or a matrix of access."""

    sql_fields: ClassVar[tuple[str, ...]] = ("query",)

    query: str = Field(default="", description="one SQL command")
    equals: str | int | float | bool | Computed | None = Field(
        default=None, description="the only value that it returns; null: no row, or NULL"
    )
    at_least: int | float | Computed | None = Field(
        default=None, description="the least value that it may return"
    )
    at_most: int | float | Computed | None = Field(
        default=None, description="the greatest value that it may return"
    )
    empty: bool | None = Field(
        default=None, description="true: it returns no row; false: it returns at least one"
    )
    fails_with: str | tuple[str, ...] = Field(
        default=(),
        description="conditions such as check_violation, or SQLSTATEs: it fails with one of them",
    )
    constraint: str = Field(
        default="", description="of `fails_with`: the constraint that refuses the row"
    )
    affects: Count | Computed | None = Field(
        default=None,
        description="rows that an INSERT, UPDATE, DELETE or MERGE writes. With WHERE or RETURNING,"
        " policies for SELECT apply too and hide what the command's own policies let through",
    )
    uses_index: str = Field(
        default="", description="an index that the plan reads, with sequential scans disabled"
    )
    plan: PlanBounds | None = Field(
        default=None, description="bounds of the plan at the data's real statistics"
    )
    within: int | float | Ratio | None = Field(
        default=None,
        description="milliseconds, or a ratio to another query; the fastest of a few runs counts",
    )
    access: Access | None = Field(
        default=None, description="who may do what to which rows of a table; without query"
    )
    actor: Actor | None = Field(
        default=None, alias="as", description="the role and the settings it runs with"
    )
    over: str = Field(
        default="",
        description="a query for the rows that the assertion is about, read with the rights of the"
        " user of `verify`",
    )
    at_least_rows: Annotated[int, Field(ge=1)] = Field(
        default=1,
        description="with fewer rows of `over`, else found by the query of `plan` and `within`, the"
        " assertion is vacuous",
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
    def _known(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        conditions = (value,) if isinstance(value, str) else value
        if not conditions:
            raise ValueError("expected at least one condition or SQLSTATE")
        for condition in conditions:
            assert_known(condition)
        return value

    @field_validator("within")
    @classmethod
    def _positive(cls, value: float | Ratio | None) -> float | Ratio | None:
        if isinstance(value, int | float) and value <= 0:
            raise ValueError(f"within is a number of milliseconds above 0, not {value:g}")
        return value

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        declared = [keys for keys in ASSERTED if self.model_fields_set.intersection(keys)]
        if len(declared) != 1:
            got = f"; got {' and '.join(keys[0] for keys in declared)}" if declared else ""
            raise ValueError(f"an assertion has exactly one of: {', '.join(KINDS)}{got}")
        self._assert_fitting()
        return self

    def _assert_fitting(self) -> None:
        """Raise ValueError for keys that do not go with the kind of assertion."""
        given, kind = self.model_fields_set, self.asserts
        if kind == "access":
            if others := given & {"query", "actor", "over", "at_least_rows", "writes"}:
                key = "as" if "actor" in others else min(others)
                raise ValueError(f"{key} does not go with access, which lists actors itself")
        elif "query" not in given:
            raise ValueError("query is missing")
        if self.constraint and kind != "fails_with":
            raise ValueError(f"constraint goes with fails_with, not with {kind}")
        if "at_least_rows" in given and not self.over and kind not in {"plan", "within"}:
            raise ValueError("at_least_rows needs over: a query for the rows to look at")

    @property
    def asserts(self) -> str:
        """The key of the expected result; `equals: null` is declared as well."""
        return next(key for key in KINDS if key in self.model_fields_set)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The expected conditions of `fails_with`."""
        return (self.fails_with,) if isinstance(self.fails_with, str) else self.fails_with

    def expects(self, sqlstate: str) -> bool:
        """Compare an error with the expected conditions."""
        return matches(sqlstate, self.conditions)

    def actors(self) -> Iterator[Actor]:
        """Yield the actors of the assertion."""
        if self.actor:
            yield self.actor
        if isinstance(self.within, Ratio) and self.within.reference.actor:
            yield self.within.reference.actor
        if self.access:
            yield from (e.actor for e in self.access.expect)


class Check(_Model):
    """A named list of assertions; all must hold.

    `apply` says when `apply` runs the check as well: before the first step, which is not run if the
    check does not pass, or after the last one.
    """

    name: str
    assertions: tuple[Assertion, ...]
    search_path: str = "public"
    apply: tuple[Moment, ...] = ()
    position: Position | None = Field(default=None, exclude=True, repr=False)
