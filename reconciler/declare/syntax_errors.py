"""PyYAML's error messages in plain words, with a hint for each."""

from __future__ import annotations

import re

from reconciler.errors import Position, Problem

_QUOTE = "put the value in quotes, or in a block below a |"

# A pattern of PyYAML's message, our message, a hint. In our message `\1` is the pattern's group and
# `{}` the line on which the surrounding list or mapping begins.
_MESSAGES = (
    (r"character '\\t'", "a tab where YAML allows only spaces", "indent with spaces"),
    (r"character (.+) that cannot start any token", r"a value cannot begin with \1", _QUOTE),
    (
        r"mapping values are not allowed here",
        "a ':' where no key can stand",
        f"{_QUOTE}; a key lines up with the keys before it",
    ),
    (
        r"could not find expected ':'",
        "a key without its ':'",
        "write key: value; long text goes in a block below a |, indented",
    ),
    (
        r"found unexpected end of stream",
        "a quoted text that is never closed",
        "close it with the quote that it begins with",
    ),
    (
        r"unknown escape character (.+)",
        r"\1 after \\ is no escape between double quotes",
        "use single quotes, or double the backslash",
    ),
    (
        r"expected ',' or '(.)', but got .*",
        r"expected ',' or '\1' in the brackets opened {}",
        "quote what holds brackets, commas, or a # after a blank, which begins a comment",
    ),
    (
        r"expected <block end>, but found .*",
        "this does not continue what began {}",
        "keys line up; text ends with its quote",
    ),
    (
        r"sequence entries are not allowed here",
        "a '-' where no list can begin",
        "begin the list on a line of its own, or quote the value",
    ),
    (
        r"expected alphabetic or numeric character, but found .*",
        "'*' and '&' begin the name of an anchor",
        _QUOTE,
    ),
    (
        r"expected '<document start>', but found .*",
        "the document has ended above",
        "--- begins another one",
    ),
    (
        r"expected the node content, but found (.+)",
        r"expected a value, got \1",
        "close what is open; quote brackets that are text",
    ),
    (
        r"special characters are not allowed",
        "a character that YAML does not allow",
        "write it as an escape between double quotes",
    ),
)


def syntax_problem(yaml_message: str, position: Position, parent_start: str) -> Problem:
    """Translate a message of PyYAML; `parent_start` is `at line 3`, or empty."""
    for pattern, message, hint in _MESSAGES:
        if match := re.search(pattern, yaml_message):
            translated = match.expand(message).replace("{}", parent_start)
            return Problem(f"not YAML: {translated}", position, hint, "not-yaml")
    return Problem(f"not YAML: {yaml_message}", position, rule="not-yaml")
