"""Compose messages for webhooks: the differing objects, without values, which may be secret."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.escape import clipped, one_line
from reconciler.report.drift_lines import verdict

MAX_LISTED = 20  # objects of a target
MAX_TEXT = 3_000  # characters; Slack cuts longer texts
ICONS = {"ok": "✅", "different": "⚠️", "error": "❌"}


def generic(report: DriftReport) -> dict[str, Any]:
    """Return a document for programs: status, counts, and the differing objects of each target."""
    return {
        "version": 1,
        "source": "reconcile drift",
        "status": report.status,
        "targets": [_target(target) for target in report.targets],
    }


def _target(target: TargetDrift) -> dict[str, Any]:
    return {
        "name": one_line(target.name),
        "status": target.status,
        "summary": clipped(one_line(verdict(target)), MAX_TEXT),
        "classes": target.counts,
        "security": target.security_count,
        "objects": [
            {
                "kind": found.kind,
                "identity": one_line(found.identity),
                "class": found.drift_class,
                "security": found.security,
            }
            for found in target.objects[:MAX_LISTED]
        ],
        "more": max(0, len(target.objects) - MAX_LISTED),
    }


def slack(report: DriftReport) -> dict[str, Any]:
    """Return an incoming webhook's message: https://api.slack.com/messaging/webhooks"""
    text = "\n".join(line for target in report.targets for line in _slack_lines(target))
    cut = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
    return {"text": cut}


def _slack_lines(target: TargetDrift) -> Iterator[str]:
    yield f"{ICONS[target.status]} reconcile: {_quoted(target.name)}: {_quoted(verdict(target))}"
    for found in target.objects[:MAX_LISTED]:
        mark = " [security]" if found.security else ""
        yield f"• {found.drift_class}{mark}: {_quoted(found.title)}"
    if (more := len(target.objects) - MAX_LISTED) > 0:
        yield f"• and {more} more"


def _quoted(text: str) -> str:
    """Return text without links, mentions and references for Slack."""
    shown = one_line(text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "'")):
        shown = shown.replace(character, entity)
    return f"`{shown}`"


FORMS: Mapping[str, Callable[[DriftReport], dict[str, Any]]] = {"json": generic, "slack": slack}
