"""Apply all rules to a database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from reconciler.introspect.attempts import read_until_steady
from reconciler.lint.database import Database
from reconciler.lint.named import Address, refs_of
from reconciler.lint.rule import SEVERITIES, Finding, Found, Rule
from reconciler.lint.rules import all_rules
from reconciler.model.ref import Ref
from reconciler.server.connection import Connection, server_of
from reconciler.server.one_snapshot import one_snapshot
from reconciler.server.reading_ahead import Answers

CATALOGS = {  # oids that never change
    "pg_authid": 1260,
    "pg_class": 1259,
    "pg_constraint": 2606,
    "pg_extension": 3079,
    "pg_policy": 3256,
    "pg_proc": 1255,
}


def look(
    database: Database, addresses: Mapping[Address, Ref] | None = None, rules: Iterable[Rule] = ()
) -> list[Finding]:
    """Return the findings, the gravest first; raises StatementFailed.

    `addresses` are a Snapshot's addresses; None lets PostgreSQL name the objects.
    """
    chosen = [*rules] or [*all_rules().values()]
    found = [(rule, fault) for rule in chosen for fault in rule.look(database)]
    concerned = {_address(fault, part) for _, fault in found for part in _parts(fault)}
    if addresses is None:
        addresses = refs_of(database.connection, concerned)
    elif roles := {a for a in concerned if a[0] == CATALOGS["pg_authid"]}:  # in no database's state
        addresses = {**addresses, **refs_of(database.connection, roles)}
    return sorted((_finding(rule, fault, addresses) for rule, fault in found), key=in_order)


def findings_on(
    connection: Connection, roles: Sequence[str], rules: Iterable[Rule] = ()
) -> list[Finding]:
    """Return the findings of all rules, or of some, on a database; raises StatementFailed."""

    def read() -> list[Finding]:
        with one_snapshot(connection):
            known = {} if rules else _facts(connection)
            return look(Database(connection, roles, known=known), rules=rules)

    return read_until_steady(read)


def _facts(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of the queries that nearly every rule needs; raises StatementFailed."""
    queries = Database.queries(server_of(connection))
    with Answers(connection, queries) as answers:
        all_rules()  # they are imported while the server works
        return {query: answers.tuples() for query in queries}


def measured_of(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings of rules that ask for statistics, sizes or numbers used."""
    return [f for f in findings if all_rules()[f.rule].is_measured]


def in_order(finding: Finding) -> tuple[int, str, str, str]:
    """Return a sort key: the gravest first, then by rule and object."""
    severity = SEVERITIES.index(finding.severity)
    return severity, finding.rule, finding.identity, finding.message


def _parts(found: Found) -> tuple[int, int]:
    return found.address[2], 0


def _address(found: Found, part: int) -> Address:
    catalog, oid, _ = found.address
    return CATALOGS[catalog], oid, part


def _finding(rule: Rule, found: Found, addresses: Mapping[Address, Ref]) -> Finding:
    refs = (addresses.get(_address(found, part)) for part in _parts(found))
    ref = next((r for r in refs if r is not None), None)
    catalog, oid, _ = found.address
    identity = str(ref) if ref is not None else f"{catalog} {oid}"
    return Finding(rule.name, rule.severity, ref, identity, found.message, found.fix, found.key)
