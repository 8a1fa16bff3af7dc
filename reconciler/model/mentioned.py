"""Find the objects that the bodies of routines name, which pg_depend does not list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from functools import cached_property

from reconciler.model.default_path import names_in
from reconciler.model.inheritance import Inheritable
from reconciler.model.object import Object
from reconciler.model.on_scratch import looked_up
from reconciler.model.ref import Ref
from reconciler.model.state import State


class Mentioned:
    """The objects of a state by the words of their names."""

    def __init__(self, state: State) -> None:
        self._state = state

    @cached_property
    def _by_name(self) -> Mapping[str, Set[Ref]]:
        found: dict[str, set[Ref]] = {}
        for ref in self._state:
            if ref.on is None and ref.schema:
                found.setdefault(ref.name.lower(), set()).add(ref)
        return found

    def by(self, ref: Ref) -> Set[Ref]:
        """Return the objects that the body of a routine may name, in whatever schema.

        A routine with a search_path of its own looks nothing up on that of its callers.
        """
        body = looked_up(self._state.get(ref))
        if not body:
            return frozenset()
        return {r for word in names_in(body) for r in self._by_name.get(word, ())} - {ref}

    def routines(self, start: Iterable[Ref]) -> Iterator[Object]:
        """Yield the routines that run on the search_path of a statement for `start`."""
        roots = {*start}
        seen, rest = {*roots}, [*roots]
        while rest:
            for needed in sorted(self._called_by(rest.pop()) - seen, key=str):
                seen.add(needed)
                if is_not_read(needed, roots, self._state):
                    continue
                obj = self._state[needed]
                if looked_up(obj) is not None:
                    rest.append(needed)
                    if needed.arguments is not None:
                        yield obj

    def _called_by(self, ref: Ref) -> Set[Ref]:
        return self._state.needs(ref) | self.by(ref)


def is_not_read(needed: Ref, roots: Set[Ref], state: State) -> bool:
    """Tell whether a statement for `roots` evaluates no code of an object that it needs.

    A statement for a part of a table names that table, and whatever reads columns computes no
    value.
    """
    if needed in {r.on for r in roots}:
        return True
    return needed.on is not None and isinstance(state.get(needed), Inheritable)
