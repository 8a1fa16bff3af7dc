"""JUnit's XML for continuous integration: a test case for every check, and one for the structure.

A vacuous check is a failure too: what is skipped counts as passed almost everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from reconciler.checks.result import Result
from reconciler.escape import Document, document, one_line
from reconciler.plan.plan import Plan
from reconciler.report.changes import change_counts


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
    suite.set("tests", str(len(suite)))
    suite.set("failures", str(sum(len(case) for case in suite)))
    suite.set("time", f"{sum(result.seconds for result in results):.3f}")
    ET.indent(suite)
    lines = ET.tostring(suite, encoding="unicode").split("\n")
    return document(['<?xml version="1.0" encoding="UTF-8"?>', *lines])


def _case(suite: ET.Element, group: str, title: str, seconds: float) -> None:
    ET.SubElement(suite, "testcase", classname=group, name=one_line(title), time=f"{seconds:.3f}")


def _fail(case: ET.Element, status: str, message: str, lines: Sequence[str]) -> None:
    failure = ET.SubElement(case, "failure", type=status, message=one_line(message))
    failure.text = "\n".join(map(one_line, lines))
