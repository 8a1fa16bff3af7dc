"""The search_path that a server gives to a role, and names in bodies that need it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from reconciler.sql import name, text

_WORD = re.compile(r'(\.\s*"?)?(?<![\w$])([^\W\d][\w$]*)')
_OPERATOR = re.compile(r"[-+*/<>=~!@#%^&|`?]+")
_IS_WORD = re.compile(r"[^\W\d][\w$]*")


@dataclass(frozen=True)
class DefaultPath:
    """The schemas of the default search_path of the role that applies plans.

    names      of what the schemas hold and SQL can name, in lower case
    creators   roles that may create objects in a schema, other than this role, the owner of the
               schema and superusers
    """

    schemas: tuple[str, ...] = ()
    names: Set[str] = frozenset()
    creators: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])

    @property
    def setting(self) -> str:
        """The value for SET search_path; temporary objects come last."""
        first = [] if "pg_catalog" in self.schemas else ["pg_catalog"]
        names = [text(name(s)) for s in (*first, *self.schemas)]
        return ", ".join([*names, "pg_temp"])

    @property
    def is_closed(self) -> bool:
        """Whether nobody else can put objects in the way of names that are looked up."""
        return not self.creators


def names_in(sql: str) -> set[str]:
    """Return all names and keywords in SQL, in lower case."""
    return {w[2].lower() for w in _WORD.finditer(sql)}


def unqualified(sql: str, names: Set[str]) -> list[str]:
    """Return the names in SQL that no schema may stand before, in order.

    Words within literals and comments count, since a literal may be the name of a sequence.
    """
    found = [w[2] for w in _WORD.finditer(sql) if not w[1] and w[2].lower() in names]
    found += [o for o in _OPERATOR.findall(sql) if o in names]
    others = (n for n in names if not _IS_WORD.fullmatch(n) and not _OPERATOR.fullmatch(n))
    lower = sql.lower()
    return [*dict.fromkeys(found), *sorted(n for n in others if n in lower)]
