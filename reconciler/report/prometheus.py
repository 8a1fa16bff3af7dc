"""Prometheus' text format, for the textfile collector of its node exporter.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.drift.result import CLASSES, DriftReport
from reconciler.escape import Document, document, one_line

Sample = tuple[Mapping[str, str], float]


def drift(report: DriftReport) -> Document:
    """Render the number of differing objects of each target by class, and when it was found."""
    return document(_lines(report))


def _lines(report: DriftReport) -> Iterator[str]:
    answered = [t for t in report.targets if not t.error]
    yield from _metric(
        "up",
        "Whether the target gave an answer.",
        [({"target": t.name}, float(not t.error)) for t in report.targets],
    )
    yield from _metric(
        "objects",
        "Objects that differ from the declaration, by class.",
        [
            ({"target": t.name, "class": c}, float(t.counts.get(c, 0)))
            for t in answered
            for c in CLASSES
        ],
    )
    yield from _metric(
        "security_objects",
        "Objects with a difference that decides who may do what.",
        [({"target": t.name}, float(t.security_count)) for t in answered],
    )
    yield from _metric(
        "unchanged_objects",
        "Declared objects that are as they should be.",
        [({"target": t.name}, float(t.unchanged)) for t in answered],
    )
    yield from _metric(
        "seconds",
        "How long the look took.",
        [({"target": t.name}, round(t.seconds, 3)) for t in answered],
    )
    yield from _metric(
        "timestamp_seconds",
        "When the look began, in seconds since 1970.",
        [({"target": t.name}, round(t.at, 3)) for t in report.targets],
    )


def _metric(name: str, meaning: str, samples: Sequence[Sample]) -> Iterator[str]:
    full = f"reconcile_drift_{name}"
    yield f"# HELP {full} {meaning}"
    yield f"# TYPE {full} gauge"
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{full}{{{pairs}}} {value:.15g}"


def _escaped(text: str) -> str:
    """Return the value of a label, which a quote or a line break would end."""
    return one_line(text).replace("\\", r"\\").replace('"', r"\"")
