"""The command `reconcile`, its exit statuses, and the display of errors."""

from __future__ import annotations

import gc
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

from reconciler import recall
from reconciler.cache import OPTION
from reconciler.cli.command import Command
from reconciler.cli.examples import EXAMPLES, FIRST_STEPS, epilog
from reconciler.cli.output import (
    DEFAULT_FORMAT,
    JSON,
    LOG_VARIABLE,
    print_error,
    print_in_format,
    print_line,
    print_lines,
)
from reconciler.cli.signals import stopped_by_signals
from reconciler.cli.streams import flush_streams, prepare_streams
from reconciler.errors import ReconcileError
from reconciler.escape import stored_document
from reconciler.inventory.source_answers import one_command
from reconciler.version import version

if TYPE_CHECKING:
    from reconciler.recall.remembered import Question

DONE, ERROR, DIFFERENT = 0, 1, 2  # exit statuses
NO_COLOUR, LOG_FORMAT = "--no-color", "--log-format"
LOG_FORMATS = (DEFAULT_FORMAT, JSON)
ARGUMENTS = "reconciler.arguments"  # key of the context: the command line
# A big database is millions of objects without cycles, among which the collector looks in vain.
GARBAGE_COLLECTION = (100_000, 50, 1000)
# These end soon after they have read it, and need not look at all.
UNCOLLECTED = ("drift", "export", "lint", "plan")
COMMANDS = {  # name, also of the module, which is slow to import: the line in --help
    "apply": "Change the database to the declared state, or run a saved plan.",
    "bench": "Measure the queries of the section `workload` before and after the plan.",
    "demo": "Play an example on an embedded server.",
    "diff": "Show how two states differ: databases, YAML files or git revisions.",
    "drift": "Report differences from the declared state.",
    "embedded": "Show, stop and remove the PostgreSQL servers that reconcile keeps.",
    "explain": "Explain a kind of object, a key of the YAML files, a hazard, a rule of lint, or how"
    " to do it.",
    "export": "Write an existing database as YAML files.",
    "history": "List recorded runs, or show the changes and steps of a run.",
    "import": "Declare in YAML what a file of SQL, such as a migration, would change.",
    "init": "Begin with an existing database: write reconcile.yml and the YAML files.",
    "inventory": "List the targets with their groups and variables.",
    "lint": "Look for faults in the declared state, or in a database.",
    "monitor": "Say what became of a run: promises that do not hold, what has become worse.",
    "plan": "Show the changes and the SQL leading to the declared state.",
    "report": "Write a report or a runbook of a plan, with what was measured.",
    "rollback": "Restore the objects changed by a run, or by a roll-out over several targets.",
    "schema": "Print the JSON Schema of the YAML files or of a plan.",
    "validate": "Check the YAML files, and reconcile.yml, without a server.",
    "verify": "Run the declared checks, and look for differences in structure.",
}


class _Group(click.Group):
    """A group of commands with exit statuses as return values; imports the module of a command.

    Errors in the command line's syntax exit with 1, not with click's 2, which means "different".
    """

    command_class = Command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = [*args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
            import_module(f"reconciler.cli.{module}")
        command = super().get_command(ctx, cmd_name)
        if command is not None and cmd_name in EXAMPLES:
            command.epilog = epilog(EXAMPLES[cmd_name])
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def main(self, *args: Any, **extra: Any) -> Any:
        extra["standalone_mode"] = False
        given: Sequence[str] | None = extra.get("args", args[0] if args else None)
        gc.set_threshold(*GARBAGE_COLLECTION)
        prepare_streams()
        try:
            with stopped_by_signals(), one_command():
                arguments = _without_log_format(
                    _without_colour(sys.argv[1:] if given is None else given)
                )
                args, extra["args"] = (), [*arguments]
                if arguments and arguments[0] in UNCOLLECTED:
                    gc.disable()
                extra["obj"] = question = _question(arguments)
                if (repeated := _repeated(question)) is not None:
                    sys.exit(repeated)
                status: object = super().main(*args, **extra)
        except click.ClickException as error:
            usage = io.StringIO()
            error.show(usage)
            print_lines(usage.getvalue().removesuffix("\n"), stderr=True)
            sys.exit(ERROR)
        except click.Abort:
            print_line("stopped; finished steps stay, run again to continue", stderr=True)
            sys.exit(ERROR)
        except ReconcileError as error:
            print_error(error)
            sys.exit(ERROR)
        except OSError as error:  # of a file, a folder or a stream
            print_error(error)
            sys.exit(ERROR)
        finally:
            gc.enable()
            if given is None:  # the process ends: nobody needs the cycles that it would look for
                gc.freeze()
            flush_streams()
        sys.exit(status if isinstance(status, int) else DONE)


def _without_colour(arguments: Sequence[str]) -> Sequence[str]:
    """Switch colours off for NO_COLOUR, before or after the command; return the other arguments."""
    if NO_COLOUR not in arguments:
        return arguments
    os.environ["NO_COLOR"] = "1"  # https://no-color.org
    return [a for a in arguments if a != NO_COLOUR]


def _without_log_format(arguments: Sequence[str]) -> Sequence[str]:
    """Set the format of stderr from LOG_FORMAT, before or after the command; return the others.

    Raises UsageError for an unknown format.
    """
    rest: list[str] = []
    remaining = iter(arguments)
    for argument in remaining:
        option, equals, value = argument.partition("=")
        if option == LOG_FORMAT:
            os.environ[LOG_VARIABLE] = value if equals else next(remaining, "")
            if not os.environ[LOG_VARIABLE].strip():
                del os.environ[LOG_VARIABLE]
                raise click.UsageError(f"{LOG_FORMAT} is empty: leave it out, or give a value")
        else:
            rest.append(argument)
    chosen = os.environ.get(LOG_VARIABLE) or DEFAULT_FORMAT
    if chosen not in LOG_FORMATS:
        del os.environ[LOG_VARIABLE]
        raise click.UsageError(f"{LOG_FORMAT} {chosen}: expected {' or '.join(LOG_FORMATS)}")
    return rest


def _question(arguments: Sequence[str]) -> Question | None:
    """Return the question of a command line whose result may be known."""
    if not arguments or arguments[0] not in recall.COMMANDS or OPTION in arguments:
        return None
    from reconciler.recall.remembered import question_of  # noqa: PLC0415 - slow to import

    return question_of(arguments)


def _repeated(question: Question | None) -> int | None:
    """Print the result of an earlier run, unless something may have changed; return its status."""
    result = question.result() if question else None
    if result is None:
        return None
    print_in_format(stored_document(result.document), result.format_name)
    return result.status


def _print_version(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Print the version, and exit, if asked for."""
    if asked:
        print_line(f"reconcile {version()}")
        context.exit()


@click.group(
    "reconcile",
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=epilog(FIRST_STEPS) + "\n\n`reconcile COMMAND --help` shows the options of a command.",
)
@click.option(
    "--version",
    "-V",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
@click.option(
    NO_COLOUR,
    is_flag=True,
    expose_value=False,
    help="Use no colours, before or after the command; so does the variable NO_COLOR.",
)
@click.option(
    LOG_FORMAT,
    type=click.Choice(LOG_FORMATS),
    expose_value=False,
    help="What stderr gets, before or after the command: text, or notes, errors and progress as"
    f" lines of JSON. Default: {LOG_VARIABLE}, else {DEFAULT_FORMAT}.",
)
def main() -> None:
    """Bring a PostgreSQL database to the state declared in YAML files."""
