"""JUnit's XML for continuous integration: a test case for every check, and one for the structure.

The document of `drift` has a test case for each target, and one for each object that differs; that
of a roll-out has a test case for each target.

A vacuous check is a failure too: what is skipped counts as passed almost everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from reconciler.checks.result import Result
from reconciler.drift.result import DriftReport
from reconciler.escape import Document, document, one_line
from reconciler.plan.plan import Plan
from reconciler.report.changes import change_counts
from reconciler.report.drift_lines import difference_texts, history_of, title, verdict
from reconciler.report.rollout_lines import outcome
from reconciler.rollout.result import DIFFERENT, RolloutReport


def checks(plan: Plan, results: Sequence[Result]) -> Document:
    """Render the results of checks, and the differences from the declared structure."""
    suite = ET.Element("testsuite", name="reconcile verify")
    structure = [f"{c.action} {c.kind} {c.identity}" for c in plan.changes]
    _case(suite, "structure", "the structure is as declared", 0)
    if not plan.in_sync:
        _fail(suite[-1], "failed", change_counts(plan.changes), structure)
    for result in results:
        _case(suite, "checks", result.name, result.seconds)
        if not result.passed:
            complaints = [c for f in result.findings for c in f.complaint.split("\n")]
            _fail(suite[-1], result.status, complaints[0], complaints)
    return _finished(suite, sum(result.seconds for result in results))


def drift(report: DriftReport) -> Document:
    """Render the differences of each target; a target without an answer is an error."""
    suite = ET.Element("testsuite", name="reconcile drift")
    for target in report.targets:
        _case(suite, target.name, "the structure is as declared", target.seconds)
        if target.error:
            _fail(suite[-1], "error", verdict(target), target.error.split("\n"), tag="error")
        elif not target.in_sync:
            _fail(suite[-1], "different", verdict(target), ())
        for found in target.objects:
            _case(suite, target.name, found.title, 0)
            lines = [*difference_texts(found, ""), history_of(found)]
            _fail(suite[-1], found.drift_class, title(found), [line for line in lines if line])
    return _finished(suite, sum(target.seconds for target in report.targets))


def rollout(report: RolloutReport) -> Document:
    """Render a test case for each target; one that could not be worked on is an error."""
    suite = ET.Element("testsuite", name=f"reconcile {report.command}")
    for result in report.results:
        _case(suite, result.name, report.command, result.seconds)
        if result.exit:
            tag = "failure" if result.exit == DIFFERENT else "error"
            lines = [*result.message.split("\n"), *result.notes]
            _fail(suite[-1], result.status, outcome(result), lines, tag)
    return _finished(suite, sum(result.seconds for result in report.results))


def _finished(suite: ET.Element, seconds: float) -> Document:
    """Return the document, once the counts are filled in."""
    suite.set("tests", str(len(suite)))
    for name, tag in (("failures", "failure"), ("errors", "error")):
        suite.set(name, str(sum(len(case.findall(tag)) for case in suite)))
    suite.set("time", f"{seconds:.3f}")
    ET.indent(suite)
    lines = ET.tostring(suite, encoding="unicode").split("\n")
    return document(['<?xml version="1.0" encoding="UTF-8"?>', *lines])


def _case(suite: ET.Element, group: str, title: str, seconds: float) -> None:
    ET.SubElement(
        suite, "testcase", classname=one_line(group), name=one_line(title), time=f"{seconds:.3f}"
    )


def _fail(
    case: ET.Element, status: str, message: str, lines: Sequence[str], tag: str = "failure"
) -> None:
    failure = ET.SubElement(case, tag, type=status, message=one_line(message))
    failure.text = "\n".join(map(one_line, lines))
