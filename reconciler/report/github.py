"""Workflow commands of GitHub Actions: annotations at the lines of the YAML files.

https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

from reconciler.escape import Document, workflow_document
from reconciler.lint.result import LintResult

COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}


def lint(result: LintResult) -> Document:
    """Render an annotation for each finding."""
    return workflow_document(
        (
            COMMANDS[finding.severity],
            {
                "file": finding.position.file.as_posix() if finding.position else "",
                "line": str(finding.position.line) if finding.position else "",
                "col": str(finding.position.column) if finding.position else "",
                "title": finding.rule,
            },
            f"{finding.identity}: {finding.message}\n{finding.fix}",
        )
        for finding in result.findings
    )
