"""Search for the shortest spelling of SQL with the same printed form."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Mapping, Sequence
from typing import TypeAlias, TypeVar

from reconciler.tidy.edits import Proposals
from reconciler.tidy.tokens import Edit, Sql

MAX_ASKED = 400  # spellings of one text; of what is left, PostgreSQL's own stays

# Yields spellings, is sent whether each means the same, and returns the last that does.
Search: TypeAlias = Generator[str, bool, str]
Key = TypeVar("Key", bound=Hashable)
# Tells which spellings mean the same as the texts with these keys.
Judge: TypeAlias = Callable[[Mapping[Key, str]], Mapping[Key, bool]]


def simpler(sql: str, schema: str, proposals: Sequence[Proposals]) -> Search:
    """Try the edits of each proposal, all together and then by halves."""
    left = MAX_ASKED
    for propose in proposals:
        divided = Sql(sql)
        if divided.edited([]) != sql:
            return sql
        accepted: list[Edit] = []
        waiting = [[*propose(divided, schema)]]
        while waiting and left:
            edits = waiting.pop()
            if not edits:
                continue
            left -= 1
            if (yield divided.edited([*accepted, *edits])):
                accepted += edits
            elif len(edits) > 1:
                half = len(edits) // 2
                waiting += [edits[half:], edits[:half]]
        sql = divided.edited(accepted)
    return sql


def search_all(searches: Mapping[Key, Search], judge: Judge[Key]) -> dict[Key, str]:
    """Run searches together, a spelling of each at a time; return the results."""
    found: dict[Key, str] = {}
    running = dict(searches)
    answers: Mapping[Key, bool | None] = dict.fromkeys(running)
    while running:
        asked: dict[Key, str] = {}
        for key, search in [*running.items()]:
            answer = answers[key]
            try:
                asked[key] = next(search) if answer is None else search.send(answer)
            except StopIteration as end:
                found[key] = end.value
                del running[key]
        answers = judge(asked) if asked else {}
    return found
