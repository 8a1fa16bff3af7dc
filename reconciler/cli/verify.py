"""The command `verify`."""

from __future__ import annotations

from collections.abc import Sequence

from reconciler import pipeline
from reconciler.checks.run import run_checks
from reconciler.cli.check_options import CheckOptions, check_options
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.job import make_job
from reconciler.cli.options import (
    DeclarationOptions,
    OutputOptions,
    declaration_options,
    output_options,
    set_option,
)


@main.command()
@declaration_options
@set_option
@check_options
@output_options("checks")
def verify(
    declaration: DeclarationOptions,
    session: Sequence[str],
    checks: CheckOptions,
    output: OutputOptions,
) -> int:
    """Run the declared checks, and look for differences in structure.

    Checks run as a user that is no superuser. Whatever a check writes is rolled back. A check that
    found nothing to look at is vacuous and has not passed. Exit status: 0 all passed, 2 a
    difference, a failed or a vacuous check.
    """
    job, _ = make_job(declaration, session=session)
    changes = pipeline.plan_changes(job)
    results = run_checks(job.target, job.declaration.checks, checks.terms(job.declaration))
    output.write("checks", changes, results)
    passed = changes.in_sync and all(result.passed for result in results)
    return DONE if passed else DIFFERENT
