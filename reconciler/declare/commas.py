"""Recognise plain values that a comma between `{ }` or `[ ]` has cut: `{type: numeric(10, 2)}`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import yaml

from reconciler.declare.nodes import shortened
from reconciler.errors import Position, Problem

_LITERAL = re.compile(r"'[^']*'")
_RULE = "cut-by-comma"


def is_plain(event: object) -> bool:
    """Tell whether an event is a scalar without quotes, and not empty."""
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value != ""


def without_value(event: object) -> bool:
    """Tell whether an event is the value of a key without a value."""
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == ""


def open_brackets(text: str) -> int:
    """Count the opening brackets without a closing one, outside literals."""
    bare = _LITERAL.sub("", text)
    return bare.count("(") - bare.count(")")


@dataclass
class CutValue:
    """The value in which a bracket was opened last, as far as read, with the key before it."""

    position: Position | None = None
    key: str = ""
    parts: list[str] = field(default_factory=list[str])

    def begin(self, event: object, position: Position, key: str = "") -> None:
        """Note a value of the collection, which may be the first part of a longer one."""
        self.position = None
        if isinstance(event, yaml.ScalarEvent) and "(" in event.value and is_plain(event):
            self.position, self.key, self.parts = position, key, [event.value]
            if open_brackets(event.value) <= 0:
                self.position = None

    def extends(self, event: object) -> bool:
        """Add a text between commas to an open value; False if no value is open."""
        if self.position is None or not isinstance(event, yaml.ScalarEvent):
            return False
        self.parts.append(event.value)
        return True

    @property
    def is_closed(self) -> bool:
        """Whether the parts have as many closing brackets as opening ones together."""
        return self.position is not None and open_brackets(", ".join(self.parts)) <= 0

    @property
    def is_cut(self) -> bool:
        """Whether a value of several parts is open."""
        return self.position is not None and len(self.parts) > 1

    def problem(self) -> Problem:
        """Describe the value, and end it."""
        assert self.position is not None
        position, self.position = self.position, None
        title = f"{self.key}: " if self.key else ""
        whole = shortened(", ".join(self.parts), 80)
        quoted = f'"{whole}"' if '"' not in whole else f"'{whole}'"
        return Problem(
            f"{title}a comma ends a value in brackets, so this one is '{shortened(self.parts[0])}'",
            position,
            f"quote it: {title}{quoted}",
            _RULE,
        )

    def unfinished(self) -> Problem | None:
        """Describe a value after which YAML cannot be read any further."""
        if self.position is None:
            return None
        problem = self.problem()
        title = f"{self.key}: " if self.key else ""
        hint = f"quote all of it: {title}\"…\", or '…' where it holds double quotes"
        message = problem.message.replace("a comma ends", "a comma or a bracket ends")
        return Problem(message, problem.position, hint, _RULE)
