"""Prometheus' text format, for the textfile collector of its node exporter.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from reconciler.drift.result import CLASSES, DriftReport
from reconciler.escape import Document, document, one_line
from reconciler.monitor.result import FIGURES, Monitoring
from reconciler.rollout.result import STATUSES, RolloutReport

Sample = tuple[Mapping[str, str], float]

_DRIFT, _MONITOR, _ROLLOUT = "reconcile_drift", "reconcile_monitor", "reconcile_rollout"


def drift(report: DriftReport) -> Document:
    """Render the number of differing objects of each target by class, and when it was found."""
    return document(_lines(report))


def _lines(report: DriftReport) -> Iterator[str]:
    answered = [t for t in report.targets if not t.error]
    yield from _metric(
        f"{_DRIFT}_up",
        "Whether the target gave an answer.",
        [({"target": t.name}, float(not t.error)) for t in report.targets],
    )
    yield from _metric(
        f"{_DRIFT}_objects",
        "Objects that differ from the declaration, by class.",
        [
            ({"target": t.name, "class": c}, float(t.counts.get(c, 0)))
            for t in answered
            for c in CLASSES
        ],
    )
    yield from _metric(
        f"{_DRIFT}_security_objects",
        "Objects with a difference that decides who may do what.",
        [({"target": t.name}, float(t.security_count)) for t in answered],
    )
    yield from _metric(
        f"{_DRIFT}_unchanged_objects",
        "Declared objects that are as they should be.",
        [({"target": t.name}, float(t.unchanged)) for t in answered],
    )
    yield from _metric(
        f"{_DRIFT}_seconds",
        "How long the look took.",
        [({"target": t.name}, round(t.seconds, 3)) for t in answered],
    )
    yield from _metric(
        f"{_DRIFT}_timestamp_seconds",
        "When the look began, in seconds since 1970.",
        [({"target": t.name}, round(t.at, 3)) for t in report.targets],
    )


def rollout(report: RolloutReport) -> Document:
    """Render the status of each target, and the numbers of objects."""
    return document(_rollout_lines(report))


def _rollout_lines(report: RolloutReport) -> Iterator[str]:
    command = {"command": report.command}
    yield from _metric(
        f"{_ROLLOUT}_status",
        "What became of the target: 1 for one status, 0 for the others.",
        [
            ({**command, "target": r.name, "status": status}, float(status == r.status))
            for r in report.results
            for status in STATUSES
        ],
    )
    yield from _metric(
        f"{_ROLLOUT}_objects",
        "Objects by what became of them.",
        [
            ({**command, "target": r.name, "status": status}, float(number))
            for r in report.results
            for status, number in r.objects.items()
        ],
    )
    yield from _metric(
        f"{_ROLLOUT}_seconds",
        "How long the work on the target took.",
        [({**command, "target": r.name}, round(r.seconds, 3)) for r in report.results],
    )
    yield from _metric(
        f"{_ROLLOUT}_timestamp_seconds",
        "When the work on the target began, in seconds since 1970.",
        [({**command, "target": r.name}, round(r.at, 3)) for r in report.results if r.at],
    )


def monitor(result: Monitoring) -> Document:
    """Render the result of watching a run: counts, broken promises, and figures."""
    return document(_monitor_lines(result))


def _monitor_lines(result: Monitoring) -> Iterator[str]:
    own = {"database": result.target}
    run: Sample = ({**own, "run": str(result.run)}, round(result.age, 3))
    yield from _metric(f"{_MONITOR}_run_age_seconds", "Time since the run ended.", [run])
    verdicts = Counter(p.verdict for p in result.promises)
    yield from _metric(
        f"{_MONITOR}_promises",
        "Promises of the run and of the workload, by what became of them.",
        [
            ({**own, "verdict": verdict}, float(verdicts[verdict]))
            for verdict in ("kept", "not kept", "not measurable")
        ],
    )
    broken = (
        ({**own, "subject": p.subject, "promise": p.promise}, 1.0)
        for p in result.promises
        if p.verdict == "not kept"
    )
    yield from _metric(f"{_MONITOR}_promise_broken", "A promise that is not kept.", broken)
    yield from _metric(
        f"{_MONITOR}_findings", "Findings to look at.", [(own, float(len(result.findings)))]
    )
    found = Counter((f.rule, f.subject) for f in result.findings)
    yield from _metric(
        f"{_MONITOR}_finding",
        "Something to look at, by rule and subject.",
        [({**own, "rule": r, "subject": s}, float(n)) for (r, s), n in found.items()],
    )
    yield from chain.from_iterable(
        _metric(
            f"{_MONITOR}_{name}",
            meaning,
            [
                ({**own, "subject": f.subject}, f.value)
                for f in result.figures
                if f.name == name and f.value is not None
            ],
        )
        for name, meaning in FIGURES.items()
    )


def _metric(name: str, meaning: str, samples: Iterable[Sample]) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{name}{{{pairs}}} {value:.15g}"


def _escaped(text: str) -> str:
    """Return the value of a label, with quotes and line breaks escaped."""
    return one_line(text).replace("\\", r"\\").replace('"', r"\"")
