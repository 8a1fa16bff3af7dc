"""Read the section `checks`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from reconciler.checks.model import Assertion, Check, Moment
from reconciler.declare.comments import cut_query
from reconciler.declare.fields import Reading, fields_of, files_of, read_fields
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    described,
    duplicate,
    mapping_entries,
    shortened,
)
from reconciler.declare.validate import Subject, validated
from reconciler.errors import Position, Problem

APPLY, MOMENTS = "apply", get_args(Moment)  # a key of checks, and the accepted values


class CheckReader:
    """Read the checks of all documents."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.problems = reading, reading.problems
        self.checks: dict[str, Check] = {}

    def read(self, section: Entry, search_path: str) -> None:
        """Read the section of a document."""
        hint = "each check is a key with its name"
        for entry in mapping_entries(section.node, "checks", hint, self.problems):
            check = self._check(entry, search_path)
            first = self.checks.setdefault(entry.key, check)
            if first is not check:
                title = f"check '{shortened(entry.key, MAX_NAME_SHOWN)}'"
                self.problems.append(duplicate(title, entry.position, first.position))

    def _check(self, entry: Entry, search_path: str) -> Check:
        assertions = [self._assertion(n, at, entry) for n, at in self._assertions(entry)]
        return Check(
            name=entry.key,
            assertions=tuple(a for a in assertions if a),
            search_path=search_path,
            apply=tuple(self._moments(entry)),
            position=entry.position,
        )

    def _moments(self, entry: Entry) -> Iterator[Moment]:
        """Yield when `apply` is to run the check."""
        body = entry.node
        if not isinstance(body, Entries) or APPLY not in body.entries:
            return
        node = body.entries[APPLY].node
        for item in node.items if isinstance(node, Items) else [node]:
            value = item.value if isinstance(item, Scalar) else None
            found = next((moment for moment in MOMENTS if moment == value), None)
            if found:
                yield found
                continue
            message = f"{APPLY}: expected {' or '.join(MOMENTS)}, got {described(item)}"
            hint = "before: the check must pass before the first step; after: after the last one"
            self.problems.append(Problem(message, item.position, hint, "wrong-type"))

    def _assertions(self, entry: Entry) -> Iterator[tuple[Node, Position]]:
        """Yield the nodes of the assertions: the check's own, or each under `all`."""
        body = entry.node
        if not isinstance(body, Entries) or "all" not in body.entries:
            yield body, entry.position
            return
        for key, other in body.entries.items():
            if key not in {"all", APPLY}:
                hint = "it belongs to one of the assertions that all lists"
                message = f"{key} together with all"
                self.problems.append(Problem(message, other.position, hint, "contradiction"))
        yield from self._listed(body.entries["all"].node)

    def _listed(self, node: Node) -> Iterator[tuple[Node, Position]]:
        if isinstance(node, Items) and node.items:
            yield from ((item, item.position) for item in node.items)
            return
        found = "an empty one" if isinstance(node, Items) else described(node)
        message = f"all: expected a list of assertions, got {found}"
        hint = "all: [{query: …, equals: …}, …]"
        self.problems.append(Problem(message, node.position, hint, "wrong-type"))

    def _assertion(self, node: Node, position: Position, check: Entry) -> Assertion | None:
        title = f"check '{shortened(check.key, MAX_NAME_SHOWN)}'"
        if not isinstance(node, Entries):
            keys = ", ".join(sorted([*fields_of(Assertion), *files_of(Assertion)]))
            message = f"{title}: expected an assertion, got {described(node)}"
            hint = f"accepted: {keys}; or all: a list of such mappings"
            self.problems.append(Problem(message, node.position, hint, "wrong-type"))
            return None
        other_keys = [APPLY] if node is check.node else []
        problems_before = len(self.problems)
        fields = read_fields(node, Assertion, title, self.reading, other_keys)
        self.problems += cut_query(fields)
        subject = Subject(title, position, readable=len(self.problems) == problems_before)
        from_file = not files_of(Assertion).keys().isdisjoint(node.entries)
        return validated(
            Assertion, fields, subject, self.problems, position=position, from_file=from_file
        )
