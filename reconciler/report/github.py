"""Workflow commands of GitHub Actions: annotations at the lines of the YAML files.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.errors import DeclarationError, Position, ReconcileError
from reconciler.escape import Document, workflow_document
from reconciler.lint.result import LintResult
from reconciler.model.state import Declaration
from reconciler.plan.plan import FilePosition, Plan, Planned
from reconciler.plan.step import Step
from reconciler.report.drift_lines import difference_texts, history_of, title, verdict

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
Command = tuple[str, dict[str, str], str]


def plan(plan: Plan) -> Document:
    """Render an annotation for each hazard, for rows that would make a step fail, and for lint."""
    commands = [*_refusals(plan), *_hazards(plan), *_findings(plan)]
    return workflow_document(commands)  # GitHub shows the first ten


def lint(result: LintResult) -> Document:
    """Render an annotation for each finding."""
    return workflow_document(
        _command(
            COMMANDS[finding.severity],
            finding.position,
            finding.rule,
            f"{finding.identity}: {finding.message}\n{finding.fix}",
        )
        for finding in result.findings
    )


def validation(folder: Path, declaration: Declaration) -> Document:
    """Render nothing: a declaration without faults needs no annotation."""
    del folder, declaration
    return workflow_document([])


def error(error: ReconcileError) -> Document:
    """Render an annotation for each problem of a declaration, or for another error."""
    if not isinstance(error, DeclarationError):
        return workflow_document([_command("error", error.position, error.rule, str(error))])
    return workflow_document(
        _command(
            COMMANDS[problem.severity],
            problem.position,
            problem.rule,
            "\n".join(filter(None, (problem.message, problem.hint))),
        )
        for problem in error.problems
    )


def _refusals(plan: Plan) -> Iterator[Command]:
    steps = {step.id: step for step in plan.steps}
    for answer in plan.answers:
        if answer.refuses and answer.step in steps:
            position = _position(plan, steps[answer.step])
            yield _command("error", position, "rows in the way", answer.message)


def _hazards(plan: Plan) -> Iterator[Command]:
    found = {
        (hazard.hazard, hazard.reason): step
        for step in reversed(plan.steps)
        for hazard in step.hazards
    }
    for (hazard, reason), step in reversed(found.items()):
        message = f"{step.kind} {step.identity}: {reason}"
        yield _command("warning", _position(plan, step), hazard.value, message)


def _findings(plan: Plan) -> Iterator[Command]:
    for found in plan.findings:
        message = f"{found.object}: {found.message}\n{found.fix}"
        yield _command(COMMANDS[found.severity], found.position, found.rule, message)


def _position(plan: Plan, step: Step) -> FilePosition | None:
    """Return the position of the first declared change of a step."""
    changes: dict[tuple[str, str], Planned] = {(c.kind, c.identity): c for c in plan.changes}
    found = (changes[each].position for each in step.objects if each in changes)
    return next(filter(None, found), None)


def _command(
    name: str, position: Position | FilePosition | None, title: str, message: str
) -> Command:
    if position is None:
        return name, {"title": title}, message
    place = {
        "file": Path(position.file).as_posix(),
        "line": str(position.line),
        "col": str(position.column),
    }
    return name, {**place, "title": title}, message


def drift(report: DriftReport) -> Document:
    """Render an annotation for each difference: errors, except pending changes."""
    commands = (command for target in report.targets for command in _drift_commands(target))
    return workflow_document(commands)


def _drift_commands(target: TargetDrift) -> Iterator[Command]:
    if target.error:
        yield _command("error", None, f"drift: {target.name}", target.error)
    if target.error and not target.objects:
        return
    for found in target.objects:
        lines = [title(found), *difference_texts(found, ""), history_of(found)]
        command = "warning" if found.drift_class == "pending" else "error"
        of = f"{target.name}: {found.drift_class}"
        yield _command(command, found.position, of, "\n".join(line for line in lines if line))
    for note in target.notes:
        yield _command("notice", None, f"drift: {target.name}: note", note)
    yield _command("notice", None, f"drift: {target.name}", verdict(target))
