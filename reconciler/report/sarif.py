"""Render SARIF 2.1.0 for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

from typing import Any

from reconciler.escape import Document, json_document
from reconciler.lint.result import LintResult
from reconciler.lint.rule import Finding
from reconciler.lint.rules import all_rules
from reconciler.version import version

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
VERSION = "2.1.0"


def lint(result: LintResult) -> Document:
    """Render the findings; accepted ones are suppressed results."""
    rules = [
        {
            "id": rule.name,
            "shortDescription": {"text": rule.summary},
            "fullDescription": {"text": rule.why},
            "defaultConfiguration": {"level": rule.severity},
        }
        for rule in all_rules().values()
    ]
    results = [_result(finding) for finding in result.findings]
    for accepted in result.accepted:
        suppression = {"kind": "inSource", "justification": accepted.reason}
        results.append({**_result(accepted.finding), "suppressions": [suppression]})
    results += [{**_result(f), "baselineState": "unchanged"} for f in result.known]
    driver = {"name": "reconcile", "version": version(), "rules": rules}
    run = {"tool": {"driver": driver}, "results": results}
    return json_document({"$schema": SCHEMA, "version": VERSION, "runs": [run]})


def _result(finding: Finding) -> dict[str, Any]:
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": finding.identity, "kind": "object"}]
    }
    if finding.position is not None:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": finding.position.file.as_posix()},
            "region": {
                "startLine": finding.position.line,
                "startColumn": finding.position.column,
            },
        }
    return {
        "ruleId": finding.rule,
        "level": finding.severity,
        "message": {"text": f"{finding.identity}: {finding.message}\n\n{finding.fix}"},
        "locations": [location],
        "partialFingerprints": {"object": f"{finding.rule} {finding.identity}"},
    }
