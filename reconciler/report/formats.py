"""Find the output formats: every format is a module of the package, of the same name.

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
- `servers(servers: Sequence[EmbeddedServer])`, the document of `embedded status`
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
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


def renderers(subject: Subject) -> dict[str, Renderer]:
    """Map names of formats to functions, for the formats able to show the subject."""
    found: dict[str, Renderer] = {}
    for module in iter_modules(package.__path__):
        render = getattr(import_module(f"{package.__name__}.{module.name}"), subject, None)
        if render is not None:
            found[module.name] = render
    return found
