"""Know declared objects that were found equal to the live ones, without a scratch server.

PostgreSQL decides whether two spellings mean the same, so a declared object that is not spelled as
the target prints it is built on scratch. The answer is the same as long as the object, the live
object, and all that either may depend on are the same: what they need, what has a name in the
declared SQL, and what SQL uses without a name, such as operators and casts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from threading import Lock
from typing import cast

from reconciler.cache import Cache, digest_of, program_stamps, stamps_of
from reconciler.canonicalise.canonical import Canonical
from reconciler.canonicalise.named import names_in
from reconciler.canonicalise.overlay import Desired
from reconciler.introspect.introspect import Snapshot
from reconciler.model.object import Object
from reconciler.model.on_scratch import brings
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State
from reconciler.server.installation import places_of_programs

SECTION = "equal"


@dataclass(frozen=True)
class Forms:
    """The pairs of a declared and a live object that are known to be equal, as digests.

    `scratch` is the choice of a scratch server. Only those that reconcile starts itself are known
    to decide in the same way as before. `equal` are the pairs that this process has met: databases
    of the same shape share them. `turn` is taken by the one that works on the scratch server.
    """

    cache: Cache | None
    scratch: str
    equal: set[str] = field(default_factory=set[str])
    turn: Lock = field(default_factory=Lock)

    def key(self, database: str) -> str:
        """Return the key of the pairs of a database."""
        return digest_of(database, self._servers, [*program_stamps()])

    @cached_property
    def _servers(self) -> str:
        return digest_of(self.scratch, stamps_of(places_of_programs()))


@dataclass(frozen=True)
class KnownForms:
    """The pairs of a plan: of a live state, and of a declaration laid over it."""

    forms: Forms
    live: Snapshot
    declaration: Declaration
    _latest: list[tuple[Desired, dict[Ref, str]]] = field(
        default_factory=list[tuple[Desired, dict[Ref, str]]], compare=False
    )

    @cached_property
    def _stored(self) -> frozenset[str]:
        """The digests of the pairs that earlier runs have found equal."""
        cache = self.forms.cache
        found = cache.get(SECTION, self.forms.key(self.live.database)) if cache else None
        pairs = cast("list[object]", found) if isinstance(found, list) else []
        return frozenset(p for p in pairs if isinstance(p, str))

    def _is_known(self, pair: str) -> bool:
        return pair in self._stored or pair in self.forms.equal

    def settled(self, desired: Desired) -> Desired:
        """Put the live object in place of every declared one that is known to be equal."""
        pairs = self._pairs(desired)
        if not pairs:
            return desired
        known = {r: pair for r, pair in pairs.items() if self._is_known(pair)}
        self.forms.equal.update(known.values())
        equal = {r: self.live.state[r] for r in known}
        return replace(desired, objects={**desired.objects, **equal})

    def remember(self, desired: Desired, compared: Canonical) -> None:
        """Store which objects of `desired` PostgreSQL has found equal to the live ones, or had."""
        pairs = self._pairs(desired)
        doubtful = {*compared.left_out, *compared.stale}
        equal = frozenset(
            pair
            for ref, pair in pairs.items()
            if self._is_known(pair)
            or (
                ref not in doubtful
                and ref in compared.live
                and all(
                    compared.live.get(r) == compared.desired.get(r)
                    for r in (ref, *brings(desired.objects[ref]))
                )
            )
        )
        self.forms.equal.update(equal)
        if self.forms.cache and self._stored != equal:
            self.forms.cache.put(SECTION, self.forms.key(self.live.database), sorted(equal))

    def _pairs(self, desired: Desired) -> dict[Ref, str]:
        """Return the digests of declared objects that are not spelled as the live ones."""
        if self._latest and self._latest[-1][0] is desired:
            return self._latest[-1][1]
        self._latest[:] = [(desired, self._digested(desired))]
        return self._latest[-1][1]

    def _digested(self, desired: Desired) -> dict[Ref, str]:
        live, later = self.live.state, State(desired.objects, self.live.state.edges)
        known = live.objects
        spelled = [
            r
            for r, obj in desired.objects.items()
            if (was := known.get(r)) is not obj
            and was is not None
            and obj != was
            and desired.source.get(r) in self.declaration.objects
        ]
        if not spelled:
            return {}
        states, context = (_Digests(live), _Digests(later)), self.live.context
        around = digest_of(
            context.server.version,
            context.user,
            repr(context.tablespaces),
            [*self.live.kept],
            [state.nameless for state in states],
        )
        return {r: self._pair(r, desired, states, around) for r in spelled}

    def _pair(
        self, ref: Ref, desired: Desired, states: tuple[_Digests, _Digests], around: str
    ) -> str:
        origin = desired.source[ref]
        declared = self.declaration.objects[origin]
        objects = declared, desired.objects[ref], self.live.state[ref]
        names = {name for obj in objects for name in names_in(obj)}
        return digest_of(
            around,
            self.declaration.search_path.get(origin, ""),
            [_own(obj) for obj in objects],
            [state.around(ref, names) for state in states],
        )


class _Digests:
    """Digests of the objects of a state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.own: dict[Ref, str] = {}

    def around(self, ref: Ref, names: Iterable[str]) -> str:
        """Return a digest of the object's table, the named objects, and their dependencies."""
        start = {ref, *(r for name in names for r in self._named.get(name, ()))}
        start |= {r.on for r in start if r.on is not None}
        found, waiting = set[Ref](), [*start]
        waiting += (o.ref for r in start for o in self.state.objects_on(r))
        while waiting:
            member = waiting.pop()
            if member not in found and member in self.state:
                found.add(member)
                waiting += self.state.needs(member)
                waiting += (p.ref for p in self.state.parts(member))
        return digest_of(sorted(self._of(r) for r in found))

    @cached_property
    def nameless(self) -> str:
        """A digest of operators and casts, used without a name, and of objects outside schemas."""
        found = (r for r in self.state if r.on is None)
        return digest_of(
            sorted(self._of(r) for r in found if not r.schema or not r.name.isidentifier())
        )

    @cached_property
    def _named(self) -> Mapping[str, list[Ref]]:
        found: dict[str, list[Ref]] = {}
        for ref in self.state:
            if ref.on is None:
                found.setdefault(ref.name, []).append(ref)
        return found

    def _of(self, ref: Ref) -> str:
        known = self.own.get(ref)
        if known is None:
            known = self.own[ref] = _own(self.state[ref])
        return known


def _own(obj: Object) -> str:
    """Return a digest of an object's identity, fields, and which of them are given."""
    content = [str(obj.ref), obj.fields(), sorted(obj.model_fields_set)]
    return sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
