"""`reconcile.yml` and the environment: which target, which folder, how long to wait."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reconciler.errors import SettingsError
from reconciler.model.reserved_names import JOURNAL
from reconciler.server.locks import LockPolicy
from reconciler.server.scratch import start_embedded

FILE = Path("reconcile.yml")
EMBEDDED = "embedded"  # the target that we start ourselves
DATABASE = "reconcile"  # its database


class TimeoutSettings(BaseModel):
    """What may be said of all targets and of each: seconds (see `execute.Patience`), and where runs are recorded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lock_timeout: float | None = Field(
        default=None, gt=0, description="seconds for one try at a lock"
    )
    retry_for: float | None = Field(
        default=None, ge=0, description="seconds for all tries of a step"
    )
    statement_timeout: float | None = Field(
        default=None, ge=0, description="seconds for what should be quick; 0: no bound"
    )
    journal: str | Literal[False] | None = Field(
        default=None, description="the schema of our record of runs; false: none"
    )

    session: dict[str, str] = Field(
        default_factory=dict, description="settings for a run, such as maintenance_work_mem"
    )


class Target(TimeoutSettings):
    """A database by name."""

    url: str = Field(
        description="a libpq URL or keyword string; ${NAME} stands for a variable of the environment"
    )


class Settings(TimeoutSettings):
    """The file `reconcile.yml`."""

    targets: dict[str, Target] = Field(default_factory=dict)
    target: str | None = Field(default=None, description="the target where no flag names one")
    state: Path = Path("desired_state")
    schemas: tuple[str, ...] = ()
    scratch: str = "auto"


@dataclass(frozen=True)
class ResolvedTarget:
    """The database to work on: its URL, how long to wait there, and the schema in which runs are recorded, if any."""

    url: str
    patience: LockPolicy
    journal: str | None = JOURNAL


def read(file: Path = FILE) -> Settings:
    """Read the settings; an absent file is an empty one. Raises SettingsError."""
    if not file.exists():
        return Settings()
    try:
        return Settings.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise SettingsError(f"{file}: {e}") from None
    except ValidationError as e:
        wrong = (
            f"{file}: {'.'.join(map(str, x['loc'])) or 'the file'}: {x['msg']}" for x in e.errors()
        )
        raise SettingsError("\n".join(wrong)) from None


def resolve_target(settings: Settings, given: str | None) -> ResolvedTarget:
    """The target that a flag, else DATABASE_URL, else the file, else libpq's PG* variables name."""
    chosen = given or os.environ.get("DATABASE_URL") or settings.target
    if not chosen and not any(
        v in os.environ for v in ("PGHOST", "PGDATABASE", "PGSERVICE", "PGHOSTADDR", "PGPORT")
    ):
        raise SettingsError(
            "no target: --target NAME or URL (or `embedded`), DATABASE_URL, PGHOST …, or `target:` in reconcile.yml"
        )
    named = settings.targets.get(chosen or "")
    if named:
        url = os.path.expandvars(named.url)
        if unset := re.findall(r"\$\{(\w+)\}", url):
            raise SettingsError(f"target {chosen}: the environment has no {', '.join(unset)}")
    elif chosen == EMBEDDED:
        url = start_embedded("target").database(DATABASE)
    elif chosen and "=" not in chosen and "://" not in chosen:
        known = ", ".join([*settings.targets, EMBEDDED])
        raise SettingsError(f"target {chosen!r} is neither a URL nor one of: {known}")
    else:
        url = chosen or ""
    return ResolvedTarget(url, _patience(settings, named), _journal(settings, named))


def _journal(settings: Settings, target: Target | None) -> str | None:
    for said in (target.journal if target else None, settings.journal):
        if said is not None:
            return said or None
    return JOURNAL


def _patience(settings: Settings, target: Target | None) -> LockPolicy:
    def first(field: str, default: float) -> float:
        given = (getattr(w, field) for w in (target, settings) if w is not None)
        return next((float(v) for v in given if v is not None), default)

    usual = LockPolicy()
    session = {**settings.session, **(target.session if target else {})}
    waits = (
        first("lock_timeout", usual.lock),
        first("retry_for", usual.total),
        first("statement_timeout", usual.statement),
    )
    return LockPolicy(*waits, session)
