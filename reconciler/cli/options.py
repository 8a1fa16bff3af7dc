"""Options of several commands; a group of options reaches a command as a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import Any

import click

from reconciler import settings
from reconciler.cache import OPTION, SWITCH
from reconciler.checks import access
from reconciler.checks.session import SECONDS, Terms
from reconciler.cli.output import DEFAULT_FORMAT, print_in_format, write_file
from reconciler.errors import SettingsError
from reconciler.escape import Document
from reconciler.journal.ownership import FLAG, VARIABLE, Place
from reconciler.model.reserved_names import JOURNAL
from reconciler.model.state import Declaration
from reconciler.model.statement import HazardKind
from reconciler.report.formats import Subject, renderers
from reconciler.server.locks import LockPolicy
from reconciler.settings import ResolvedTarget

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
WAITS = LockPolicy()  # the defaults


def _options(*options: Decorator) -> Decorator:
    """Return a decorator to add options to a command, in the order of --help."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def collected(parameter: str, group: type[Any], *options: Decorator) -> Decorator:
    """Return a decorator to add options, and to pass the values on as a `group`."""

    def add(command: Command) -> Command:
        @wraps(command)  # click keeps a command's options as an attribute of the function
        def collect(**values: Any) -> Any:
            values[parameter] = group(**{f.name: values.pop(f.name) for f in fields(group)})
            return command(**values)

        return _options(*options)(collect)

    return add


target_option = click.option(
    "--target",
    "-t",
    help="The database: a name from reconcile.yml, a URL, or `embedded` for a server that"
    " reconcile starts. Default: DATABASE_URL, else `target` of reconcile.yml, else PGHOST etc.",
)


scratch_option = click.option(
    "--scratch",
    metavar="embedded|installed|target|URL",
    envvar="RECONCILE_SCRATCH",
    help="The server on which plans are tried out first. Default: RECONCILE_SCRATCH, else `scratch`"
    " of reconcile.yml (`embedded` or `installed`),"
    " else an embedded PostgreSQL, else one that is installed on this machine.",
)


set_option = click.option(
    "--set",
    "session",
    multiple=True,
    metavar="NAME=VALUE",
    help="A PostgreSQL setting for all that the command does in the database, such as"
    " maintenance_work_mem=1GB; can be repeated.",
)


def start_option(meaning: str) -> Decorator:
    """Return the option --start for files of SQL; `meaning` ends the help text."""
    return click.option(
        "--start",
        "scripts",
        metavar="FILE",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help=f"A file of SQL that makes the database before, on an embedded server; can be"
        f" repeated. {meaning}",
    )


state_option = click.option(
    "--state",
    "-s",
    type=click.Path(path_type=Path),
    help="The folder of YAML files. Default: `state` of reconcile.yml, else desired_state.",
)


files_root_option = click.option(
    "--files-root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    envvar="RECONCILE_FILES_ROOT",
    help="A further folder from which the YAML files may take SQL, besides the state folder, by"
    " `body_file` and `query_file`. Default: RECONCILE_FILES_ROOT.",
)


@dataclass(frozen=True)
class ReadingOptions:
    """The database to read, and PostgreSQL's settings."""

    target: str | None
    session: Sequence[str] = ()

    def resolve(self) -> ResolvedTarget:
        """Return the target with the settings."""
        target = settings.resolve_target(settings.read(), self.target)
        return replace(target, lock_policy=_with_session(target.lock_policy, self.session))


reading_options = collected("reading", ReadingOptions, target_option, set_option)


allow_option = click.option(
    "--allow",
    multiple=True,
    type=click.Choice([*(hazard.value for hazard in HazardKind), "all"]),
    help="Run steps with this hazard, or with any (all); can be repeated.",
)


journal_option = click.option(
    "--journal",
    metavar="NAME",
    help=f"The schema that records the runs. Default: `journal` of reconcile.yml, else {JOURNAL}.",
)


journal_owner_option = click.option(
    FLAG,
    metavar="ROLE",
    envvar=VARIABLE,
    help="A role that may own the journal besides the current role, superusers and the database's"
    f" owner. Default: {VARIABLE}, else none.",
)


@dataclass(frozen=True)
class DeclarationOptions:
    """The database, the YAML files, and the schemas to compare."""

    target: str | None
    state: Path | None
    schemas: tuple[str, ...]
    prune: bool
    scratch: str | None
    no_questions: bool
    allow_empty: bool
    files_root: Path | None
    no_cache: bool


