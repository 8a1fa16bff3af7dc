"""JSON documents for programs, and the JSON Schema of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from reconciler.bench.result import Benchmark, Measured
from reconciler.checks.result import Result
from reconciler.drift.result import DriftReport, ObjectDrift, TargetDrift
from reconciler.escape import Document, json_document
from reconciler.journal.history import Detail, Run, Touched
from reconciler.lint.result import LintResult
from reconciler.lint.rule import Finding
from reconciler.monitor.result import Monitoring
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.rollout.groups import groups_of
from reconciler.rollout.result import RolloutReport, TargetResult
from reconciler.server.embedded import EmbeddedServer

DRIFT = {"create": "missing", "alter": "changed", "drop": "unexpected"}


def plan(plan: Plan) -> Document:
    """Render a plan as the document accepted by `apply`."""
    return json_document(plan.model_dump(mode="json"))


def differences(plan: Plan) -> Document:
    """Render the changes from one state to another."""
    changes = [change.model_dump(mode="json") for change in plan.changes]
    return _document(title=plan.target, in_sync=plan.in_sync, changes=changes)


def plan_schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Plan.model_json_schema(mode="serialization"),
    }


def drift(report: DriftReport) -> Document:
    """Render the differences between the declaration and the live database, or each of several."""
    targets = [_target(target) for target in report.targets]
    if report.several:
        return _document(targets=targets)
    return json_document(targets[0])


def _target(target: TargetDrift) -> dict[str, Any]:
    about = {"version": 1, "name": target.name, "target": target.target or None}
    if target.error:
        about["error"] = target.error
        if not target.objects:
            return about
    return {
        **about,
        "in_sync": target.in_sync,
        "unchanged": target.unchanged,
        "notes": list(target.notes),
        "classes": target.counts,
        "drift": [_object_drift(found) for found in target.objects],
    }


def _object_drift(found: ObjectDrift) -> dict[str, Any]:
    run, trace = found.last_run, found.trace
    return {
        "kind": found.kind,
        "identity": found.identity,
        "drift": DRIFT[found.action],
        "class": found.drift_class,
        "security": found.security,
        "differences": [
            {
                "field": each.field,
                "live": each.live,
                "wanted": each.wanted,
                **({"applied": each.applied} if each.recorded else {}),
            }
            for each in found.fields
        ],
        "position": found.position.model_dump() if found.position else None,
        "owner": found.owner,
        "last_run": run and {"id": run.id, "at": run.at.isoformat(), "status": run.status},
        "last_written": trace
        and {
            "transaction": trace.transaction,
            "age": trace.age,
            "committed_at": trace.committed_at.isoformat() if trace.committed_at else None,
        },
    }


def rollout(report: RolloutReport) -> Document:
    """Render what became of each target, and each plan once, with the targets that have it."""
    plans = [
        {"targets": list(g.names), "plan": g.plan.model_dump(mode="json")}
        for g in groups_of(report.results)
    ]
    return _document(
        command=report.command,
        rollout=report.rollout or None,
        ended=report.ended or None,
        advice=list(report.advice),
        counts=dict(report.counts),
        targets=[_target_result(result) for result in report.results],
        plans=plans,
    )


def _target_result(result: TargetResult) -> dict[str, Any]:
    found = asdict(replace(result, plan=None))
    for own in ("plan", "retry", "unknown", "database"):
        del found[own]
    return {**found, "notes": list(result.notes), "seconds": round(result.seconds, 3)}


def checks(plan: Plan, results: Sequence[Result]) -> Document:
    """Render the results of checks, and the differences from the declared structure."""
    return _document(
        in_sync=plan.in_sync,
        drift=[
            change.model_dump(mode="json", include={"action", "kind", "identity"})
            for change in plan.changes
        ],
        checks=[
            {
                "name": result.name,
                "status": result.status,
                "passed": result.passed,
                "complaint": result.complaint,
                "findings": [
                    {"status": f.status, "complaint": f.complaint} for f in result.findings
                ],
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ],
    )


def history(runs: Sequence[Run]) -> Document:
    """Render a list of runs."""
    return _document(runs=[run.model_dump(mode="json") for run in runs])


def benchmark(benchmark: Benchmark) -> Document:
    """Render every figure of a benchmark; times are in milliseconds."""
    return _document(
        server=benchmark.server,
        baseline=benchmark.baseline,
        declared=benchmark.declared,
        rows={f"{scale:g}": counts for scale, counts in benchmark.counts.items()},
        measured=[_measured(each) for each in benchmark.measured],
    )


def lint(result: LintResult) -> Document:
    """Render new findings, accepted findings with reasons, and findings of the baseline."""
    return _document(
        findings=[_finding(finding) for finding in result.findings],
        accepted=[{**_finding(a.finding), "reason": a.reason} for a in result.accepted],
        baseline=[_finding(finding) for finding in result.known],
        notes=list(result.notes),
    )


def monitor(result: Monitoring) -> Document:
    """Render promises with verdicts, findings, and every figure."""
    return _document(
        target=result.target,
        well=result.is_well,
        run=result.run,
        status=result.status,
        undone=result.undone,
        ended_at=result.ended_at.isoformat(),
        age_seconds=round(result.age, 3),
        window=result.window.name,
        promises=[
            {
                "subject": p.subject,
                "promise": p.promise,
                "verdict": p.verdict,
                "reason": p.reason,
                "differences": [
                    {"field": d.field, "left": d.live, "now": d.wanted} for d in p.differences
                ],
            }
            for p in result.promises
        ],
        findings=[asdict(finding) for finding in result.findings],
        figures=[asdict(figure) for figure in result.figures],
        unseen=list(result.unseen),
    )


def _finding(finding: Finding) -> dict[str, Any]:
    at = finding.position
    return {
        "rule": finding.rule,
        "severity": finding.severity,
        "object": finding.identity,
        "message": finding.message,
        "fix": finding.fix,
        "file": at.file.as_posix() if at else None,
        "line": at.line if at else None,
        "column": at.column if at else None,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "scale": measured.scale,
        "variant": measured.variant,
        "query": measured.query.name,
        "error": measured.error or None,
        "median": measured.elapsed,
        "percentile_95": measured.elapsed_95,
        "cpu": measured.cpu,
        "ratio": measured.ratio,
        "quartiles": measured.spread,
        "saved": measured.saved,
        "promised": measured.query.promise,
        "promise": measured.promise,
        "plan": asdict(measured.figures) if measured.figures else None,
        "samples": [asdict(sample) for sample in measured.samples],
    }


def servers(servers: Sequence[EmbeddedServer]) -> Document:
    """Render the kept servers."""
    return _document(
        servers=[
            {
                "name": server.name,
                "purpose": server.purpose,
                "major": server.major,
                "running": server.pid is not None,
                "pid": server.pid,
                "since": server.since.isoformat() if server.since else None,
                "idle_seconds": server.idle,
                "data": str(server.data),
                "socket": server.sockets,
            }
            for server in servers
        ]
    )


def run(detail: Detail) -> Document:
    """Render a run with the outcome of every step, and every object before and after."""
    outcomes = {
        record.step_id: record.model_dump(mode="json", exclude={"step_id"})
        for record in detail.steps
    }
    return _document(
        run=detail.run.model_dump(mode="json"),
        changes=[
            change.model_dump(mode="json", include={"action", "kind", "identity", "differences"})
            for change in detail.plan.changes
        ],
        steps=[_step(step, outcomes.get(step.id)) for step in detail.plan.steps],
        touched=[_touched(each) for each in detail.touched],
    )


def _step(step: Step, outcome: dict[str, Any] | None) -> dict[str, Any]:
    shown = step.model_dump(mode="json", include={"id", "action", "kind", "identity", "sql"})
    return {**shown, "outcome": outcome}


def _touched(touched: Touched) -> dict[str, Any]:
    return {
        "kind": touched.ref.kind,
        "identity": touched.ref.identity,
        "before": touched.before,
        "after": touched.after,
        "seen": touched.seen,
    }


def _document(**content: Any) -> Document:
    return json_document({"version": 1, **content})
