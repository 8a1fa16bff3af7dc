"""Render one self-contained HTML page, which loads nothing and runs nothing.

Every value is escaped by Jinja2 and shows what is hidden in it; only the templates write markup.
The page's policy (CSP) allows this style sheet alone.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reconciler.counted import agreeing, as_they_should_be, counted
from reconciler.errors import SettingsError
from reconciler.escape import Document, clipped, html_document, one_line
from reconciler.evidence.model import Evidence, Sourced
from reconciler.plan.plan import Plan
from reconciler.report import content
from reconciler.report.changes import allow_flags, change_counts, described_locks
from reconciler.report.drawing import draw_graph, draw_order, draw_times, level_of
from reconciler.report.figures import NOT_MEASURED, NOT_RECORDED
from reconciler.report.procedure import preparation, procedure, watch_list
from reconciler.report.units import units_of

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
MISSING = "--format html needs Jinja2: pip install 'pg-reconciler[report]'"


def plan(plan: Plan) -> Document:
    """Render the page of a plan alone: nothing is measured yet."""
    return report(Evidence(Sourced(plan, "reconcile plan")))


def report(evidence: Evidence) -> Document:
    """Render the report: changes, order, locks, measurements, verification, rollback."""
    return _render("report.html", evidence)


def runbook(evidence: Evidence) -> Document:
    """Render the runbook: before, apply, after, what to watch, rollback."""
    return _render("runbook.html", evidence)


def assert_renderable() -> None:
    """Raise SettingsError without Jinja2."""
    if find_spec("jinja2") is None:
        raise SettingsError(MISSING)


def _render(template: str, evidence: Evidence) -> Document:
    assert_renderable()
    plan, units = evidence.plan.content, units_of(evidence.plan.content, evidence.application)
    page = (
        _environment()
        .get_template(template)
        .render(
            evidence=evidence,
            plan=plan,
            units=units,
            graph=draw_graph(units),
            order=draw_order(units),
            times=draw_times(units),
            rows=content.change_rows(evidence),
            preparation=preparation(),
            sections=procedure(evidence),
            watched=list(watch_list(plan)),
            **_style(),
        )
    )
    return html_document(page)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - optional

    environment: Any = Environment(
        autoescape=True,
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        content=content,
        NOT_MEASURED=NOT_MEASURED,
        NOT_RECORDED=NOT_RECORDED,
        agreeing=agreeing,
        allow_flags=allow_flags,
        as_they_should_be=as_they_should_be,
        change_counts=change_counts,
        counted=counted,
        described_locks=described_locks,
        level_of=level_of,
        value=_value,
    )
    environment.filters["own"] = _own_text
    environment.filters["lines"] = _lines
    return environment


def _shown(value: object) -> object:
    """Return a value of a template as one line; markup of the templates stays as it is."""
    return value if hasattr(value, "__html__") else clipped(one_line(str(value)))


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _lines(text: str) -> Iterator[str]:
    """Split a text at line breaks, which are shown; other hidden characters are escaped."""
    return iter(text.split("\n"))


def _own_text(text: str) -> Markup:
    """Return a text of this program with backticks around code as HTML; the code is escaped."""
    from markupsafe import Markup  # noqa: PLC0415 - optional

    parts = text.split("`")
    tags = ("%s", "<code>%s</code>")
    return Markup("").join(
        Markup(tags[n % 2]) % one_line(part)  # noqa: S704 - the two constants above
        for n, part in enumerate(parts)
    )


@cache
def _style() -> dict[str, Any]:
    """Return the style sheet, and the hash of the style sheet for the page's policy."""
    from markupsafe import Markup  # noqa: PLC0415 - optional

    sheet = (TEMPLATES / "style.css").read_text(encoding="utf-8").strip()
    digest = b64encode(sha256(sheet.encode()).digest()).decode()
    return {"style": Markup(sheet), "style_hash": f"sha256-{digest}"}  # noqa: S704 - our own file