declaration_options = collected(
    "declaration",
    DeclarationOptions,
    target_option,
    state_option,
    click.option(
        "--schema",
        "schemas",
        multiple=True,
        help="Compare this schema, '*' for all; can be repeated. Default: `schemas` of"
        " reconcile.yml, else the schemas of the YAML files.",
    ),
    click.option(
        "--prune",
        is_flag=True,
        help="Drop the objects that the YAML files do not declare, in the schemas of --schema or of"
        " reconcile.yml, else in those under `schemas:` and those of names without a schema.",
    ),
    scratch_option,
    files_root_option,
    click.option(
        "--no-questions",
        is_flag=True,
        help="Do not look in the tables for rows that would make a step fail.",
    ),
    click.option(
        "--allow-empty", is_flag=True, help="Accept YAML files that declare nothing at all."
    ),
    click.option(
        OPTION,
        is_flag=True,
        help=f"Do without what earlier runs have kept to be quicker, as with {SWITCH}.",
    ),
)


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

    def override(self, target: ResolvedTarget) -> ResolvedTarget:
        """Return the target with the options' timeouts, session settings and journal."""
        if self.journal and self.no_journal:
            raise SettingsError("--journal and --no-journal contradict each other")
        journal = None if self.no_journal else self.journal or target.journal
        return replace(target, lock_policy=self._lock_policy(target.lock_policy), journal=journal)

    def place(self, target: ResolvedTarget) -> Place | None:
        """Return the place of the journal, None for no journal."""
        return Place(target.journal, self.journal_owner or "") if target.journal else None

    def _lock_policy(self, policy: LockPolicy) -> LockPolicy:
        seconds = {
            "lock": self.lock_timeout,
            "total": self.retry_for,
            "statement": self.statement_timeout,
        }
        timeouts = {field: value for field, value in seconds.items() if value is not None}
        return replace(_with_session(policy, self.session), **timeouts)


def _with_session(policy: LockPolicy, options: Iterable[str]) -> LockPolicy:
    return replace(policy, session={**policy.session, **dict(map(_session_setting, options))})


def _session_setting(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals:
        raise SettingsError(f"--set {option}: expected NAME=VALUE")
    return name.strip(), value.strip()


execution_options = collected(
    "execution",
    ExecutionOptions,
    allow_option,
    click.option(
        "--lock-timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0, min_open=True),
        help="How long one attempt waits for a lock. Default: `lock_timeout` of reconcile.yml,"
        f" else {WAITS.lock:g}.",
    ),
    click.option(
        "--retry-for",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
        help="How long a step that got no lock is tried again. Default: `retry_for` of"
        f" reconcile.yml, else {WAITS.total:g}.",
    ),
    click.option(
        "--statement-timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0),
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
)


@dataclass(frozen=True)
class CheckOptions:
    """The user of the checks, and the seconds that a check may take."""

    verify_target: str | None
    check_timeout: float

    def terms(self, declaration: Declaration | None) -> Terms:
        """Return how the checks of a declaration are run, or those of a saved plan."""
        objects = declaration.objects if declaration else ()
        overloaded = (r for r in objects if r.arguments is not None)
        declared = frozenset((r.schema, r.name, r.arguments or "") for r in overloaded)
        return Terms(self.verify_target, declared, self.check_timeout)


check_options = collected(
    "checks",
    CheckOptions,
    click.option(
        access.FLAG,
        metavar="URL",
        envvar=access.VARIABLE,
        help="The URL of the target's database with an ordinary user, which runs the checks."
        f" Default: {access.VARIABLE}, else the target's own URL.",
    ),
    click.option(
        "--check-timeout",
        metavar="SECONDS",
        type=click.FloatRange(min=0.1),
        default=SECONDS,
        help=f"How long a check may take. Default: {SECONDS:g}.",
    ),
)


@dataclass(frozen=True)
class OutputOptions:
    """The format and the file of a document; None for the default and stdout."""

    format_name: str | None
    out: Path | None = None

    def write(self, subject: Subject, *values: object) -> Document:
        """Render the values of a subject, print or write the document, and return it."""
        name = self.format_name or DEFAULT_FORMAT
        document = renderers(subject)[name](*values)
        if self.out is not None:
            write_file(document, self.out)
        else:
            print_in_format(document, name)
        return document


def format_option(*subjects: Subject) -> Decorator:
    """Return the option --format, with the formats common to all subjects."""
    common = set[str].intersection(*(set(renderers(subject)) for subject in subjects))
    return click.option(
        "--format",
        "format_name",
        type=click.Choice(sorted(common)),
        help=f"The format of the output. Default: {DEFAULT_FORMAT}.",
    )


def output_options(subject: Subject) -> Decorator:
    """Return the options --format and --out of a command for the subject."""
    return collected(
        "output",
        OutputOptions,
        format_option(subject),
        click.option(
            "--out",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Write to this file instead of stdout.",
        ),
    )


run_argument = click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
