"""Look at a database as it is, whatever is declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from reconciler.lint.accept import accept, check_rule_names
from reconciler.lint.look import findings_on, measured_of
from reconciler.lint.result import LintResult
from reconciler.lint.rule import Finding
from reconciler.lint.settings import LintSettings
from reconciler.server.connection import Connection


def lint_database(
    connection: Connection, settings: LintSettings, schemas: Collection[str]
) -> LintResult:
    """Return the findings on all objects, or on those of some schemas; raises ReconcileError."""
    check_rule_names(None, settings)
    found = findings_on(connection, settings.api_roles)
    result = accept(in_schemas(found, schemas), None, settings)
    return replace(result, measured=measured_of(found), is_repeatable=True)


def in_schemas(findings: Iterable[Finding], schemas: Collection[str]) -> list[Finding]:
    """Return the findings in the schemas, and those on objects without one; all without schemas."""
    return [f for f in findings if not schemas or f.ref is None or f.ref.schema in schemas]
