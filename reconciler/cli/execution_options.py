"""The options of commands that run a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import click

from reconciler.cli.journal_options import (
    HAZARD_NAMES,
    HAZARDS,
    journal_option,
    journal_owner_option,
)
from reconciler.cli.numbers import Number
from reconciler.cli.options import collected, set_option, with_session
from reconciler.cli.permitting import PermissionOptions
from reconciler.errors import SettingsError
from reconciler.journal.ownership import Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.server.locks import LockPolicy
from reconciler.settings import ResolvedTarget

WAITS = LockPolicy()  # the defaults


@dataclass(frozen=True)
class ExecutionOptions:
    """Permissions, timeouts in seconds, and the journal of a run."""

    allow: tuple[str, ...]
    lock_timeout: float | None
    retry_for: float | None
    statement_timeout: float | None
    session: tuple[str, ...]
    yes: bool
    check: bool
    journal: str | None
    journal_owner: str | None
    no_journal: bool
    quiet: bool
    verbose: bool

    def override(self, target: ResolvedTarget) -> ResolvedTarget:
        """Return the target with the options' timeouts, session settings and journal."""
        if self.journal and self.no_journal:
            raise SettingsError("--journal and --no-journal contradict each other")
        journal = None if self.no_journal else self.journal or target.journal
        return replace(target, lock_policy=self._lock_policy(target.lock_policy), journal=journal)

    def place(self, target: ResolvedTarget) -> Place | None:
        """Return the place of the target's journal, None for no journal."""
        return self._place(target.journal, target) if target.journal else None

    def place_to_read(self, configured: ResolvedTarget) -> Place:
        """Return the place of the journal of earlier runs, also if the next is not recorded."""
        return self._place(self.journal or configured.journal or JOURNAL, configured)

    def _place(self, schema: str, target: ResolvedTarget) -> Place:
        return Place(schema, self.journal_owner or "", target.run_target)

    def _lock_policy(self, policy: LockPolicy) -> LockPolicy:
        seconds = {
            "lock": self.lock_timeout,
            "total": self.retry_for,
            "statement": self.statement_timeout,
        }
        timeouts = {field: value for field, value in seconds.items() if value is not None}
        return replace(with_session(policy, self.session), **timeouts)


def reading_execution(
    session: Sequence[str] = (), permission: PermissionOptions | None = None, role: str = ""
) -> ExecutionOptions:
    """Return the options of a command over several targets that runs no plan."""
    allowed = permission or PermissionOptions((), None, None)
    return ExecutionOptions(
        allow=allowed.allow,
        lock_timeout=None,
        retry_for=None,
        statement_timeout=None,
        session=tuple(session),
        yes=False,
        check=False,
        journal=allowed.journal,
        journal_owner=allowed.journal_owner or role,
        no_journal=False,
        quiet=False,
        verbose=False,
    )


allow_option = click.option(
    "--allow",
    metavar="HAZARD",
    multiple=True,
    type=HAZARDS,
    help="Run steps with this hazard; can be repeated. approvals.yml beside reconcile.yml lets"
    " single ones through, by lines that `plan` shows." + HAZARD_NAMES,
)


execution_options = collected(
    "execution",
    ExecutionOptions,
    allow_option,
    click.option(
        "--lock-timeout",
        metavar="SECONDS",
        type=Number(min=0, min_open=True),
        help="How long one attempt waits for a lock. Default: `lock_timeout` of reconcile.yml,"
        f" else {WAITS.lock:g}.",
    ),
    click.option(
        "--retry-for",
        metavar="SECONDS",
        type=Number(min=0),
        help="How long a step that got no lock is tried again. Default: `retry_for` of"
        f" reconcile.yml, else {WAITS.total:g}.",
    ),
    click.option(
        "--statement-timeout",
        metavar="SECONDS",
        type=Number(min=0),
        help="How long a statement that scans no table may run; 0 for no limit."
        f" Default: `statement_timeout` of reconcile.yml, else {WAITS.statement:g}.",
    ),
    set_option,
    click.option("--yes", is_flag=True, help="Run the plan without asking."),
    click.option(
        "--check",
        is_flag=True,
        help="Show the plan and what would refuse to run it, and run nothing.",
    ),
    journal_option,
    journal_owner_option,
    click.option("--no-journal", is_flag=True, help="Do not record the run."),
    click.option(
        "--quiet",
        "-q",
        is_flag=True,
        help="Show no progress, and with --yes no plan: only notes, failures and the recap.",
    ),
    click.option("--verbose", "-v", is_flag=True, help="Show the SQL of each step as it begins."),
)
