"""The command `plan`."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import click

from reconciler import settings
from reconciler.apply.permissions import Permitting
from reconciler.cli.comparing import compare
from reconciler.cli.execution_options import reading_execution
from reconciler.cli.fleet import check_formats, finish, look_at_all, print_groups
from reconciler.cli.fleet_options import Several, several_options
from reconciler.cli.group import main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    DeclarationOptions,
    collected,
    files_options,
    set_option,
    start_option,
)
from reconciler.cli.output import DEFAULT_FORMAT
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.permitting import PermissionOptions, permission_options, read_allowed
from reconciler.cli.target_work import Work
from reconciler.errors import SettingsError
from reconciler.recall.ahead import Ahead
from reconciler.recall.remembered import Question
from reconciler.server.trial import database_of


@dataclass(frozen=True)
class SourceOptions:
    """What a plan starts from beside the declaration: files of SQL, settings, and a role."""

    scripts: tuple[Path, ...]
    session: tuple[str, ...]
    role: str


source_options = collected(
    "source",
    SourceOptions,
    start_option("It takes the place of --target."),
    set_option,
    click.option(
        "--for-role",
        "role",
        default="",
        metavar="ROLE",
        help="The role that will apply the plan, if another role plans: new objects without a"
        " declared `owner` belong to it.",
    ),
)


@main.command()
@several_options()
@files_options
@source_options
@permission_options
@output_options("plan", "rollout")
def plan(
    several: Several,
    declaration: DeclarationOptions,
    source: SourceOptions,
    permission: PermissionOptions,
    output: OutputOptions,
) -> int:
    """Show the changes and the SQL leading to the declared state.

    Nothing is run. Each hazard is shown with what lets it through: --allow, or an entry of
    approvals.yml beside reconcile.yml; else with the line to add there. Of several targets,
    identical plans are shown once. Exit status: 0 no differences, 2 differences, 1 an error; of
    several targets, the worst.
    """
    if source.scripts and several.targets.chosen:
        raise SettingsError("--start makes a database instead of that of --target: name one")
    if several:
        return _show_all(declaration, several, source, permission, output)
    check_formats("plan", output)
    declaration = replace(declaration, target=several.targets.alone)
    if not source.scripts:
        return _show(declaration, source, permission, output)
    with database_of(source.scripts) as url:
        made = replace(declaration, target=url)
        return _show(made, replace(source, role=""), permission, output)


def _show(
    declaration: DeclarationOptions,
    source: SourceOptions,
    permission: PermissionOptions,
    output: OutputOptions,
) -> int:
    allowed = read_allowed(permission.allow, declaration.state)
    question = click.get_current_context().find_object(Question)
    with closing(Ahead(question)) as ahead:
        job, target = make_job(declaration, session=source.session, ahead=ahead)
        permitting = Permitting(allowed, permission.place(target, source.role))
        lint = settings.read().lint
        job = replace(job, lint=lint, role=source.role, permitting=permitting)
        return compare(job, ahead, output)


def _show_all(
    declaration: DeclarationOptions,
    several: Several,
    source: SourceOptions,
    permission: PermissionOptions,
    output: OutputOptions,
) -> int:
    check_formats("rollout", output)
    execution = reading_execution(source.session, permission, source.role)
    report = look_at_all(Work.of("plan", declaration, execution, role=source.role), several)
    if output.last_format == DEFAULT_FORMAT:
        print_groups(report)
    return finish(report, several, output)
