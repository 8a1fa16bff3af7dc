"""The keys of reconcile.yml about one database, or about all of them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

NAME = re.compile(r"[\w.-]{1,63}")  # of a target or group; shown in messages, matched by --limit


class TimeoutSettings(BaseModel):
    """Timeouts in seconds, session settings and the journal, for all targets or for each."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

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
        return journal


class Target(TimeoutSettings):
    """A database with a name."""

    url: str = Field(
        description="a libpq URL or keyword string, or ${NAME} for one in an environment variable"
    )
