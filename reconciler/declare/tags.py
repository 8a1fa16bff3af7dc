"""Select parts of a declaration by the tags at the top of the files: `tags: [billing]`."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field
from difflib import get_close_matches

from reconciler.declare.nodes import Entries, Items, Node, Scalar, described
from reconciler.errors import Problem

KEY = "tags"
OPTION = "--tags"
NAME = re.compile(r"[\w.-]{1,63}")
_RULE = "one to 63 letters, digits, underscores, hyphens and dots"


@dataclass(frozen=True)
class Tags:
    """A selection of documents by tags; no selected tag stands for all documents.

    `known` collects the tags of the documents that were read.
    """

    selected: Set[str]
    problems: list[Problem]
    known: set[str] = field(default_factory=set[str])

    def selects(self, document: Node) -> bool:
        """Read the tags of a document, and tell whether the document is selected."""
        entry = document.entries.get(KEY) if isinstance(document, Entries) else None
        if entry is None:
            return not self.selected
        nodes = entry.node.items if isinstance(entry.node, Items) else (entry.node,)
        found = {tag for node in nodes if (tag := self._tag(node))}
        self.known.update(found)
        return not self.selected or not found.isdisjoint(self.selected)

    def _tag(self, node: Node) -> str:
        """Return the tag in a node; "" for anything else, which is a problem."""
        if isinstance(node, Scalar) and NAME.fullmatch(node.source):
            return node.source
        message = f"{KEY}: expected a tag, got {described(node)}"
        self.problems.append(Problem(message, node.position, f"a tag has {_RULE}", "invalid-name"))
        return ""

    def report_unknown(self) -> None:
        """Report selected tags without a document."""
        for tag in sorted(self.selected - self.known):
            near = get_close_matches(tag, self.known, 1)
            hint = f"did you mean {near[0]}?" if near else f"the files have: {self._listed()}"
            self.problems.append(Problem(f"no file has the tag '{tag}'", None, hint, "unknown-tag"))

    def _listed(self) -> str:
        return ", ".join(sorted(self.known)) or f"no tags; `{KEY}: [NAME]` at the top gives some"
