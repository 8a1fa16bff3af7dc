"""Settings in `reconcile.yml` and the environment: targets, folder, timeouts, journal.

A flag overrides the environment, and the environment overrides the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.errors import SettingsError
from reconciler.model.reserved_names import JOURNAL
from reconciler.server.kept import start_embedded
from reconciler.server.locks import LockPolicy

FILE = Path("reconcile.yml")
EMBEDDED = "embedded"  # the name of the target on a server that reconcile starts itself
EMBEDDED_DATABASE = "reconcile"
LIBPQ_VARIABLES = ("PGHOST", "PGDATABASE", "PGSERVICE", "PGHOSTADDR", "PGPORT")


class TimeoutSettings(BaseModel):
    """Timeouts in seconds, session settings and the journal, for all targets or for each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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


class Target(TimeoutSettings):
    """A database with a name."""

    url: str = Field(
        description="a libpq URL or keyword string; ${NAME} is replaced by the environment variable"
    )


class Settings(TimeoutSettings):
    """The file `reconcile.yml`."""

    targets: dict[str, Target] = Field(default_factory=dict)
    target: str | None = Field(default=None, description="the target without --target")
    state: Path = Path("desired_state")
    schemas: tuple[str, ...] = ()
    scratch: str = "auto"


@dataclass(frozen=True)
class ResolvedTarget:
    """The URL of a database, the waits there, and the journal's schema (None: no journal)."""

    url: str
    lock_policy: LockPolicy
    journal: str | None = JOURNAL


def read(file: Path = FILE) -> Settings:
    """Read the settings; an absent file is empty. Raises SettingsError."""
    if not file.exists():
        return Settings()
    try:
        return Settings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from None
    except ValidationError as error:
        mistakes = (
            f"{file}: {'.'.join(map(str, mistake['loc'])) or 'the file'}: {mistake['msg']}"
            for mistake in error.errors()
        )
        raise SettingsError("\n".join(mistakes)) from None


def resolve_target(settings: Settings, flag: str | None) -> ResolvedTarget:
    """Resolve the target of --target, DATABASE_URL, the file or libpq's PG* variables.

    The first of these sources decides. Raises SettingsError for an unknown name or no source.
    """
    choice = flag or os.environ.get("DATABASE_URL") or settings.target or ""
    target = settings.targets.get(choice)
    if target is not None:
        url = _expand_variables(target.url, choice)
    elif choice == EMBEDDED:
        url = start_embedded("target").database(EMBEDDED_DATABASE)
    else:
        url = _checked_url(choice, settings.targets)
    sources = (settings,) if target is None else (settings, target)
    return ResolvedTarget(url, _lock_policy(*sources), _journal(*sources))


def _expand_variables(url: str, target: str) -> str:
    expanded = os.path.expandvars(url)
    if unset := re.findall(r"\$\{(\w+)\}", expanded):
        raise SettingsError(f"target {target}: the environment has no {', '.join(unset)}")
    return expanded


def _checked_url(url: str, targets: Mapping[str, Target]) -> str:
    """Return the URL or keyword string, or "" to leave the connection to libpq's variables."""
    if not url and not any(variable in os.environ for variable in LIBPQ_VARIABLES):
        raise SettingsError(
            "no target: --target NAME or URL (or `embedded`), DATABASE_URL, PGHOST …,"
            " or `target:` in reconcile.yml"
        )
    if url and "=" not in url and "://" not in url:
        known = ", ".join([*targets, EMBEDDED])
        raise SettingsError(f"target {url!r} is neither a URL nor one of: {known}")
    return url


def _journal(*sources: TimeoutSettings) -> str | None:
    """Return the last source's journal; None where the journal is switched off."""
    journal: str | Literal[False] = JOURNAL
    for source in sources:
        if source.journal is not None:
            journal = source.journal
    return journal or None


def _lock_policy(*sources: TimeoutSettings) -> LockPolicy:
    """Apply the sources' timeouts and session settings, the last source winning."""
    policy = LockPolicy()
    for source in sources:
        policy = replace(
            policy,
            lock=_first(source.lock_timeout, policy.lock),
            total=_first(source.retry_for, policy.total),
            statement=_first(source.statement_timeout, policy.statement),
            session={**policy.session, **source.session},
        )
    return policy


def _first(seconds: float | None, default: float) -> float:
    return default if seconds is None else seconds
