"""Draw the steps of a plan as a graph for Mermaid, as shown by GitHub and GitLab.

Names come from outside: a label holds letters, digits and a few signs only, and nothing else of a
name reaches the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.plan.plan import Plan
from reconciler.plan.step import Step

MAX_STEPS = 40  # more than that nobody can read
MAX_LABEL = 60  # characters of a name
_OBEYED = re.compile(r"[^\w .,()/-]")
_STYLE = "classDef hazard fill:#ffe3e3,stroke:#cf222e,color:#1f2328"


def graph_lines(plan: Plan) -> list[str]:
    """Return the lines of the graph; none for a single step, or for more than can be read."""
    if not 1 < len(plan.steps) <= MAX_STEPS:
        return []
    return [*_lines(plan)]


def _lines(plan: Plan) -> Iterator[str]:
    """Yield transactions and steps in their order from top to bottom, and the dependencies."""
    yield "flowchart TB"
    numbers = {step.id: number for number, step in enumerate(plan.steps, 1)}
    above = ""
    for group in plan.transactions():
        nodes = [f's{numbers[step.id]}["{_label(step)}"]' for step in group]
        drawn = f"s{numbers[group[0].id]}"
        if len(group) > 1:
            drawn = f"t{numbers[group[0].id]}"
            yield f'  subgraph {drawn}["one transaction"]'
            yield "    direction LR"
            yield from (f"    {node}" for node in nodes)
            yield "  end"
        else:
            yield f"  {nodes[0]}"
        if above:
            yield f"  {above} ~~~ {drawn}"
        above = drawn
    for step in plan.steps:
        for needed in step.depends_on:
            if needed in numbers:
                yield f"  s{numbers[needed]} --> s{numbers[step.id]}"
    dangerous = [f"s{numbers[step.id]}" for step in plan.steps if step.hazards]
    if dangerous:
        yield f"  {_STYLE}"
        yield f"  class {','.join(dangerous)} hazard"


def _label(step: Step) -> str:
    """Return the number of a step, the changed objects, and the strongest lock."""
    name = f"{step.action} {step.kind} {step.identity}"
    lock = f"<br/>{_harmless(step.lock)}" if step.lock else ""
    return f"{_harmless(step.id)}: {_harmless(name)}{lock}"  # `1. ` would begin a list


def _harmless(text: str) -> str:
    """Return text with a dot in place of each special character of Mermaid or HTML."""
    clipped = text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}…"
    return _OBEYED.sub("·", clipped.replace("…", "..."))
