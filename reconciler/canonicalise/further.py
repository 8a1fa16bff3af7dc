"""Find the problems that other problems hide: try again without the objects at fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace

from reconciler.canonicalise.canonical import Inputs
from reconciler.canonicalise.hints import missing
from reconciler.errors import DeclarationError, Problem, ReconcileError
from reconciler.model.ref import Ref
from reconciler.model.state import Declaration, State

ROUNDS = 5  # a precondition hides bad syntax, that a missing name, and what follows other faults


def with_further_problems(
    first: DeclarationError, inputs: Inputs, attempt: Callable[[Inputs], object]
) -> DeclarationError:
    """Return the error with the problems of all objects that are not at fault already.

    `attempt` raises an error with the next problems. What refers to an object at fault follows
    from the fault: it is not reported, and the next attempt is without the object that refers.
    """
    problems = [*first.problems]
    found, left_out = first.problems, set[Ref]()
    for _ in range(ROUNDS):
        refused = at_fault(inputs.declaration, inputs.live.state, found)
        if not refused:
            break
        left_out |= refused
        inputs = replace(inputs, declaration=_without(inputs.declaration, refused))
        found = _problems(inputs, attempt)
        problems += _independent(found, {r.name for r in left_out})
    if len(problems) == len(first.problems):
        return first
    return DeclarationError(sorted(dict.fromkeys(problems), key=_place))


def with_problems_of_rest(
    error: DeclarationError, inputs: Inputs, attempt: Callable[[Inputs], object]
) -> DeclarationError:
    """Return an error of files with the problems in the rest, which `inputs` hold.

    What refers to names that could not be read follows from the faults of the files.
    """
    found = _problems(inputs, attempt)
    if found:
        found = with_further_problems(DeclarationError(found), inputs, attempt).problems
    lost = inputs.declaration.lost
    problems = [*error.problems, *_independent([p for p in found if p.position], lost)]
    return DeclarationError(sorted(dict.fromkeys(problems), key=_place))


def _problems(inputs: Inputs, attempt: Callable[[Inputs], object]) -> Sequence[Problem]:
    try:
        attempt(inputs)
    except DeclarationError as error:
        return error.problems
    except ReconcileError:  # what is left cannot be planned either
        pass
    return ()


def at_fault(declaration: Declaration, live: State, problems: Sequence[Problem]) -> set[Ref]:
    """Return the declared objects at the problems' positions, with the parts of new ones.

    Objects of one YAML anchor have one position: then the message names the one at fault.
    """
    places = {p.position: set[Ref]() for p in problems if p.position}
    for (ref, _), at in declaration.positions.items():
        if at in places:
            places[at].add(ref)
    found = set[Ref]()
    for problem in problems:
        at_place = places[problem.position] if problem.position else set[Ref]()
        named = {r for r in at_place if problem.message.startswith(f"{r}: ")}
        found |= named or at_place
    children = {r for r in declaration.objects if r.on in found and r.on not in live}
    return (found | children) & declaration.objects.keys()


def _without(declaration: Declaration, refs: Set[Ref]) -> Declaration:
    objects = {r: o for r, o in declaration.objects.items() if r not in refs}
    return replace(declaration, objects=objects)


def _independent(problems: Sequence[Problem], names: Set[str]) -> list[Problem]:
    return [p for p in problems if not names & {*_named(p)}]


def _named(problem: Problem) -> Iterator[str]:
    """Yield the name that does not exist, and the objects before the colon of a message."""
    subject, _, message = problem.message.partition(": ")
    yield missing(message or subject)[1]
    yield message.partition(" does not exist")[0].rpartition(".")[2]
    if "no unique constraint" in message:  # of the referenced table, named in the message
        yield message.rpartition('table "')[2].strip('"')


def _place(problem: Problem) -> tuple[str, int, int]:
    at = problem.position
    return (str(at.file), at.line, at.column) if at else ("", 0, 0)
