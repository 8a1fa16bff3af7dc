"""Divide targets into batches, and tell when failures end a roll-out.

The words are those of Ansible:
https://docs.ansible.com/ansible/latest/playbook_guide/playbooks_strategies.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import BaseModel, ConfigDict, Field, field_validator

MAX_BATCHES = 100
_SHARE = re.compile(r"(\d{1,6})\s*(%?)")


@dataclass(frozen=True)
class BatchSize:
    """The size of a batch: a number of targets, or a percentage of all."""

    number: int
    of_hundred: bool = False

    def of(self, total: int) -> int:
        """Return the number of targets, at least one."""
        return max(1, self.number * total // 100) if self.of_hundred else self.number

    def __str__(self) -> str:
        return f"{self.number}%" if self.of_hundred else str(self.number)


DEFAULT = (BatchSize(1), BatchSize(10, of_hundred=True), BatchSize(100, of_hundred=True))


def parse_sizes(given: Sequence[object]) -> tuple[BatchSize, ...]:
    """Return the sizes of batches, for example 1 and 10%; raises ValueError."""
    sizes = tuple(map(_parse_size, given))
    if not 0 < len(sizes) <= MAX_BATCHES:
        raise ValueError(f"expected 1 to {MAX_BATCHES} sizes of batches, such as 1, 10%, 100%")
    return sizes


def _parse_size(given: object) -> BatchSize:
    found = None if isinstance(given, bool) else _SHARE.fullmatch(str(given).strip())
    if found is None or not 0 < int(found[1]) <= (100 if found[2] else 1_000_000):
        raise ValueError(
            f"expected a number of targets from 1, or a percentage from 1% to 100%, not {given!r}"
        )
    return BatchSize(int(found[1]), bool(found[2]))


def sizes_of_batches(sizes: Sequence[BatchSize], total: int) -> Iterator[int]:
    """Yield the sizes of the batches of `total` targets without end: the last size repeats."""
    yield from (size.of(total) for size in sizes)
    while True:
        yield sizes[-1].of(total)


class RolloutSettings(BaseModel):
    """The order of a roll-out over several targets, and the conditions for ending early."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    serial: tuple[BatchSize, ...] = Field(
        default=DEFAULT,
        description="the sizes of the batches: numbers of targets, or percentages of those that"
        " change; the last is repeated",
    )
    max_fail_percentage: float = Field(
        default=0.0,
        ge=0,
        le=100,
        description="the share of a batch that may fail; more ends the roll-out",
    )
    any_errors_fatal: bool = Field(
        default=False,
        description="whether a target that is down, locked or changed meanwhile ends it too",
    )

    @field_validator("serial", mode="before")
    @classmethod
    def _sizes(cls, given: object) -> object:
        if given is None or isinstance(given, dict):
            raise ValueError("expected a size, or a list of sizes, such as [1, 10%, 100%]")
        listed = cast("Sequence[object]", given) if isinstance(given, list | tuple) else [given]
        return parse_sizes(listed)

    def ends(self, failed: int, deferred: int, size: int) -> bool:
        """Tell whether a roll-out ends, by the failed and deferred targets of a batch of `size`."""
        if self.any_errors_fatal and failed + deferred:
            return True
        return failed * 100 > self.max_fail_percentage * size
