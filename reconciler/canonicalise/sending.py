"""Make what is sent next while a server works."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def made_ahead(items: Iterable[Item], make: Callable[[Item], Made]) -> Iterator[tuple[Item, Made]]:
    """Yield each item with what is made of it; the next is made in a thread meanwhile."""
    with ThreadPoolExecutor(1) as thread:
        before: tuple[Item, Future[Made]] | None = None
        for item in items:
            making = thread.submit(make, item)
            if before is not None:
                yield before[0], before[1].result()
            before = item, making
        if before is not None:
            yield before[0], before[1].result()
