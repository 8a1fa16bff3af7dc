"""Options that commands share, and the values made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from reconciler import settings
from reconciler.declare.load import load
from reconciler.errors import SettingsError
from reconciler.model.state import Scope
from reconciler.model.statement import HazardKind
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.server.locks import LockPolicy

Command = Callable[..., Any]


def _options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


targeted = click.option("--target", "-t", help="A name from reconcile.yml, a URL, or `embedded`.")


declared = _options(
    targeted,
    click.option(
        "--state",
        "-s",
        type=click.Path(path_type=Path),
        help="The folder of YAML files (desired_state).",
    ),
    click.option(
        "--schema",
        "schemas",
        multiple=True,
        help="Look at this schema; '*' is every one. Default: those declared.",
    ),
    click.option(
        "--prune", is_flag=True, help="Drop what these schemas hold and nothing declares."
    ),
    click.option("--scratch", help="embedded, target or a URL; default: embedded, else target."),
)


recording = _options(
    click.option("--journal", metavar="NAME", help="The schema of our record of runs (reconcile)."),
    click.option("--no-journal", is_flag=True, help="Record nothing."),
)


waits = _options(
    click.option(
        "--lock-timeout",
        type=click.FloatRange(min=0, min_open=True),
        help="Seconds for one try at a lock (2).",
    ),
    click.option(
        "--retry-for", type=click.FloatRange(min=0), help="Seconds for all tries of a step (600)."
    ),
    click.option(
        "--statement-timeout",
        type=click.FloatRange(min=0),
        help="Seconds for what should be quick (30); 0: no bound.",
    ),
    click.option(
        "--set",
        "session",
        multiple=True,
        metavar="NAME=VALUE",
        help="A setting for the run, such as maintenance_work_mem=1GB.",
    ),
)


allowing = click.option(
    "--allow",
    multiple=True,
    type=click.Choice([*(h.value for h in HazardKind), "all"]),
    help="Let a hazard pass.",
)


written = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to a file instead of stdout.",
)


def make_job(given: dict[str, Any]) -> tuple[Job, settings.ResolvedTarget]:
    file = settings.read()
    declaration = load(given["state"] or file.state)
    schemas = frozenset(given["schemas"] or file.schemas) or declaration.schemas
    aim = settings.resolve_target(file, given["target"])
    scope = Scope(schemas, prune=given["prune"], everything="*" in schemas)
    aim = replace(aim, patience=lock_flags(aim.patience, given))
    return Job(
        aim.url, declaration, scope, given["scratch"] or file.scratch, session=aim.patience.session
    ), aim


def journal_flags(aim: settings.ResolvedTarget, given: dict[str, Any]) -> settings.ResolvedTarget:
    """The aim with what flags say of the journal."""
    if given["journal"] and given["no_journal"]:
        raise SettingsError("--journal and --no-journal contradict each other")
    return replace(aim, journal=None if given["no_journal"] else given["journal"] or aim.journal)


def lock_flags(usual: LockPolicy, given: dict[str, Any]) -> LockPolicy:
    """What flags say, where the command has such, and for the rest the settings."""
    said = {
        "lock": given.get("lock_timeout"),
        "total": given.get("retry_for"),
        "statement": given.get("statement_timeout"),
    }
    session = dict(usual.session)
    for setting in given.get("session", ()):
        own, found, value = setting.partition("=")
        if not found:
            raise SettingsError(f"--set {setting}: NAME=VALUE would do")
        session[own.strip()] = value.strip()
    return replace(usual, session=session, **{k: v for k, v in said.items() if v is not None})


def read_plan(file: Path) -> Plan:
    try:
        return Plan.model_validate_json(file.read_bytes())
    except ValidationError as e:
        wrong = "; ".join(f"{'.'.join(map(str, x['loc']))}: {x['msg']}" for x in e.errors()[:5])
        raise SettingsError(f"{file} is not a plan of this version: {wrong}") from None
