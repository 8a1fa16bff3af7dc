"""Define the figures of a benchmark, and how they are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Literal

from reconciler.checks.workload import Query

Promise = Literal["kept", "not kept", "not measured"]


@dataclass(frozen=True)
class Sample:
    """One execution: milliseconds until the result was there, and milliseconds on a CPU.

    `cpu` is that of the backend, None where the system does not tell.
    """

    elapsed: float
    cpu: float | None


@dataclass(frozen=True)
class PlanFigures:
    """What EXPLAIN (ANALYZE, BUFFERS) tells of an execution.

    scans        how relations are read, in the order of the plan
    rows         in the result
    pages        of shared buffers that were read, of 8 kB unless the server was built otherwise
    estimated    rows that the planner expected of the node where it was most wrong
    actual       rows of that node
    evaluations  calls of the database's own functions; PostgreSQL counts none that it inlines
    """

    scans: tuple[str, ...]
    rows: int
    pages: int
    estimated: float
    actual: float
    evaluations: Mapping[str, int]


@dataclass(frozen=True)
class Measured:
    """A query in a variant at a scale; `error` tells why there is nothing else.

    `ratios` are those of the elapsed time to that of the baseline in the same round, `cpu_ratios`
    those of the time on a CPU.
    """

    scale: float
    variant: str
    query: Query
    samples: Sequence[Sample] = ()
    figures: PlanFigures | None = None
    ratios: Sequence[float] = ()
    cpu_ratios: Sequence[float] = ()
    error: str = ""

    @property
    def elapsed(self) -> float | None:
        """The median in milliseconds."""
        return median(s.elapsed for s in self.samples) if self.samples else None

    @property
    def elapsed_95(self) -> float | None:
        """The 95th percentile in milliseconds."""
        values = [s.elapsed for s in self.samples]
        return quantiles(values, n=20, method="inclusive")[-1] if len(values) > 1 else self.elapsed

    @property
    def cpu(self) -> float | None:
        """The median of the milliseconds on a CPU; None where that was not measured."""
        found = [s.cpu for s in self.samples if s.cpu is not None]
        return median(found) if found else None

    @property
    def compared(self) -> Sequence[float]:
        """The ratios of the times on a CPU, or where there are none of the elapsed times."""
        return self.cpu_ratios or self.ratios

    @property
    def ratio(self) -> float | None:
        """The median ratio to the baseline."""
        return median(self.compared) if self.compared else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """The first and the third quartile of the ratios."""
        if len(self.compared) < 2:
            return None
        first, _, third = quantiles(self.compared, n=4, method="inclusive")
        return first, third

    @property
    def saved(self) -> float | None:
        """Per cent of the baseline's time that the query saves; negative where it is slower."""
        return None if self.ratio is None else 100 * (1 - self.ratio)

    @property
    def promise(self) -> Promise | None:
        """Whether the query saves what was promised; None without a promise."""
        if self.query.promise is None:
            return None
        if self.saved is None:
            return "not measured"
        return "kept" if self.saved >= self.query.promise else "not kept"


@dataclass(frozen=True)
class Benchmark:
    """The figures of all queries, variants and scales.

    server    PostgreSQL's version and what the server runs on
    baseline  the variant to which the others are compared
    declared  the variant for which the promises are given
    counts    rows of the tables with rows, by scale and table
    """

    server: str
    baseline: str
    declared: str
    measured: Sequence[Measured]
    counts: Mapping[float, Mapping[str, int]] = field(
        default_factory=dict[float, Mapping[str, int]]
    )

    @property
    def scales(self) -> Sequence[float]:
        """The scales, in the order in which they were measured."""
        return list(dict.fromkeys(m.scale for m in self.measured))

    @property
    def variants(self) -> Sequence[str]:
        """The variants, the baseline first."""
        return list(dict.fromkeys(m.variant for m in self.measured))

    @property
    def broken(self) -> Sequence[Measured]:
        """The figures of the declared state that do not keep what was promised."""
        return [
            m
            for m in self.measured
            if m.variant == self.declared and m.promise in ("not kept", "not measured")
        ]

    def weighted(self, scale: float, variant: str) -> float | None:
        """Return the weighted mean of the median times, in milliseconds; None if one is missing."""
        found = [m for m in self.measured if (m.scale, m.variant) == (scale, variant)]
        times = [(m.query.weight, m.elapsed) for m in found]
        total = sum(weight for weight, _ in times)
        if not times or any(t is None for _, t in times):
            return None
        return sum(weight * (t or 0.0) for weight, t in times) / total
