"""Tell for which target a run was made: targets in one database share a journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.escape import one_line
from reconciler.model.variables import Value, Values

SHOWN = 3  # variables in a message


@dataclass(frozen=True)
class RunTarget:
    """A target: its name in reconcile.yml, "" without one, and the values of variables.

    Of a run, the variables are those that the YAML files list.
    """

    name: str = ""
    variables: Values = field(default_factory=dict[str, Value])

    def __str__(self) -> str:
        return self.described([*self.variables])

    def described(self, variables: Sequence[str]) -> str:
        """Return the name, and the first of these variables with the values."""
        title = f"target {self.name}" if self.name else "a target without a name"
        values = [f"{v}={self.variables[v]}" for v in variables if v in self.variables]
        return one_line(title + (f" with {', '.join(values[:SHOWN])}" if values else ""))

    @property
    def label(self) -> str:
        """The name; without one, the variables."""
        values = [f"{n}={v}" for n, v in self.variables.items()]
        return one_line(self.name or ", ".join(values[:SHOWN]))


def is_of(run: RunTarget | None, target: RunTarget | None) -> bool | None:
    """Tell whether a run was made for a target; None if that is not sure.

    Variables decide: the same values give the same declaration, whatever the target is called.
    `run` is None for a run of an earlier version, `target` for whoever takes any run.
    """
    if target is None:
        return True
    if run is None:
        return None if target.variables else True
    are_named = bool(run.name and target.name)
    is_same_name = are_named and run.name == target.name
    if different := different_variables(run, target):
        is_contradiction = any(name in target.variables for name in different)
        return None if is_same_name or not (is_contradiction or target.name) else False
    if not run.variables and target.variables and are_named and not is_same_name:
        return None
    return True


def different_variables(run: RunTarget, target: RunTarget) -> list[str]:
    """Return the variables of a run to which the target gives other values, or none."""
    other = target.variables
    return [n for n, v in run.variables.items() if n not in other or repr(other[n]) != repr(v)]


def doubt(number: int, run: RunTarget | None, target: RunTarget) -> str:
    """Return why a run is not taken for the target's, and how it can be undone."""
    if run is None:
        made = "was recorded by a version that did not keep for which target"
    else:
        made = f"was made for {run}, not for {_as_now(run, target)}"
    option = f" --target {target.name}" if target.name else " with the same target"
    return f"run {number} {made}: if it is to be undone, reconcile rollback {number}{option}"


def _as_now(run: RunTarget, target: RunTarget) -> str:
    return target.described(different_variables(run, target))
