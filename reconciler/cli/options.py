"""Options of several commands; a group of options reaches a command as a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cache import OPTION, SWITCH
from reconciler.errors import SettingsError

if TYPE_CHECKING:
    from reconciler.model.variables import Value
    from reconciler.server.locks import LockPolicy
    from reconciler.settings import ResolvedTarget, Settings

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


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
            given = {f.name: values.pop(f.name) for f in fields(group) if f.name in values}
            values[parameter] = group(**given)
            return command(**values)

        return _options(*options)(collect)

    return add


target_option = click.option(
    "--target",
    "-t",
    metavar="NAME|URL",
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


tidy_option = click.option(
    "--tidy",
    is_flag=True,
    help="Leave brackets, casts and names of schemas out of expressions and queries where"
    " PostgreSQL reads the same without them, which is proven on the scratch server.",
)


set_option = click.option(
    "--set",
    "session",
    multiple=True,
    metavar="NAME=VALUE",
    help="A PostgreSQL setting for all that the command does in the database, such as"
    " maintenance_work_mem=1GB; can be repeated.",
)


variable_option = click.option(
    "--var",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable for the YAML files, over `vars` of reconcile.yml; can be repeated.",
)


def _without_empty_tags(
    _context: click.Context, _option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the value of --tags; raises UsageError for an empty tag."""
    if any(not tag.strip() for text in given for tag in text.split(",")):
        raise click.UsageError(f"--tags {','.join(given)!r} has an empty tag")
    return given


tags_option = click.option(
    "--tags",
    multiple=True,
    callback=_without_empty_tags,
    metavar="TAG,…",
    help="Only the YAML files with one of these `tags`; objects of other files stay as they are."
    " Can be repeated; goes without --prune.",
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

    def resolve(self, file: Settings | None = None) -> ResolvedTarget:
        """Return the target with the settings of `file`, else of reconcile.yml."""
        from reconciler import settings  # noqa: PLC0415 - slow to import

        target = settings.resolve_target(file or settings.read(), self.target)
        return replace(target, lock_policy=with_session(target.lock_policy, self.session))


reading_options = collected("reading", ReadingOptions, target_option, set_option)


@dataclass(frozen=True)
class DeclarationOptions:
    """The database, the YAML files, and the schemas to compare.

    `target` is None, too, for a command that takes several.
    """

    state: Path | None
    schemas: tuple[str, ...]
    prune: bool
    scratch: str | None
    no_questions: bool
    allow_empty: bool
    files_root: Path | None
    no_cache: bool
    variables: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    target: str | None = None

    def values(self) -> dict[str, Value]:
        """Return the variables of --var; raises SettingsError."""
        return dict(map(variable_of, self.variables))

    def selected_tags(self) -> frozenset[str]:
        """Return the tags of --tags; raises SettingsError with --prune."""
        found = {tag.strip() for text in self.tags for tag in text.split(",")}
        if self.tags and self.prune:
            raise SettingsError("--prune would drop the objects of files without these tags")
        return frozenset(found)


no_cache_option = click.option(
    OPTION,
    is_flag=True,
    help=f"Do without what earlier runs have kept to be quicker, as with {SWITCH}.",
)


NO_FILES = DeclarationOptions(
    state=None,
    schemas=(),
    prune=False,
    scratch=None,
    no_questions=False,
    allow_empty=True,
    files_root=None,
    no_cache=True,
)


files_options = collected(
    "declaration",
    DeclarationOptions,
    state_option,
    click.option(
        "--schema",
        "schemas",
        metavar="SCHEMA",
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
    variable_option,
    tags_option,
    click.option(
        "--no-questions",
        is_flag=True,
        help="Do not look in the tables for rows that would make a step fail.",
    ),
    click.option(
        "--allow-empty", is_flag=True, help="Accept YAML files that declare nothing at all."
    ),
    no_cache_option,
)


def declaration_options(command: Command) -> Command:
    """Add the options of a command for one target and its declaration."""
    return target_option(files_options(command))


def with_session(policy: LockPolicy, options: Iterable[str]) -> LockPolicy:
    """Return the policy with the settings of --set; raises SettingsError."""
    return replace(policy, session={**policy.session, **dict(map(_session_setting, options))})


def _session_setting(option: str) -> tuple[str, str]:
    name, equals, value = option.partition("=")
    if not equals:
        raise SettingsError(f"--set {option}: expected NAME=VALUE")
    return name.strip(), value.strip()


def variable_of(option: str) -> tuple[str, Value]:
    """Return the name and the value of --var; raises SettingsError."""
    from reconciler.declare.parse import resolved_scalar  # noqa: PLC0415 - slow to import
    from reconciler.model.variables import fault_of  # noqa: PLC0415 - slow to import

    name, equals, text = option.partition("=")
    value = resolved_scalar(text) if text else text
    value = value if isinstance(value, str | int) else text
    if fault := fault_of(name, value) if equals else "expected NAME=VALUE":
        raise SettingsError(f"--var {name}: {fault}")
    return name, value


run_argument = click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
