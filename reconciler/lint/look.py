"""Apply all rules to a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.introspect.objects import Address
from reconciler.lint.database import Database
from reconciler.lint.rule import SEVERITIES, Finding, Found, Rule
from reconciler.lint.rules import all_rules
from reconciler.model.ref import Ref

CATALOGS = {  # oids that never change
    "pg_class": 1259,
    "pg_constraint": 2606,
    "pg_extension": 3079,
    "pg_policy": 3256,
    "pg_proc": 1255,
}


def look(
    database: Database, addresses: Mapping[Address, Ref], rules: Iterable[Rule] = ()
) -> list[Finding]:
    """Return the findings, the gravest first; `addresses` are a Snapshot's addresses."""
    chosen = [*rules] or [*all_rules().values()]
    found = (_finding(r, f, addresses) for r in chosen for f in r.look(database))
    return sorted(found, key=in_order)


def in_order(finding: Finding) -> tuple[int, str, str, str]:
    """Return a sort key: the gravest first, then by rule and object."""
    severity = SEVERITIES.index(finding.severity)
    return severity, finding.rule, finding.identity, finding.message


def _finding(rule: Rule, found: Found, addresses: Mapping[Address, Ref]) -> Finding:
    catalog, oid, number = found.address
    refs: Iterator[Ref | None] = (
        addresses.get((CATALOGS[catalog], oid, part)) for part in (number, 0)
    )
    ref = next((r for r in refs if r is not None), None)
    identity = str(ref) if ref is not None else f"{catalog} {oid}"
    return Finding(rule.name, rule.severity, ref, identity, found.message, found.fix, found.key)
