"""The capability of objects on which nothing runs on scratch: subscriptions, roles."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, NamedTuple, Self

from reconciler.model.object import Object

NOTHING = "SELECT"  # what runs on scratch in place of a command


class Obstacle(NamedTuple):
    """A reason why a declared object cannot be had, the key at fault, and what to do."""

    key: str
    reason: str
    remedy: str


class KeptOffScratch(Object):
    """An object that is taken to be on scratch what the plan expects, and never made there."""

    unproven: ClassVar[str]  # what a proof leaves open, as a clause about the object

    def obstacles(self, live: Self | None) -> Iterator[Obstacle]:
        """Yield why the declared object cannot be created, or cannot replace `live`."""
        del live
        yield from ()
