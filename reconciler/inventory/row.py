"""Read the target of a source outside reconcile.yml, and make a Target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from psycopg import conninfo
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from reconciler.errors import SettingsError
from reconciler.inventory.inventory import Entry
from reconciler.inventory.target import DatabaseName, Target, Variables, fault_of_name, not_empty

MAX_ROWS = 10_000
MAX_GROUPS = 100  # of a target
_MAX_URL = 2_000  # characters
_SHOWN = 5  # faults


def _checked_name(name: str) -> str:
    if message := fault_of_name(name):
        raise ValueError(message)
    return name


RowName = Annotated[str, AfterValidator(_checked_name)]


class Row(BaseModel):
    """A target of a file, a program or a control database."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    name: RowName
    url: str | None = Field(default=None, max_length=_MAX_URL)
    host: str | None = Field(default=None, max_length=255)
    port: int | None = Field(default=None, ge=1, le=65_535)
    user: str | None = Field(default=None, max_length=63)
    dbname: DatabaseName | None = None
    groups: tuple[RowName, ...] = Field(default=(), max_length=MAX_GROUPS)
    vars: Variables = Field(default_factory=dict)

    @field_validator("url", "host", "user")
    @classmethod
    def _not_empty(cls, text: str | None) -> str | None:
        return None if text is None else not_empty(text)

    def target(self, base: str | None) -> Target:
        """Return the target; `base` is the URL of rows without a server.

        What a row says of a server replaces all of the base, so that the base's password goes to
        no other server. Raises ValueError.
        """
        server = {"host": self.host, "port": self.port, "user": self.user}
        named = {k: v for k, v in server.items() if v is not None}
        if self.url is not None and named:
            raise ValueError(f"{', '.join(named)}: part of the url that is there too")
        if named and self.host is None:
            raise ValueError(f"{', '.join(named)} without host")
        if "$" in (self.url or ""):
            raise ValueError("a url names no environment variable here")
        if named:
            url = conninfo.make_conninfo("", **named)
        else:
            url = self.url if self.url is not None else base
        if url is None:
            raise ValueError("neither url nor host, and `inventory` has no url")
        return Target(url=url, dbname=self.dbname, vars=self.vars)


_ROWS = TypeAdapter(tuple[Row, ...])


def rows_of_json(content: bytes, source: str, base: str | None) -> list[tuple[str, Entry]]:
    """Read a JSON list of targets; raises SettingsError without values of the list."""
    try:
        found = _ROWS.validate_json(content)
    except ValidationError as error:
        raise SettingsError(f"{source}: {_faults(error)}") from None
    if len(found) > MAX_ROWS:
        raise SettingsError(f"{source}: more than {MAX_ROWS:,} targets")
    return [*_as_entries(found, source, base)]


def _as_entries(found: Sequence[Row], source: str, base: str | None) -> Iterator[tuple[str, Entry]]:
    for row in found:
        try:
            yield row.name, Entry(row.target(base), source, row.groups)
        except ValueError as error:
            raise SettingsError(f"{source}: target {row.name}: {error}") from None


def _faults(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return "; ".join([*map(_fault, found[:_SHOWN]), *more])


def _fault(fault: Any) -> str:
    steps = [s if isinstance(s, int) else str(s) for s in fault["loc"]]
    known = [str(s) if isinstance(s, int) or s in Row.model_fields else "…" for s in steps]
    message = "unknown key" if fault["type"] == "extra_forbidden" else fault["msg"]
    return f"{'.'.join(known) or 'the list'}: {message.removeprefix('Value error, ')[:200]}"
