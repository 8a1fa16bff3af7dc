"""What the journal tells, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from reconciler.journal.history import Detail, Run
from reconciler.report.words import SIGNS, difference

HEAD = ("run", "when", "who", "status", "what", "took")


def runs(of: Sequence[Run]) -> str:
    """A table, the latest run first."""
    if not of:
        return "no runs are recorded\n"
    table = [
        HEAD,
        *(
            (str(r.id), _when(r.started_at), _who(r), r.status, what(r), _took(r.seconds))
            for r in of
        ),
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "".join(
        "  ".join(f"{cell:{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in table
    )


def runs_as_data(of: Sequence[Run]) -> str:
    """The same as one JSON document."""
    return _document({"runs": [r.model_dump(mode="json") for r in of]})


def detail(of: Detail) -> str:
    """One run: who and when, what was planned for each object, how each step went."""
    return "\n".join(_detail(of)) + "\n"


def detail_as_data(of: Detail) -> str:
    """The same as one JSON document, with the objects before and after."""
    steps = {s.step_id: s.model_dump(mode="json", exclude={"step_id"}) for s in of.steps}
    return _document(
        {
            "run": of.run.model_dump(mode="json"),
            "changes": [
                c.model_dump(mode="json", include={"action", "kind", "identity", "differences"})
                for c in of.plan.changes
            ],
            "steps": [
                s.model_dump(mode="json", include={"id", "action", "kind", "identity", "sql"})
                | {"outcome": steps.get(s.id)}
                for s in of.plan.steps
            ],
            "touched": [
                {
                    "kind": t.ref.kind,
                    "identity": t.ref.identity,
                    "before": t.before,
                    "after": t.after,
                    "seen": t.seen,
                }
                for t in of.touched
            ],
        }
    )


def what(of: Run) -> str:
    """`3 created, 1 dropped`, or which run it took back; and how far it came, if not to its end."""
    ending = {"create": "created", "alter": "altered", "drop": "dropped"}
    counted = (
        ", ".join(f"{of.changes[a]} {ending[a]}" for a in SIGNS if of.changes.get(a)) or "nothing"
    )
    back = f"rollback of {of.rollback_of}: " if of.rollback_of is not None else ""
    return back + counted + ("" if of.done == of.steps else f" ({of.done} of {of.steps} steps)")


def _detail(of: Detail) -> Iterator[str]:
    run = of.run
    yield f"run {run.id}: {run.status}, {what(run)}"
    yield f"  started {_when(run.started_at)}, took {_took(run.seconds)}"
    yield f"  by {_who(run)}, reconcile {run.version}" + (
        f", commit {run.git_commit}" if run.git_commit else ""
    )
    yield f"  plan {run.digest or of.plan.digest}"
    yield ""
    for change in of.plan.changes:
        yield f"  {SIGNS[change.action]} {change.kind} {change.identity}"
        for item in change.differences:
            yield from difference(item, "      ")
    outcomes = {s.step_id: s for s in of.steps}
    yield ""
    for step in of.plan.steps:
        went = outcomes.get(step.id)
        tries = f", {went.attempts} attempts" if went is not None and went.attempts > 1 else ""
        yield f"  {step.id}  {went.status if went else 'not recorded'}" + (
            f" in {_took(went.seconds)}{tries}" if went else ""
        )
        yield from (f"      {line}" for line in step.sql.splitlines())
        if went is not None and went.error:
            yield from (f"      ! {line}" for line in went.error.splitlines())


def _who(of: Run) -> str:
    return f"{of.role_name} ({of.client_user}@{of.client_host})"


def _when(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    return (
        f"{seconds:.1f} s"
        if seconds < 100
        else f"{seconds / 60:.0f} min"
        if seconds < 6000
        else f"{seconds / 3600:.1f} h"
    )


def _document(content: dict[str, Any]) -> str:
    return json.dumps({"version": 1, **content}, indent=2, ensure_ascii=False) + "\n"
