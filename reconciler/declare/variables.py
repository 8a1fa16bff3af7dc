"""Put the values of variables into the names and values of a document: `${tenant}`.

A document lists the variables that it uses under `variables:`; in other documents `${tenant}` is
text like any other, but no name. A variable stands for a part of a name or of a value, never for
SQL: what a value holds can therefore add nothing to a statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.declare.nodes import (
    MAX_NAME_SHOWN,
    Entries,
    Entry,
    Items,
    Node,
    Scalar,
    described,
    shortened,
)
from reconciler.errors import Position, Problem
from reconciler.model.names import MAX_NAME_BYTES, quoted, unquoted
from reconciler.model.privileges import PUBLIC
from reconciler.model.routine_settings import LIST_SETTINGS
from reconciler.model.spelling import RawName, RoleName, Spelling
from reconciler.model.variables import NAME, Value, Values, nearest

KEY = "variables"
MARK = "${"
_USE = re.compile(r"\$\{([^{}]*)\}")
# a name with its schema and table, and the arguments behind it
_PART = r'(?:"(?:[^"]|"")+"|(?:\$\{[^{}]*\}|[^\s".(){},=])+)'
_ALONE = re.compile(rf"({_PART})()")
_DOTTED = re.compile(rf"({_PART}(?:\.{_PART}){{0,2}})(\s*\(.*)?", re.DOTALL)
_SPLIT = re.compile(rf"{_PART}|\.")
_WHERE = (
    "a variable stands in a name, such as `schema`, or in a value, such as a comment; SQL finds"
    " names without a schema in the file's `schema`, and a routine's `set: {search_path: …}` may"
    " name a variable"
)
_LISTED = "list it at the top of the file: `variables: [{}]`"


@dataclass(eq=False)
class Variables:
    """The variables of a document; `values` are those of the target.

    `listed` maps a variable that the document lists to its value. `uses` are the positions at
    which variables have been replaced or reported.
    """

    problems: list[Problem]
    values: Values = field(default_factory=dict[str, Value])
    listed: dict[str, Value] = field(default_factory=dict[str, Value])
    uses: set[Position] = field(default_factory=set[Position])

    @classmethod
    def of(cls, document: Node, values: Values, problems: list[Problem]) -> Variables:
        """Read the list of a document, and report variables without a value."""
        found = cls(problems, values)
        entry = document.entries.get(KEY) if isinstance(document, Entries) else None
        nodes = () if entry is None else _items(entry.node)
        for node in nodes:
            found._list(node)
        return found

    def _list(self, node: Node) -> None:
        name = node.value if isinstance(node, Scalar) else None
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            message = f"{KEY}: expected the name of a variable, got {described(node)}"
            hint = "it begins with a letter, and has lower-case letters, digits and underscores"
            self.problems.append(Problem(message, node.position, hint, "invalid-name"))
            return
        if name not in self.values:
            known = f"{nearest(name, self.values)}the target has: {', '.join(self.values)}; "
            hint = f"{known if self.values else ''}reconcile.yml gives values by `vars`"
            message = f"the target has no variable '{name}'"
            self.problems.append(Problem(message, node.position, hint, "undefined-variable"))
        self.listed[name] = self.values.get(name, name)

    # -- replacing -------------------------------------------------------------------------------

    def in_name(self, written: str, at: Node, key: str, spelling: Spelling) -> str:
        """Return a name with the values as quoted parts of the name.

        The name may have a schema and a table before it, unless the field holds raw names. What
        stands in brackets behind it is SQL, and left as it is.
        """
        if MARK not in written:
            return written
        form = _ALONE if isinstance(spelling, RawName) else _DOTTED
        found = form.fullmatch(written.strip())
        if found is None or MARK in (found[2] or ""):
            if self.listed:
                self._refuse(at, f"{key}: a variable is part of a name here, and of nothing else")
            return written
        parts = [self._part(p, at, key) for p in _SPLIT.findall(found[1])]
        if isinstance(spelling, RoleName) and [p.lower() for p in parts] == [quoted(PUBLIC)]:
            message = f"{key}: the name of the role would be public, which stands for every role"
            self.problems.append(Problem(message, at.position, "", "invalid-name"))
        return "".join(parts) + (found[2] or "")

    def _part(self, part: str, at: Node, key: str) -> str:
        if MARK not in part:
            return part
        name = self._replaced(unquoted(part), at, key, is_name=True)
        if not name or len(name.encode()) > MAX_NAME_BYTES:
            shown = shortened(name, MAX_NAME_SHOWN)
            message = f"{key}: {part} is '{shown}', and a name has 1 to {MAX_NAME_BYTES} bytes"
            self.problems.append(Problem(message, at.position, "", "name-too-long"))
            return part
        return quoted(name)

    def in_value(self, node: Scalar, key: str, *, is_text: bool) -> Scalar:
        """Return a scalar with the values; a variable alone keeps the type of its value.

        Without a target, a field that takes no text has no value.
        """
        if not self.listed or MARK not in node.source:
            return node
        if key.rpartition(".")[2] in LIST_SETTINGS:
            name = self.in_name(node.source, node, key, RawName())
            return Scalar(node.position, name, name)
        source = self._replaced(node.source, node, key)
        if isinstance(self.values, Placeholders) and not is_text:
            return Scalar(node.position, None, "")
        alone = _USE.fullmatch(node.source)
        value = self.listed.get(alone[1], source) if alone else source
        return Scalar(node.position, value, source)

    def _replaced(self, written: str, at: Node, key: str, *, is_name: bool = False) -> str:
        self.uses.add(at.position)
        for variable in _USE.findall(written):
            if variable not in self.listed and (self.listed or is_name):
                self._unknown(variable, at, key)
        return _USE.sub(lambda use: _text(self.listed.get(use[1], use[0])), written)

    def _unknown(self, variable: str, at: Node, key: str) -> None:
        shown = shortened(variable, MAX_NAME_SHOWN)
        hint = nearest(variable, self.listed) + _LISTED.format(shown)
        if NAME.fullmatch(variable) is None:
            hint = "variables are in lower case; those of the environment stand in reconcile.yml"
        message = f"{key}: the file lists no variable '{shown}'"
        self.problems.append(Problem(message, at.position, hint, "undefined-variable"))

    # -- refusing --------------------------------------------------------------------------------

    def refuse_in_file(self, sql: str, at: Node, key: str) -> None:
        """Report a listed variable in a file of SQL."""
        if self._first(sql):
            self._refuse(at, f"{key}: the file of SQL holds a variable")

    def refuse_the_rest(self, document: Node) -> None:
        """Report listed variables where none can be replaced; to be called after all else."""
        if self.listed:
            for node in _texts(document):
                variable = self._first(node.source)
                if variable and node.position not in self.uses:
                    self._refuse(node, f"${{{variable}}} cannot stand here")

    def _first(self, text: str) -> str:
        return next((v for v in _USE.findall(text) if v in self.listed), "")

    def _refuse(self, at: Node, message: str) -> None:
        self.uses.add(at.position)
        self.problems.append(Problem(message, at.position, _WHERE, "misplaced-variable"))


def _items(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Items) else (node,)


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _texts(document: Node, ignored: str = "x-") -> Iterator[Scalar]:
    """Yield the texts and keys of a document in which variables may be, anchors left out."""
    left: list[Node] = []
    if isinstance(document, Entries):
        left = [e.node for k, e in document.entries.items() if not k.startswith(ignored)]
    while left:
        node = left.pop()
        if isinstance(node, Scalar):
            if MARK in node.source:
                yield node
        elif isinstance(node, Items):
            left += node.items
        else:
            left += [e.node for e in node.entries.values()]
            keys = [_key(e) for k, e in node.entries.items() if MARK in k]
            yield from keys


def _key(entry: Entry) -> Scalar:
    return Scalar(entry.position, entry.key, entry.key)


class Placeholders(Mapping[str, Value]):
    """Values for files that are checked without a target: each variable is its own name."""

    def __getitem__(self, name: str) -> Value:
        return name

    def __contains__(self, name: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0
