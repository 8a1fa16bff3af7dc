"""Settings in `reconcile.yml` and the environment: targets, folder, timeouts, journal.

A flag overrides the environment, and the environment overrides the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal

from psycopg.conninfo import make_conninfo
from pydantic import Field, PrivateAttr, ValidationError, field_validator
from pydantic_core import ErrorDetails

from reconciler.environment import environment_value
from reconciler.errors import (
    Findings,
    Position,
    Problem,
    SettingsError,
    TooManyProblems,
    summarized,
)
from reconciler.fleet.batches import RolloutSettings
from reconciler.inventory.group import Fault, Group, faults
from reconciler.inventory.inventory import Inventory, assembled
from reconciler.inventory.sources import Sources
from reconciler.inventory.target import (
    EMBEDDED,
    NAME,
    NotEmpty,
    Target,
    TimeoutSettings,
    Value,
    Variables,
)
from reconciler.journal.run_target import RunTarget
from reconciler.lint.settings import LintSettings
from reconciler.model.reserved_names import JOURNAL
from reconciler.project_files import SETTINGS_FILE, STATE_FOLDER
from reconciler.server.locks import LockPolicy
from reconciler.server.redaction import is_url
from reconciler.server.scratch import OWN
from reconciler.server.trust import without_credentials

if TYPE_CHECKING:
    from reconciler.declare.nodes import Node

FILE = SETTINGS_FILE
DATABASE_VARIABLE = "DATABASE_URL"
KEY = "RECONCILE_PLAN_KEY"  # signs saved plans; never printed
MIN_KEY = 32  # characters
EMBEDDED_DATABASE = "reconcile"
LIBPQ_VARIABLES = ("PGHOST", "PGDATABASE", "PGSERVICE", "PGHOSTADDR", "PGPORT")
MAX_SHOWN = 50  # names of targets
_VARIABLE = re.compile(r"\$\{(RECONCILE_\w+|\w+_URL)\}")


class Settings(TimeoutSettings):
    """The file `reconcile.yml`."""

    targets: dict[str, Target] = Field(default_factory=dict)
    groups: dict[str, Group] = Field(default_factory=dict)
    vars: Variables = Field(default_factory=dict, description="variables of all targets")
    inventory: Sources = Field(default_factory=Sources, description="further targets")
    target: NotEmpty | None = Field(default=None, description="the target without --target")
    state: Path = STATE_FOLDER
    schemas: tuple[NotEmpty, ...] = ()
    scratch: str = "auto"
    lint: LintSettings = Field(default_factory=LintSettings)
    rollout: RolloutSettings = Field(default_factory=RolloutSettings)
    _inventories: dict[bool, Inventory] = PrivateAttr(default_factory=dict[bool, Inventory])
    _lock: Lock = PrivateAttr(default_factory=Lock)

    @field_validator("scratch")
    @classmethod
    def _not_a_server_with_other_data(cls, scratch: str) -> str:
        if scratch not in OWN:
            raise ValueError(
                f"expected {', '.join(sorted(OWN))}; declared SQL runs with a role's rights on"
                " other servers: name one by --scratch or RECONCILE_SCRATCH"
            )
        return scratch

    def all_targets(self) -> Inventory:
        """Return the targets of the file and of the other sources, which are read once.

        Raises SettingsError and ConnectionFailed.
        """
        return self._assembled(complete=True)

    def find_target(self, name: str) -> Target | None:
        """Return a target by name; other sources are read only if the file has no such target."""
        if name in self.targets or not name or not self.inventory.are_there:
            return self.targets.get(name)
        entry = self.all_targets().entries.get(name)
        return entry.target if entry else None

    def variables_of(self, name: str) -> Mapping[str, Value]:
        """Return the variables of a target by name, or of a target without a name ("")."""
        complete = name not in self.targets
        return self._assembled(complete=complete).variables_of(name) if name else self.vars

    def _assembled(self, *, complete: bool) -> Inventory:
        """Return the targets, without those of other sources unless `complete`."""
        with self._lock:
            if complete not in self._inventories:
                further = self.inventory.read() if complete else None
                found = assembled(self.targets, self.groups, self.vars, further)
                self._inventories[complete] = found
            return self._inventories[complete]

    def state_folder(self) -> Path:
        """Return the folder of the state, which is a folder below that of reconcile.yml.

        The folder bounds what the YAML files may read. Raises SettingsError.
        """
        try:
            below = FILE.parent.resolve() in self.state.resolve().parents
        except (OSError, RuntimeError):  # a loop of links, or no working directory
            below = False
        if not below or self.state.is_file():
            raise SettingsError(
                f"{self.state} is no folder below that of {FILE}: name others by --state"
            )
        return self.state


@dataclass(frozen=True)
class ResolvedTarget:
    """The URL of a database, the waits there, the journal's schema (None: no journal), variables.

    `variables` are those that a declaration may use. `name` is that of reconcile.yml, or "".
    """

    url: str
    lock_policy: LockPolicy
    journal: str | None = JOURNAL
    variables: Mapping[str, Value] = field(default_factory=dict[str, Value])
    name: str = ""

    @property
    def run_target(self) -> RunTarget:
        """The target as journals record it."""
        return RunTarget(self.name, self.variables)

    def with_variables(self, given: Mapping[str, Value]) -> ResolvedTarget:
        """Return the target with these variables over its own."""
        return replace(self, variables={**self.variables, **given})


def read(file: Path = FILE) -> Settings:
    """Read the settings; an absent file is empty. Raises SettingsError."""
    if not os.path.lexists(file):
        return Settings()
    from reconciler.declare.files import files_in_folder  # noqa: PLC0415 - as the next
    from reconciler.declare.nodes import plain  # noqa: PLC0415 - as the next
    from reconciler.declare.parse import documents  # noqa: PLC0415 - slow to import

    problems: list[Problem] = Findings()
    nodes: list[Node] = []
    with suppress(TooManyProblems):
        nodes = documents(file, problems, files_in_folder(file.parent))
    if len(nodes) > 1:
        problems.append(Problem("expected one document", nodes[1].position))
    if not problems:
        try:
            found = Settings.model_validate(plain(nodes[0]) or {} if nodes else {})
            of_groups = faults(found.targets, found.groups, complete=not found.inventory.are_there)
            problems += [_problem(f, nodes[0]) for f in of_groups]
            if not problems:
                return found
        except ValidationError as error:
            problems += [_problem(_fault(mistake), nodes[0]) for mistake in error.errors()]
    raise SettingsError(summarized([_without_line(p) for p in problems]))


def _fault(mistake: ErrorDetails) -> Fault:
    unknown = mistake["type"] in ("extra_forbidden", "unexpected_keyword_argument")
    message = "unknown key" if unknown else mistake["msg"].removeprefix("Value error, ")
    return Fault(mistake["loc"], message)


def _problem(fault: Fault, node: Node) -> Problem:
    """Make the problem of a key, at the innermost node on the path of the fault."""
    from reconciler.declare.nodes import Entries, Items  # noqa: PLC0415 - slow to import

    keys: list[str] = []
    position = node.position
    for step in fault.path:
        keys.append(str(step) if NAME.fullmatch(str(step)) else "…")
        if isinstance(node, Entries) and step in node.entries:
            entry = node.entries[str(step)]
            node, position = entry.node, entry.position
        elif isinstance(node, Items) and isinstance(step, int):
            node = node.items[step]
            position = node.position
    return Problem(f"{'.'.join(keys) or 'the file'}: {fault.message}", position)


def _without_line(problem: Problem) -> Problem:
    """Leave out the line of the file, which may hold a password."""
    at = problem.position
    return replace(problem, position=at and Position(at.file, at.line, at.column))


def plan_key() -> bytes | None:
    """Return the key that signs saved plans, None without one; raises SettingsError."""
    key = environment_value(KEY)
    if key is None:
        return None
    if len(key) < MIN_KEY:
        raise SettingsError(
            f"{KEY} is shorter than {MIN_KEY} characters: `openssl rand -hex 32` makes a key"
        )
    return os.fsencode(key)


def resolve_target(settings: Settings, flag: str | None) -> ResolvedTarget:
    """Resolve the target of --target, DATABASE_URL, the file or libpq's PG* variables.

    The first of these sources decides. Raises SettingsError for an unknown name or no source.
    """
    own_choice = flag or environment_value(DATABASE_VARIABLE)
    choice = own_choice or settings.target or ""
    named = not is_url(choice) and choice != EMBEDDED
    target = settings.find_target(choice) if named else None
    if target is not None:
        url = _from_file(target.url, f"target {choice}")
        if target.dbname is not None:
            url = make_conninfo(url, dbname=target.dbname)
    elif choice == EMBEDDED:
        from reconciler.server.kept import start_embedded  # noqa: PLC0415 - slow to import

        url = start_embedded("target").database(EMBEDDED_DATABASE)
    elif not own_choice and choice and not NAME.fullmatch(choice):
        url = _from_file(choice, "target")
    else:
        url = _checked_url(choice, settings)
    sources = (settings,) if target is None else (settings, target)
    name = choice if target is not None else ""
    variables = settings.variables_of(name)
    return ResolvedTarget(url, _lock_policy(*sources), _journal(*sources), variables, name)


def _from_file(url: str, title: str) -> str:
    """Return the URL that reconcile.yml writes or takes from a variable; no message shows it."""
    variable = _VARIABLE.fullmatch(url)
    if variable is None:
        if "${" in url:
            raise SettingsError(
                f"{title}: ${{NAME}} stands for a whole URL, not for a part of one, and only for"
                " variables RECONCILE_… and …_URL"
            )
        return without_credentials(url, title)
    value = os.environ.get(variable[1])
    if not value:
        raise SettingsError(f"{title}: the environment has no {variable[1]}")
    if not is_url(value):
        raise SettingsError(f"{title}: {variable[1]} holds no URL")
    return value


def _checked_url(url: str, settings: Settings) -> str:
    """Return the URL or keyword string, or "" to leave the connection to libpq's variables.

    No message shows the text, which may be a URL with a mistake and a password.
    """
    if not url and not any(variable in os.environ for variable in LIBPQ_VARIABLES):
        raise SettingsError(
            "no target: --target NAME or URL (or `embedded`), DATABASE_URL, PGHOST …,"
            " or `target:` in reconcile.yml"
        )
    if url in settings.groups or (url and not is_url(url) and url in settings.all_targets().groups):
        raise SettingsError(f"{url} is a group of targets: --limit {url} selects them")
    if url and not is_url(url):
        names = [*settings.all_targets().entries, EMBEDDED]
        nearest = get_close_matches(url, names, 1)
        suggestion = f"did you mean {nearest[0]}? " if nearest else ""
        known = ", ".join(names[:MAX_SHOWN] + ["…"] * (len(names) > MAX_SHOWN))
        raise SettingsError(
            f"the target is neither a URL nor a known name; {suggestion}known: {known}"
        )
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
