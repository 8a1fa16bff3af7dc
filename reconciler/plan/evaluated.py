"""Note functions of other roles that a plan's steps evaluate as the role that applies the plan.

A new CHECK, its validation, the default of a new column, a generated column and a rewrite evaluate
expressions over the rows as the role that runs the statement: PostgreSQL has no way to run them as
the owner of the table. CREATE MATERIALIZED VIEW runs its query as that role, too, before the view
is given to its owner. Backfills, index builds and REFRESH MATERIALIZED VIEW run as the owner.

Casts that PostgreSQL applies without an expression, as in a foreign key, are not seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.diff.diff import Change
from reconciler.model.inheritance import Inheritable
from reconciler.model.mentioned import is_not_read
from reconciler.model.on_scratch import FilledByQuery
from reconciler.model.owned import owner_of
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import HazardKind
from reconciler.plan.step import Step


def evaluated_code(
    changes: Sequence[Change], steps: Sequence[Step], desired: State, user: str
) -> list[str]:
    """Return a note for each function of another role that `user`, the applying role, runs."""
    if not changes and not steps:
        return []
    return [
        f"{ref} evaluates {function}, a function of {owner}, as {user}, who applies the plan: "
        f"{owner} can change what it does"
        for ref in (*_evaluated(changes, steps, desired), *_filled(steps, desired, user))
        for function, owner in _foreign_routines(ref, desired, user)
    ]


def _evaluated(changes: Sequence[Change], steps: Sequence[Step], desired: State) -> Iterator[Ref]:
    """Yield created and altered parts of existing tables, and all parts of rewritten tables."""
    rewritten = {
        s.relation for s in steps if any(h.hazard is HazardKind.TABLE_REWRITE for h in s.hazards)
    }
    changed = {c.ref for c in changes if c.desired is not None}
    created = {c.ref for c in changes if c.action == "create"}
    for ref, obj in desired.objects.items():
        # a column or a constraint; an index is built as the owner of the table
        if not isinstance(obj, Inheritable) or obj.relation or ref.on is None or ref.on in created:
            continue
        if ref in changed or ref.on.identity in rewritten:
            yield ref


def _filled(steps: Sequence[Step], desired: State, user: str) -> Iterator[Ref]:
    """Yield new objects, and others of `user`, that steps fill by a query: it runs as `user`."""
    places = {(o.ref.kind, o.ref.identity): o for o in desired.of(FilledByQuery)}
    for step in steps if places else ():
        obj = places.get((step.kind, step.identity))
        if obj is None or obj.unfilled(step.sql) == step.sql:
            continue
        if step.action == "create" or owner_of(obj) in (None, user):
            yield obj.ref


def _foreign_routines(ref: Ref, desired: State, user: str) -> Iterator[tuple[Ref, str]]:
    """Yield the routines of other roles that an object needs, directly or not, and the owners."""
    seen, rest = {ref}, [ref]
    while rest:
        for needed in sorted(desired.needs(rest.pop()) - seen, key=str):
            seen.add(needed)
            if is_not_read(needed, {ref}, desired):
                continue
            rest.append(needed)
            owner = owner_of(desired.get(needed))
            if needed.arguments is not None and owner not in (None, user):
                yield needed, owner or ""
