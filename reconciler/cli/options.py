"""Options of several commands; a group of options reaches a command as a dataclass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from functools import wraps
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cache import OPTION, SWITCH
from reconciler.cli.output import DEFAULT_FORMAT, print_in_format, replace_file, write_file
from reconciler.counted import counted
from reconciler.errors import ReconcileError, SettingsError
from reconciler.escape import Document, document
from reconciler.report.formats import FORMATS, Subject, renderer

if TYPE_CHECKING:
    from reconciler.model.variables import Value
    from reconciler.server.locks import LockPolicy
    from reconciler.settings import ResolvedTarget, Settings

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]
READ_AT_ANY_TIME = ("prometheus",)  # by the collector of the node exporter


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


@dataclass(frozen=True)
class OutputOptions:
    """Formats, and the files of their documents; a format without a file goes to stdout."""

    formats: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    def write(self, subject: Subject, *values: object, to_stdout: bool = True) -> Document:
        """Render the values of a subject in each format; return the document of the last one.

        Without `to_stdout` only files are written, and the document is empty.
        """
        documents = [document([])]
        for name, file in self._places():
            if file is not None or to_stdout:
                documents.append(renderer(subject, name)(*values))
                _put(documents[-1], name, file)
        return documents[-1]

    def write_error(self, error: ReconcileError) -> None:
        """Render an error in each format that shows errors."""
        for name, file in self._places():
            if name in FORMATS["error"]:
                _put(renderer("error", name)(error), name, file)

    @property
    def last_format(self) -> str:
        """The name of the last format."""
        return self.formats[-1] if self.formats else DEFAULT_FORMAT

    def assert_unused(self, command: str) -> None:
        """Raise SettingsError for options that the command takes for several targets only."""
        if self.formats or self.files:
            raise SettingsError(
                f"--format and --out of `{command}` go with several targets: --all, --limit, or"
                " --target more than once"
            )

    def check(self) -> None:
        """Raise SettingsError unless every format but the last has a file, and none is missing."""
        if "html" in self.formats:
            from reconciler.report.html import assert_renderable  # noqa: PLC0415 - slow to import

            assert_renderable()
        formats, files = len(self.formats or (DEFAULT_FORMAT,)), len(self.files)
        if not formats - 1 <= files <= formats:
            raise SettingsError(
                f"--format is given {counted(formats, 'time')} and --out {counted(files, 'time')}:"
                " each --out belongs to the --format in the same place, and only the last"
                " --format may have none"
            )

    def _places(self) -> Iterable[tuple[str, Path | None]]:
        return zip_longest(self.formats or (DEFAULT_FORMAT,), self.files)


def _put(shown: Document, format_name: str, file: Path | None) -> None:
    if file is None:
        print_in_format(shown, format_name)
    elif format_name in READ_AT_ANY_TIME:
        replace_file(shown, file)
    else:
        write_file(shown, file)


def format_option(*subjects: Subject, multiple: bool = False) -> Decorator:
    """Return the option --format, with the formats common to all subjects, or `multiple` of any."""
    known = [{*FORMATS[subject]} for subject in subjects]
    common = set[str].union(*known) if multiple else set[str].intersection(*known)
    again = " Can be repeated, each with its --out." if multiple else ""
    return click.option(
        "--format",
        "formats" if multiple else "format_name",
        multiple=multiple,
        type=click.Choice(sorted(common)),
        help=f"The format of the output. Default: {DEFAULT_FORMAT}.{_by_number(subjects)}{again}",
    )


def _by_number(subjects: Sequence[Subject]) -> str:
    """Say which formats show only one target, or only several, of a command that takes both."""
    if "rollout" not in subjects or len(subjects) == 1:
        return ""
    several = {*FORMATS["rollout"]}
    one = {f for subject in subjects if subject != "rollout" for f in FORMATS[subject]}
    only = {"one target": one - several, "several": several - one}
    return "".join(f" Only for {n}: {', '.join(sorted(f))}." for n, f in only.items())


def output_options(*subjects: Subject) -> Decorator:
    """Return the options --format and --out of a command for any subject; they show errors too."""
    out_option = click.option(
        "--out",
        "files",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to this file instead of stdout; can be repeated for several formats.",
    )
    collect = collected(
        "output", OutputOptions, format_option(*subjects, multiple=True), out_option
    )

    def add(command: Command) -> Command:
        @wraps(command)
        def show_errors(output: OutputOptions, **values: Any) -> Any:
            output.check()
            try:
                return command(output=output, **values)
            except ReconcileError as error:
                output.write_error(error)
                raise

        return collect(show_errors)

    return add


run_argument = click.argument("run", metavar="[RUN]", required=False, type=click.IntRange(min=1))
