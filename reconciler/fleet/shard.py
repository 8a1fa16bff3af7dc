"""Divide targets among independent processes, by a hash of the name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from reconciler.errors import SettingsError

OPTION = "--shard"
_SHARD = re.compile(r"(\d{1,6})/(\d{1,6})")


@dataclass(frozen=True)
class Shard:
    """One of `count` shards; `index` counts from 0, as JOB_COMPLETION_INDEX of Kubernetes does."""

    index: int
    count: int

    def has(self, name: str) -> bool:
        """Tell whether a target belongs to the shard, independently of other targets."""
        return int.from_bytes(sha256(name.encode()).digest()[:8]) % self.count == self.index

    def of(self, names: Iterable[str]) -> list[str]:
        """Return the names of the shard, in order."""
        return [name for name in names if self.has(name)]

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str) -> Shard:
    """Return the shard of `I/N`; raises SettingsError."""
    found = _SHARD.fullmatch(text.strip())
    if found is None or not int(found[1]) < int(found[2]):
        raise SettingsError(
            f"{OPTION} {text}: expected I/N, such as 0/4 to 3/4: I counts from 0, and is below N"
        )
    return Shard(int(found[1]), int(found[2]))
