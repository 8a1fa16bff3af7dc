"""Plain text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.apply.outcome import Outcome
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.report.words import SIGNS, allow_flags, counted, difference


def plan(of: Plan) -> str:
    """A plan: hazards first, then what differs, then the steps with the locks they take."""
    return "\n".join(_plan(of)) + "\n"


def _plan(of: Plan) -> Iterator[str]:
    yield from (f"note: {n}" for n in of.notes)
    if of.in_sync:
        yield f"{of.target}: nothing to do, {of.unchanged} declared objects are as they should be"
        return
    yield of.target
    yield from _hazards(of)
    yield ""
    yield f"{counted(of.changes)}; {of.unchanged} as they should be"
    for change in of.changes:
        yield f"  {SIGNS[change.action]} {change.kind} {change.identity}"
        for item in change.differences:
            yield from difference(item, "      ")
    yield ""
    yield f"{len(of.steps)} steps"
    for step in of.steps:
        yield from _step(step)
    yield ""
    yield (
        f"proven on {of.scratch}: the plan leads to the declared state, its undo leads back"
        if of.scratch
        else "not proven"
    )


def _hazards(of: Plan) -> Iterator[str]:
    hazards = of.hazards()
    if not hazards:
        return
    yield ""
    yield "hazards"
    for hazard, reasons in sorted(hazards.items()):
        yield from (f"  ! {hazard}: {reason}" for reason in reasons)
    yield f"  apply refuses unless it is told: {allow_flags(of)}"


def _step(step: Step) -> Iterator[str]:
    lock = f"{step.lock} on {step.relation}" if step.lock else "no table lock"
    where = f"transaction {step.transaction}" if step.transaction else "outside transactions"
    yield f"  {step.id}  -- {lock}; {where}" + (
        "; in batches, until no row is null" if step.fill else ""
    )
    yield from (f"      {line}" for line in step.sql.splitlines())


def drift(of: Plan) -> str:
    """What is no longer as declared."""
    notes = [f"note: {n}" for n in of.notes]
    if of.in_sync:
        return "\n".join(
            [
                *notes,
                f"{of.target}: no drift, {of.unchanged} declared objects are as they should be\n",
            ]
        )
    words = {"create": "is missing", "alter": "was changed", "drop": "should not be there"}
    lines = [
        *notes,
        f"{of.target}: {len(of.changes)} of {of.unchanged + len(of.changes)} objects have drifted",
    ]
    for change in of.changes:
        lines.append(
            f"  {SIGNS[change.action]} {change.kind} {change.identity} {words[change.action]}"
        )
        for item in change.differences:
            lines += difference(
                item.model_copy(update={"field": f"{item.field} (live → declared)"}), "      "
            )
    return "\n".join(lines) + "\n"


def recap(of: Outcome) -> str:
    """What failed and what waits for it, and the last line of `apply`."""
    lines: list[str] = []
    for step in of.steps:
        if step.status == "failed":
            lines.append(
                f"failed: step {step.step.id}, {step.step.action} {step.step.kind} {step.step.identity}"
            )
            lines += [f"    {line}" for line in step.error.splitlines()]
    waiting = [s for s in of.steps if s.status == "skipped"]
    lines += [
        f"skipped: step {s.step.id}, {s.step.action} {s.step.kind} {s.step.identity}: {s.error}"
        for s in waiting
    ]
    lines += [f"still different: {line}" for line in of.left]
    lines += [f"note: {line}" for line in of.notes]
    if of.unseen:
        lines.append(f"unknown: whether anything still differs could not be looked at: {of.unseen}")
    lines.append(f"ok={of.ok} changed={of.changed} failed={of.failed} skipped={of.skipped}")
    return "\n".join(lines) + "\n"
