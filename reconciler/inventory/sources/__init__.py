"""Sources of targets outside reconcile.yml: a control database, a file, a program, variables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from reconciler.environment import environment_value
from reconciler.inventory.inventory import Entry
from reconciler.inventory.source_answers import asked_once
from reconciler.inventory.sources import control, environment, file, program
from reconciler.inventory.target import NotEmpty, not_empty

FILE_VARIABLE, COMMAND_VARIABLE = "RECONCILE_INVENTORY", "RECONCILE_INVENTORY_COMMAND"


def _checked_prefix(prefix: str) -> str:
    if environment.PREFIX.fullmatch(prefix) is None:
        raise ValueError("expected a prefix such as RECONCILE_TENANT_")
    return prefix


class Sources(BaseModel):
    """The key `inventory` of reconcile.yml."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    url: NotEmpty | None = Field(
        default=None, description="the url of targets for which a source names none"
    )
    query: Annotated[str, Field(max_length=10_000), AfterValidator(not_empty)] | None = Field(
        default=None,
        description="a query that RECONCILE_CONTROL_URL answers: name, url, dbname, groups, vars",
    )
    file: Path | None = Field(default=None, description="a file of JSON beside reconcile.yml")
    environment: Annotated[str, AfterValidator(_checked_prefix)] | None = Field(
        default=None, description="the prefix of environment variables that hold URLs"
    )

    @property
    def are_there(self) -> bool:
        """Whether any source is named, here or in the environment."""
        named = (self.query, self.file, self.environment)
        return any(named) or any(map(environment_value, (FILE_VARIABLE, COMMAND_VARIABLE)))

    def read(self) -> Sequence[tuple[str, Entry]]:
        """Return the targets of all sources; raises SettingsError and ConnectionFailed.

        A command asks the sources once.
        """
        named = (environment_value(FILE_VARIABLE), environment_value(COMMAND_VARIABLE))
        return asked_once((self.model_dump_json(), *named, str(Path.cwd())), self._ask)

    def _ask(self) -> Sequence[tuple[str, Entry]]:
        found: list[tuple[str, Entry]] = []
        if self.file is not None:
            found += file.beside_settings(self.file, self.url)
        if path := environment_value(FILE_VARIABLE):
            found += file.named(Path(path), f"{FILE_VARIABLE}={path}", self.url)
        if command := environment_value(COMMAND_VARIABLE):
            found += program.printed(command, COMMAND_VARIABLE, self.url)
        if self.environment is not None:
            found += environment.with_prefix(self.environment)
        if self.query is not None:
            found += control.answered(self.query, self.url)
        return found
