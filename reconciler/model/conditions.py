"""Compare conditions on rows, as PostgreSQL prints both."""

from __future__ import annotations

import re

from reconciler.sql import closing, index_of_word

_SELECT = "( SELECT "
_QUOTED = re.compile(r"""'(?:''|[^'])*'|"(?:""|[^"])*"|\( SELECT """)
_VALUE = re.compile(r""" SELECT (.+?)(?: AS (?:\w+|"(?:""|[^"])+"))?""", re.DOTALL)
# a value without the brackets in it: a name, a call or both with a type
_LITERAL = re.compile("'(?:''|[^'])*'")
_PLAIN = re.compile(r"[\w.$]*(?:::[a-z_][a-z0-9_ .]*)?")
_TYPED_LITERAL = re.compile(r"'(?:''|[^'])*'::[a-z_][a-z0-9_ .]*")

_CAST = re.compile(
    r"""(?P<quoted>'(?:''|[^'])*'|"(?:""|[^"])*")
    |::(?:"(?:""|[^"])*"|\w+)(?:\.(?:"(?:""|[^"])*"|\w+))?
    (?:\ varying|\ precision)?(?:\(\d+(?:,-?\d+)?\))?(?:\ with(?:out)?\ time\ zone)?(?:\[\])*""",
    re.VERBOSE,
)
_BRACKETED = re.compile(r"""(?<![\w"])\((?=['\w(])""")  # but no call of a function


def lets_no_more_through(new: str, old: str) -> bool:
    """Tell whether a condition is the old one, or surely narrower: that one AND another."""
    if old == "true" or new == "false":
        return True
    return _parts(_without_queries_of_values(old)) <= _parts(_without_queries_of_values(new))


def _parts(condition: str) -> set[str]:
    """Return what is joined by AND."""
    inner = condition
    while inner.startswith("(") and closing(inner, 0) == len(inner) - 1:
        inner = inner[1:-1]
    at = index_of_word(inner, "AND")
    if at == len(inner):
        return {inner}
    return _parts(inner[:at].strip()) | _parts(inner[at + len("AND") :].strip())


def _without_queries_of_values(condition: str) -> str:
    """Replace (SELECT value), which is evaluated once for all rows, by the value."""
    found, at = "", 0
    while match := _QUOTED.search(condition, at):
        end = match.end()
        value = None
        if match[0] == _SELECT:
            end = closing(condition, match.start())
            value = _value_of(condition[match.start() + 1 : end])
        if value is None:
            end = match.end()
            found += condition[at:end]
        else:
            found += condition[at : match.start()] + _without_queries_of_values(value)
            end += 1
        at = end
    return found + condition[at:]


def _value_of(query: str) -> str | None:
    """Return the value that a query selects from nowhere."""
    match = _VALUE.fullmatch(query)
    if match is None:
        return None
    if _TYPED_LITERAL.fullmatch(match[1]):
        return match[1]
    plain, at = "", 0
    while (opening := match[1].find("(", at)) >= 0:
        plain += match[1][at:opening]
        at = closing(match[1], opening) + 1
    plain += match[1][at:]
    return match[1] if _PLAIN.fullmatch(plain) else None


def without_casts(condition: str) -> str:
    """Return a condition without casts, and without brackets that are there for a cast."""
    found, at = _CAST.sub(lambda m: m["quoted"] or "", condition), 0
    while match := _BRACKETED.search(found, at):
        at = match.start()
        end = closing(found, at)
        within = found[at + 1 : end]
        if (
            _PLAIN.fullmatch(within)
            or _LITERAL.fullmatch(within)
            or closing(within, 0) == len(within) - 1
        ):
            found = found[:at] + within + found[end + 1 :]
        else:
            at += 1
    return found
