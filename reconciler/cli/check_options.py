"""The options of commands that run checks."""

from __future__ import annotations

from dataclasses import dataclass

import click

from reconciler.checks import access
from reconciler.checks.session import SECONDS, Terms
from reconciler.cli.numbers import Number
from reconciler.cli.options import collected
from reconciler.model.state import Declaration


@dataclass(frozen=True)
class CheckOptions:
    """The user of the checks, and the seconds that a check may take."""

    verify_target: str | None
    check_timeout: float

    def terms(self, declaration: Declaration | None) -> Terms:
        """Return how the checks of a declaration are run, or those of a saved plan."""
        declared = declaration.signatures if declaration else ()
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
        type=Number(min=0.1),
        default=SECONDS,
        help=f"How long a check may take. Default: {SECONDS:g}.",
    ),
)
