"""Compare the texts of queries, whatever stands for the constants.

pg_stat_statements replaces constants by $1, $2, …, and numbers them after the parameters.
"""

from __future__ import annotations

import re

# What is cut off ends with the text: each character is looked at once.
_TOKEN = re.compile(
    r"""
    (?P<skipped> --[^\n]* | /\*.*?(?:\*/|\Z) )
  | (?P<value> E'(?:''|\\(?:.|\Z)|[^'\\])*(?:'|\Z) | [BNX]?'(?:''|[^'])*(?:'|\Z) | \$[0-9]+
             | (?<![\w"])-?[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?
             | \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z) )
  | (?P<name> "(?:""|[^"])*(?:"|\Z) )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<sign> \S )
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_SEVERAL = re.compile(r"\?(?: , \?)+")  # PostgreSQL 18 shortens lists of constants
# The first words of commands whose constants pg_stat_statements replaces.
_NORMALISED = frozenset({"select", "with", "insert", "update", "delete", "merge", "values"})


def normalised(query: str) -> str:
    """Return a query in lower case and single spaces, without comments; `?` is for each value."""
    tokens: list[str] = []
    for found in _TOKEN.finditer(query):
        if found["value"] is not None:
            tokens.append("?")
        elif found["skipped"] is None:
            tokens.append(found[0] if found["name"] is not None else found[0].lower())
    return _SEVERAL.sub("?", " ".join(tokens)).removesuffix(" ;")


def is_shown(query: str) -> bool:
    """Tell whether a normalised query may be shown; in other commands constants may be secrets."""
    return query.lstrip("( ").partition(" ")[0] in _NORMALISED
