"""Build a state on a scratch server, object by object, and say what PostgreSQL refuses and which object is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from psycopg import Rollback

from reconciler.errors import StatementFailed
from reconciler.model.markers import AppliesLast
from reconciler.model.object import InlinePart, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, joined, literal, text

SCHEMAS = "SELECT nspname::text AS name FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY nspname <> 'public', nspname"
BATCH = 50
Failures = dict[Ref, StatementFailed]
Make = Callable[[Ref], Iterable[Statement]]


@dataclass(frozen=True)
class Build:
    """One state on its way into an empty database.

    `paths` holds the search path of each object whose SQL people wrote; what is in it has the bodies of its routines
    checked too. Everything else is SQL that PostgreSQL printed, and qualified.
    """

    connection: Connection
    state: State
    context: PlanningContext
    paths: Mapping[Ref, str]
    trusting: set[Ref] = field(
        default_factory=set[Ref]
    )  # whose bodies are looked at once everything is there
    beyond: dict[Ref, tuple[str, ...]] = field(
        default_factory=dict[Ref, tuple[str, ...]]
    )  # further schemas on their search paths
    made: dict[Ref, int] = field(default_factory=dict[Ref, int])  # in which order that worked

    def all(self) -> Failures:
        """Create every object, what others need first; returns what PostgreSQL refused, and why.

        What people's SQL needs is known only to PostgreSQL: an object that it refuses waits until others are there.
        """
        whole = [
            r
            for r in ordered(self.state)
            if not (isinstance(self.state[r], InlinePart) and r.on in self.state)
        ]
        failed = self._these([r for r in whole if not isinstance(self.state[r], AppliesLast)])
        return failed | self._these([r for r in whole if isinstance(self.state[r], AppliesLast)])

    def _these(self, waiting: list[Ref]) -> Failures:
        later = [r for r in waiting if self.state[r].deferred_needs()]
        failed: Failures = {}
        while waiting:
            failed = self._each(
                waiting,
                lambda r: self.state[r].create(self.context, self.state.parts(r), online=False),
            )
            self.made.update((r, len(self.made)) for r in waiting if r not in failed)
            if len(failed) == len(waiting):
                if self.trusting >= failed.keys():
                    break
                self.trusting.update(failed)
            waiting = list(failed)
        failed |= self._looked_at(
            [r for r in self.trusting if r not in failed and r.arguments is not None]
        )
        failed |= self._each(
            (r for r in later if r not in failed),
            lambda r: self.state[r].complete(None, self.context),
        )
        return failed

    def _looked_at(self, refs: Iterable[Ref]) -> Failures:
        """Read the bodies of routines that need what needs them, now that all of it is there.

        What its own schema does not have may be meant to come from any other: its callers have search paths of their own.
        """
        known = list(refs)
        self.trusting.clear()

        def look(refs: Iterable[Ref]) -> Failures:
            return self._each(
                refs, lambda r: self.state[r].redefine(self.state[r], self.context) or ()
            )

        if failed := look(known):
            schemas = tuple(row["name"] for row in rows(self.connection, SCHEMAS))
            self.beyond.update(dict.fromkeys(failed, schemas))
            failed = {r: e for r, e in failed.items() if r in look(failed)}
        return failed

    def culprits(self, failed: Failures) -> Failures:
        """Of all that failed, what failed by itself and not because of something that it needs."""
        roots = {
            r: e for r, e in failed.items() if not self.state.needs(r) & failed.keys()
        } or failed
        found: Failures = {}
        for ref, e in roots.items():
            found |= self._parts_to_blame(ref) or {ref: e}
        return found

    def _parts_to_blame(self, ref: Ref) -> Failures:
        """The parts that people wrote with which alone the object cannot be created."""
        failed: Failures = {}
        for part in self.state.parts(ref):
            if part.ref in self.paths:
                try:
                    self._try(ref, [part])
                except StatementFailed as e:
                    failed[part.ref] = e
        return failed

    def _try(self, ref: Ref, parts: list[InlinePart]) -> None:
        with self.connection.transaction():
            self._run([ref], lambda r: self.state[r].create(self.context, parts, online=False))
            raise Rollback

    def _each(self, refs: Iterable[Ref], statements: Make) -> Failures:
        """Each in a transaction of its own; as long as nothing is refused, many in one, which is quicker."""
        failed: Failures = {}
        for some in batched(refs):
            try:
                with self.connection.transaction():
                    self._run(some, statements)
            except StatementFailed:
                failed |= self._singly(some, statements)
        return failed

    def _singly(self, refs: Iterable[Ref], statements: Make) -> Failures:
        failed: Failures = {}
        for ref in refs:
            try:
                with self.connection.transaction():
                    self._run([ref], statements)
            except StatementFailed as e:
                failed[ref] = e
        return failed

    def _run(self, refs: Iterable[Ref], statements: Make) -> None:
        said = None
        for ref in refs:
            path = next(
                (
                    self.paths[r]
                    for r in (ref, *(p.ref for p in self.state.parts(ref)))
                    if r in self.paths
                ),
                "",
            )
            check = "on" if ref in self.paths and ref not in self.trusting else "off"
            if said != (told := ((path, *self.beyond.get(ref, ())), check)):
                listed = joined(map(literal, told[0]))
                run_sql(self.connection, text(compose("SET LOCAL search_path TO {}", listed)))
                run_sql(self.connection, f"SET LOCAL check_function_bodies TO {check}")
                said = told
            for statement in statements(ref):
                run_sql(self.connection, statement.sql)


def batched(refs: Iterable[Ref]) -> Iterator[Sequence[Ref]]:
    """As many at a time as the locks of one transaction may safely be."""
    left = iter(refs)
    while some := list(islice(left, BATCH)):
        yield some


def ordered(state: State) -> list[Ref]:
    """The refs with what each needs before it; a cycle is broken where it is entered."""
    found: dict[Ref, None] = {}
    for start in state:
        todo: list[tuple[Ref, bool]] = [(start, False)]
        seen: set[Ref] = set()
        while todo:
            ref, done = todo.pop()
            if done:
                found.setdefault(ref)
            elif ref not in found and ref not in seen:
                seen.add(ref)
                todo.append((ref, True))
                parts = (n for p in state.parts(ref) for n in state.needs(p.ref) if n != ref)
                todo += [
                    (n, False)
                    for n in (
                        *sorted(state.needs(ref), key=lambda r: r.order, reverse=True),
                        *parts,
                    )
                ]
    return list(found)
