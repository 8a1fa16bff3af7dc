"""Define the keys of reconcile.yml about one database, or about all databases."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    field_validator,
)

from reconciler.model.names import MAX_NAME_BYTES
from reconciler.model.variables import MAX_VARIABLES, fault_of

EVERY = "all"  # the group of all targets
EMBEDDED = "embedded"  # the target on a server that reconcile starts itself
NAME = re.compile(r"[\w.-]{1,63}")
_NOT_IN_NAME = re.compile(r"[\x00-\x1f\x7f=]|://")  # libpq reads such a text as a URL


def fault_of_name(name: str) -> str:
    """Return what is wrong with the name of a target or group, "" if nothing is.

    Names are shown in messages and matched by --limit; the reserved words would be taken for them.
    """
    if NAME.fullmatch(name) is None:
        return "a name has 1 to 63 letters, digits, underscores, hyphens and dots"
    if name == EVERY:
        return f"{EVERY} is the group of all targets: choose another"
    if name == EMBEDDED:
        return f"{EMBEDDED} is the target on a server that reconcile starts: choose another"
    return ""


def not_empty(text: str) -> str:
    """Return the text; raises ValueError for empty text."""
    if not text.strip():
        raise ValueError("empty text: leave the key out, or give a value")
    return text


def _checked_variables(values: dict[str, Value]) -> dict[str, Value]:
    if len(values) > MAX_VARIABLES:
        raise ValueError(f"more than {MAX_VARIABLES} variables")
    for name, value in values.items():
        if fault := fault_of(name, value):
            raise ValueError(fault)
    return values


def _checked_database(name: str) -> str:
    if not 0 < len(name.encode(errors="replace")) <= MAX_NAME_BYTES or _NOT_IN_NAME.search(name):
        raise ValueError(f"expected the name of a database, of at most {MAX_NAME_BYTES} bytes")
    return name


NotEmpty = Annotated[str, AfterValidator(not_empty)]
Value = StrictStr | StrictInt | StrictBool
Variables = Annotated[dict[str, Value], AfterValidator(_checked_variables)]
DatabaseName = Annotated[str, AfterValidator(_checked_database)]


class TimeoutSettings(BaseModel):
    """Timeouts in seconds, session settings and the journal, for all targets or for each."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    lock_timeout: float | None = Field(
        default=None, gt=0, description="how long one attempt waits for a lock"
    )
    retry_for: float | None = Field(
        default=None, ge=0, description="how long a step that got no lock is tried again"
    )
    statement_timeout: float | None = Field(
        default=None,
        ge=0,
        description="how long a statement that scans no table may run; 0: no limit",
    )
    journal: str | Literal[False] | None = Field(
        default=None, description="the schema that records the runs; false: none"
    )
    session: dict[str, str] = Field(
        default_factory=dict, description="settings for a run, such as maintenance_work_mem"
    )

    @field_validator("journal")
    @classmethod
    def _no_boolean_of_yaml_1_1(cls, journal: str | Literal[False] | None) -> object:
        if str(journal) in ("no", "No", "NO", "off", "Off", "OFF"):
            raise ValueError("write false for no journal")
        if isinstance(journal, str):
            not_empty(journal)
        return journal


class Target(TimeoutSettings):
    """A database with a name."""

    url: NotEmpty = Field(
        description="a libpq URL or keyword string, or ${NAME} for one in an environment variable"
    )
    dbname: DatabaseName | None = Field(
        default=None, description="the database, in place of that of the url"
    )
    vars: Variables = Field(
        default_factory=dict, description="variables for the declaration, over those of groups"
    )
