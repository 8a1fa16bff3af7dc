"""Give steps the search_path in which called functions find unqualified names.

All SQL of a plan is qualified, and search_path is `pg_catalog, pg_temp`. But the body of a function
without a search_path of its own may name things without a schema. It finds them on the default
search_path of the role, as in psql: if no other role can put something else in their way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property

from reconciler.diff.diff import Change
from reconciler.errors import PlanError
from reconciler.model.context import PlanningContext
from reconciler.model.default_path import unqualified
from reconciler.model.markers import GuardsRows
from reconciler.model.mentioned import Mentioned
from reconciler.model.object import Object
from reconciler.model.on_scratch import FilledByQuery, looked_up
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import HazardKind
from reconciler.model.type_change import (
    ChangesType,
    FollowsTypeChange,
    needs_dependents_dropped,
)
from reconciler.plan.step import Step
from reconciler.sql import text


class SearchPaths:
    """The objects of a desired state whose evaluation needs the default search_path."""

    def __init__(self, desired: State, changes: Sequence[Change], context: PlanningContext) -> None:
        self._desired, self._context = desired, context
        self._retyped = {
            c.ref
            for c in changes
            if c.live and c.desired and needs_dependents_dropped(c.desired, c.live)
        }
        self._mentioned = Mentioned(desired)

    def of_columns(self, changes: Sequence[Change]) -> dict[Ref, str]:
        """Map changed columns to the search_path for their triggers, where one is needed."""
        path = self._context.default_path
        return {
            c.ref: path.setting
            for c in changes
            if isinstance(c.desired, ChangesType) and c.ref.on and self._first_open({c.ref})
        }

    def with_paths(self, steps: Sequence[Step]) -> list[Step]:
        """Return the steps with their search_path.

        Raises PlanError where the path would let another role decide what a step runs.
        """
        return [self._with_path(step) for step in steps]

    def _with_path(self, step: Step) -> Step:
        found = self._first_open(self._evaluated(step))
        if found is None:
            return step
        path = self._context.default_path
        if not path.is_closed:
            raise PlanError(
                _refusal(step, *found, self._context),
                objects=[f"{step.kind} {step.identity}"],
            )
        return step.model_copy(update={"search_path": path.setting})

    def _first_open(self, refs: Set[Ref]) -> tuple[Object, str] | None:
        """Return the first routine that needs the path, and a name in its body."""
        for routine in self._mentioned.routines(refs):
            if found := unqualified(looked_up(routine) or "", self._names):
                return routine, found[0]
        return None

    @cached_property
    def _names(self) -> Set[str]:
        path = self._context.default_path
        new = (r for r in self._desired if r.on is None and r.schema in path.schemas)
        return path.names | {r.name.lower() for r in new}

    @cached_property
    def _places(self) -> Mapping[tuple[str, str], Ref]:
        return {(ref.kind, ref.identity): ref for ref in self._desired}

    def _evaluated(self, step: Step) -> Set[Ref]:
        """Return the objects whose expressions, or triggers, a step evaluates."""
        if step.action == "drop":
            return frozenset()
        refs = [self._places[place] for place in step.objects if place in self._places]
        return {r for ref in refs for r in self._evaluated_for(step, ref)}

    def _evaluated_for(self, step: Step, ref: Ref) -> Set[Ref]:
        others = [*self._also_evaluated(step, ref)]
        if others or self._evaluates_itself(step, self._desired[ref]):
            return {ref, *(o.ref for o in others)}
        return frozenset()

    def _also_evaluated(self, step: Step, ref: Ref) -> Iterator[Object]:
        """Yield the objects on the table that a step evaluates in all rows."""
        rewrites = any(h.hazard is HazardKind.TABLE_REWRITE for h in step.hazards)
        if step.fill is not None:
            yield from (o for o in self._on(ref.on or ref) if not isinstance(o, GuardsRows))
        elif rewrites or ref in self._retyped:
            yield from filter(_holds_expressions, self._on(ref.on or ref))

    def _evaluates_itself(self, step: Step, obj: Object) -> bool:
        """Tell whether a step evaluates its own object; PostgreSQL builds indexes on a safe path.

        Of altered columns only a trigger is evaluated.
        """
        maintains = step.builds_index or isinstance(obj, FilledByQuery)
        if maintains and self._context.server.has_safe_maintenance:
            return False
        is_made = not isinstance(obj, ChangesType) or step.action == "create"
        return _holds_expressions(obj) and (is_made or bool(step.privilege))

    def _on(self, table: Ref) -> Iterator[Object]:
        """Yield what stands on a table, and on its partitions."""
        for ref in (table, *self._context.partitions.get(table, ())):
            yield from self._desired.objects_on(ref)


def _holds_expressions(obj: Object) -> bool:
    return isinstance(obj, FollowsTypeChange | ChangesType | FilledByQuery)


def _refusal(step: Step, routine: Object, named: str, context: PlanningContext) -> str:
    path = context.default_path
    schema, roles = next(iter(path.creators.items()))
    remedy = f"ALTER {text(routine.designation())} SET search_path TO {path.setting}"
    return (
        f"{step.kind} {step.identity} runs {routine.ref}, whose body names {named} without a"
        f" schema: {', '.join(roles)} may create objects in schema {schema}, which is on the"
        f" search_path of {context.user}, and so decide what {named} is; give the function a"
        f" search_path of its own: {remedy}"
    )
