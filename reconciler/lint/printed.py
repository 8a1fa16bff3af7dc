"""Change SQL printed by PostgreSQL, to propose a fix."""

from __future__ import annotations

_QUOTES = "'\""


def closing(sql: str, start: int) -> int:
    """Return the index after the closing parenthesis for the opening at `start`."""
    depth, quote = 0, ""
    for index in range(start, len(sql)):
        character = sql[index]
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
            if depth == 0:
                return index + 1
    return len(sql)


def with_cached_calls(sql: str, function: str) -> str:
    """Put each call of a function, named as printed, into a sub-query of its own."""
    found, rest = "", sql
    while (at := rest.find(f"{function}(")) >= 0:
        end = closing(rest, at + len(function))
        found += f"{rest[:at]}(SELECT {rest[at:end]})"
        rest = rest[end:]
    return found + rest


def with_arrays(sql: str) -> str:
    """Write each `x IN (SELECT …)` as `x = ANY (ARRAY(SELECT …))`."""
    word = " IN ( SELECT"
    while (at := sql.find(word)) >= 0:
        start = at + len(" IN ")
        end = closing(sql, start)
        sql = f"{sql[:at]} = ANY (ARRAY{sql[start:end]}){sql[end:]}"
    return sql


def part_after(sql: str, word: str) -> str | None:
    """Return the word with the following parenthesis, if the text holds both."""
    at = sql.find(f"{word}(")
    return None if at < 0 else sql[at : closing(sql, at + len(word))]
