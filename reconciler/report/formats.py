"""Find the output formats: every format is a module of the package, of the same name.

FORMATS lists the formats of each subject, because the modules are slow to import.

For every subject that a format can show, its module defines a function of the subject's name which
returns a document, made by `reconciler.escape`:

- `plan(plan: Plan)`
- `differences(plan: Plan)`, the document of `diff`
- `drift(report: DriftReport)`
- `checks(plan: Plan, results: Sequence[Result])`, the document of `verify`
- `history(runs: Sequence[Run])` and `run(detail: Detail)`, the documents of `history`
- `benchmark(benchmark: Benchmark)`, the document of `bench`
- `lint(result: LintResult)`, the document of `lint`
- `validation(folder: Path, declaration: Declaration)`, the document of `validate`
- `error(error: ReconcileError)`, the document instead of another one if a command fails
- `report(evidence: Evidence)` and `runbook(evidence: Evidence)`, the documents of `report`
- `monitor(result: Monitoring)`, the document of `monitor`
- `rollout(report: RolloutReport)`, the document of commands over several targets
- `servers(servers: Sequence[EmbeddedServer])`, the document of `embedded status`
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Literal

import reconciler.report as package
from reconciler.escape import Document

Subject = Literal[
    "plan",
    "differences",
    "drift",
    "checks",
    "history",
    "run",
    "rollout",
    "servers",
    "benchmark",
    "lint",
    "report",
    "runbook",
    "monitor",
    "validation",
    "error",
]
Renderer = Callable[..., Document]

FORMATS: Mapping[Subject, tuple[str, ...]] = {
    "plan": ("github", "html", "json", "markdown", "sql", "text"),
    "differences": ("json", "text"),
    "drift": ("github", "json", "junit", "markdown", "prometheus", "text"),
    "checks": ("json", "junit", "markdown", "text"),
    "history": ("json", "text"),
    "run": ("json", "text"),
    "rollout": ("json", "junit", "prometheus", "text"),
    "servers": ("json", "text"),
    "benchmark": ("json", "markdown", "text"),
    "lint": ("github", "json", "sarif", "text"),
    "report": ("html", "markdown"),
    "runbook": ("html", "markdown"),
    "monitor": ("json", "prometheus", "text"),
    "validation": ("github", "text"),
    "error": ("github", "markdown"),
}
MODULES = {("lint", "text"): "text_lint"}  # where another module has the function of a format


def renderer(subject: Subject, name: str) -> Renderer:
    """Return the function that shows a subject in a format; raises KeyError for another format."""
    if name not in FORMATS[subject]:
        raise KeyError(name)
    module = MODULES.get((subject, name), name)
    found: Renderer = getattr(import_module(f"{package.__name__}.{module}"), subject)
    return found


def renderers(subject: Subject) -> dict[str, Renderer]:
    """Map names of formats to functions, for the formats able to show the subject."""
    return {name: renderer(subject, name) for name in FORMATS[subject]}
