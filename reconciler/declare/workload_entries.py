"""Read the section `workload`."""

from __future__ import annotations

from reconciler.checks.workload import Query
from reconciler.declare.fields import Reading, fields_of, files_of, read_fields
from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    described,
    duplicate,
    mapping_entries,
    shortened,
)
from reconciler.declare.validate import Subject, validated
from reconciler.errors import Problem


class WorkloadReader:
    """Read the queries of all documents."""

    def __init__(self, reading: Reading) -> None:
        self.reading, self.problems = reading, reading.problems
        self.queries: dict[str, Query] = {}

    def read(self, section: Entry, search_path: str) -> None:
        """Read the section of a document."""
        hint = "each query is a key with its name"
        for entry in mapping_entries(section.node, "workload", hint, self.problems):
            query = self._query(entry, search_path)
            if query is not None and self.queries.setdefault(entry.key, query) is not query:
                first = self.queries[entry.key]
                title = _title(entry)
                self.problems.append(duplicate(title, entry.position, first.position))

    def end(self) -> None:
        """Report unknown names of queries; to be called after the last document."""
        for query in self.queries.values():
            if query.replaces and query.replaces not in self.queries:
                message = f"query '{shortened(query.name, MAX_NAME_SHOWN)}': replaces: no query"
                message = f"{message} '{shortened(query.replaces, MAX_NAME_SHOWN)}' in the workload"
                self.problems.append(Problem(message, query.position, rule="unknown-name"))

    def _query(self, entry: Entry, search_path: str) -> Query | None:
        title = _title(entry)
        if not isinstance(entry.node, Entries):
            keys = ", ".join(sorted([*fields_of(Query), *files_of(Query)]))
            message = f"{title}: expected a query, got {described(entry.node)}"
            hint = f"accepted: {keys}"
            self.problems.append(Problem(message, entry.node.position, hint, "wrong-type"))
            return None
        problems_before = len(self.problems)
        fields = read_fields(entry.node, Query, title, self.reading)
        subject = Subject(title, entry.position, readable=len(self.problems) == problems_before)
        return validated(
            Query,
            fields,
            subject,
            self.problems,
            name=entry.key,
            search_path=search_path,
            position=entry.position,
        )


def _title(entry: Entry) -> str:
    return f"query '{shortened(entry.key, MAX_NAME_SHOWN)}'"
