"""Make a report's input in which every text from outside is the same one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from reconciler.diff.diff import Difference
from reconciler.evidence.model import (
    Application,
    Benchmark,
    CheckResult,
    Commands,
    Complaint,
    Drifted,
    Evidence,
    Fault,
    Lint,
    QueryFigures,
    Sourced,
    Verification,
)
from reconciler.journal.history import Detail, Run, StepRecord
from reconciler.model.statement import Fill, Hazard, HazardKind, Lock
from reconciler.plan.plan import Answer, FilePosition, Plan, Planned, RelationSize
from reconciler.plan.step import Step

START = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def step(number: int, text: str, **more: object) -> Step:
    """Return a step that needs the one before."""
    fields: dict[str, object] = {
        "id": f"{number:02}",
        "action": "alter",
        "kind": "table",
        "identity": text,
        "sql": text,
        "transactional": True,
        "lock": "ACCESS EXCLUSIVE",
        "relation": text,
        "locks": (Lock(relation=text, mode="ACCESS EXCLUSIVE"),),
        "undo": (text,),
        "depends_on": (f"{number - 1:02}",) if number > 1 else (),
        "search_path": text,
    }
    return Step.model_validate(fields | more)


def plan(text: str) -> Plan:
    """Return a plan of three steps: a hazard, an index, a backfill."""
    fill = Fill(relation=text, column=text, value=text)
    hazard = Hazard(hazard=HazardKind.DATA_LOSS, reason=text)
    changed = Planned(
        action="alter",
        kind="table",
        identity=text,
        differences=(
            Difference(field=text, live=text, wanted=[text, {text: text}]),
            Difference(field=text, live=None, wanted=text),
        ),
        position=FilePosition(file=text, line=1, column=1),
    )
    return Plan(
        target=text,
        in_sync=False,
        unchanged=3,
        scratch=text,
        changes=(changed, Planned(action="create", kind="view", identity=text)),
        steps=(
            step(1, text, hazards=(hazard,)),
            step(2, text, lock="SHARE", locks=(), builds_index=True, index=text, long=True),
            step(3, text, fill=fill, transactional=False),
        ),
        notes=(text,),
        unproven=(text,),
        answers=(Answer(step="01", message=text, refuses=True),),
        checks=({"name": text, "apply": ["before"]},),
        sizes=(RelationSize(relation=text, rows=10, bytes=20_000),),
        undo_hazards=(HazardKind.DATA_LOSS,),
    ).sealed()


def application(text: str, of: Plan) -> Application:
    """Return a run in which the second step failed, and which was rolled back."""
    run = Run(
        id=7,
        started_at=START,
        finished_at=START + timedelta(seconds=3),
        status="failed",
        role_name=text,
        client_user=text,
        client_host=text,
        version="1",
        steps=3,
        done=1,
        seconds=3.0,
    )
    records = [
        StepRecord(
            step_id=f"{n:02}",
            status=status,
            finished_at=START + timedelta(seconds=n),
            seconds=0.5,
            attempts=1,
            error=text,
        )
        for n, status in ((1, "done"), (2, "failed"))
    ]
    back = run.model_copy(update={"id": 8, "status": "done", "rollback_of": 7})
    return Application(Detail(run, of, records, ()), back)


def evidence(text: str) -> Evidence:
    """Return a plan with all that can be measured."""
    made = plan(text)
    query = QueryFigures(scale=1, variant=text, query=text, median=2.0)
    after = query.model_copy(
        update={"variant": f"{text}2", "saved": 40.0, "promised": 50.0, "promise": "not kept"}
    )
    fault = Fault(
        rule=text, severity="warning", object=text, message=text, fix=text, file=text, line=1
    )
    complaint = Complaint(status="failed", complaint=text)
    return Evidence(
        Sourced(made, text),
        Sourced(application(text, made), text),
        Sourced(
            Benchmark(
                version=1, server=text, baseline=text, declared=f"{text}2", measured=(query, after)
            ),
            text,
        ),
        Sourced(
            Verification(
                version=1,
                in_sync=False,
                drift=(Drifted(action="alter", kind="table", identity=text),),
                checks=(CheckResult(name=text, status="failed", findings=(complaint,)),),
            ),
            text,
            START + timedelta(days=1),
        ),
        Sourced(
            Lint(
                version=1,
                findings=(fault,),
                accepted=(fault.model_copy(update={"reason": text}),),
            ),
            text,
        ),
        Commands(
            text,
            ("--set", text),
            ("--state", text),
            ("--schema", text),
            ("--scratch", text),
            ("--journal", text),
            ("--bench", text),
            text,
            text,
        ),
        text,
    )
