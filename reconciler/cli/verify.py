"""The command `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reconciler import pipeline
from reconciler.checks.run import run_checks
from reconciler.cli.check_options import CheckOptions, check_options
from reconciler.cli.execution_options import reading_execution
from reconciler.cli.fleet import check_formats, finish, look_at_all
from reconciler.cli.fleet_options import Several, several_options
from reconciler.cli.group import DIFFERENT, DONE, main
from reconciler.cli.job import make_job
from reconciler.cli.options import DeclarationOptions, files_options, set_option
from reconciler.cli.output_options import OutputOptions, output_options
from reconciler.cli.target_work import Work


@main.command()
@several_options()
@files_options
@set_option
@check_options
@output_options("checks", "rollout")
def verify(
    several: Several,
    declaration: DeclarationOptions,
    session: Sequence[str],
    checks: CheckOptions,
    output: OutputOptions,
) -> int:
    """Run the declared checks, and look for differences in structure.

    Checks run as a user that is no superuser. Whatever a check writes is rolled back. A check that
    found nothing to look at is vacuous and has not passed. Exit status: 0 all passed, 2 a
    difference, a failed or a vacuous check, 1 an error; of several targets, the worst.
    """
    if several:
        check_formats("rollout", output)
        work = Work.of("verify", declaration, reading_execution(session), checks)
        report = look_at_all(work, several)
        return finish(report, several, output)
    check_formats("checks", output)
    declaration = replace(declaration, target=several.targets.alone)
    job, _ = make_job(declaration, session=session)
    changes = pipeline.plan_changes(replace(job, questions=False, proof=False))
    results = run_checks(job.target, job.declaration.checks, checks.terms(job.declaration))
    output.write("checks", changes, results)
    passed = changes.in_sync and all(result.passed for result in results)
    return DONE if passed else DIFFERENT
