"""Rules about what policies cost for each row or each query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.lint.database import Database
from reconciler.lint.facts import Policy, Routine, quoted
from reconciler.lint.printed import part_after, with_arrays, with_cached_calls
from reconciler.lint.rule import Found, rule
from reconciler.lint.rules.policies import policy_sql, users
from reconciler.lint.tree import ANY, EXISTS, FUNCTION, Node

_SESSION = "current_setting"
_QUERIES = ("SUBLINK",)


def _changed(db: Database, policy: Policy, key: str, condition: str) -> str:
    clause = "USING" if key == "using" else "WITH CHECK"
    return f"ALTER POLICY {policy_sql(db, policy)} {clause} ({condition});"


def _shown(policy: Policy, key: str) -> str:
    return (policy.shown_visible if key == "using" else policy.shown_written) or ""


def _is_computed_once(node: Node) -> bool:
    """Tell whether a node is a sub-query without the row."""
    return node.kind == "SUBLINK" and not node.columns


@rule(
    "policy-calls-per-row",
    "warning",
    """`auth.uid()` in a policy is called for each row that is looked at; `(SELECT auth.uid())` is
    computed once for each query. In the conversations example a fetch of four messages took 43 ms
    with the original policies, 0.2 ms with computed-once conditions.""",
    "0003 auth_rls_initplan",
)
def policy_calls_per_row(db: Database) -> Iterator[Found]:
    """Find a policy that calls a function for each row, though the result is the same for all."""
    for policy in db.policies:
        for key, tree in policy.conditions:
            calls = (n for n in tree.walk(_is_computed_once) if n.kind == "FUNCEXPR")
            names = {_name(db, call) for call in calls if not call.columns} - {""}
            if names:
                condition = _shown(policy, key)
                for name in names:
                    condition = with_cached_calls(condition, name)
                called = ", ".join(f"{n}()" for n in sorted(names))
                yield Found(
                    ("pg_policy", policy.oid, 0),
                    f"calls {called} for each row",
                    _changed(db, policy, key, condition),
                    key,
                )
                break


def _name(db: Database, call: Node) -> str:
    """Return the name, as printed, of a function worth to be called once, else ""."""
    called = db.called.get(call.function)
    if called is None or called.volatility == "i" or called.returns_set:
        return ""
    if called.is_system:
        return called.name if called.name == _SESSION else ""
    return str(called).removesuffix("()")


@rule(
    "policy-set-not-indexable",
    "warning",
    """`column IN (SELECT … FROM f())` is a filter: the table is read as a whole, and each row is
    looked up in the function's result. `column = ANY ((SELECT f())::type[])` with a function that
    returns an array is computed once and is an index condition: 8 ms against 399 ms at 200,000
    conversations.""",
)
def policy_set_not_indexable(db: Database) -> Iterator[Found]:
    """Find a policy that compares with the rows of a function, which no index can serve."""
    for policy in db.policies:
        for key, tree in policy.conditions:
            if any(_reads_function(db, link) for link in tree.of(*_QUERIES)):
                yield Found(
                    ("pg_policy", policy.oid, 0),
                    "compares with the rows of a function, so no index serves the condition",
                    _changed(db, policy, key, with_arrays(_shown(policy, key))),
                    key,
                )
                break


def _reads_function(db: Database, link: Node) -> bool:
    """Tell whether an IN over a sub-query reads the rows of a function."""
    query = link.child("subselect")
    if link.number("subLinkType") != ANY or query is None:
        return False
    entries = query.of("RTE", "RANGETBLENTRY")
    called = (db.called.get(n.function) for n in query.of("FUNCEXPR"))
    return any(e.number("rtekind") == FUNCTION for e in entries) or any(
        c is not None and c.returns_set for c in called
    )


def _secured(db: Database, node: Node) -> list[str]:
    """Return the tables under row level security that sub-queries read."""
    found = (db.relations.get(oid) for oid in sorted(node.relations))
    return [r.sql for r in found if r is not None and r.secured]


def _not_exists(tree: Node) -> Iterator[Node]:
    """Yield the sub-queries of NOT EXISTS."""
    for negated in tree.of("BOOLEXPR"):
        if negated.text("boolop") == "not":
            for link in negated.children("args"):
                if link.kind == "SUBLINK" and link.number("subLinkType") == EXISTS:
                    yield link


_ADVICE = (
    "-- declare the key of the tenant as a column of the table, or compare with the array of a"
    " SECURITY DEFINER function that says itself who may see what"
)


@rule(
    "policy-reads-secured-table",
    "warning",
    """The policies of the other table are applied within this one, down to its helpers: reading
    four messages read 6,252 pages, because every visible conversation was collected first. Store
    the key in the table itself, or ask a SECURITY DEFINER function that returns an array: it must
    repeat what the policies of the other table demand, which do not bind it.""",
)
def policy_reads_secured_table(db: Database) -> Iterator[Found]:
    """Find a policy that reads another table under row level security."""
    for policy in db.policies:
        for tree in policy.using:
            links = [n for n in tree.of("SUBLINK") if _secured(db, n)]
            if links:
                tables = ", ".join(dict.fromkeys(t for n in links for t in _secured(db, n)))
                yield Found(
                    ("pg_policy", policy.oid, 0),
                    f"reads {tables}, whose own policies apply within it",
                    _ADVICE,
                    "using",
                )


@rule(
    "policy-not-exists-under-policies",
    "error",
    """NOT EXISTS in WITH CHECK sees only the rows that the policies of the other table show: a row
    of another tenant counts as absent, and the check passes. Ask for the row that must be there
    (EXISTS), or make it a foreign key, which sees all rows.""",
)
def policy_not_exists_under_policies(db: Database) -> Iterator[Found]:
    """Find a policy that takes a row that the user cannot see for one that does not exist."""
    for policy in db.policies:
        for tree in policy.check or (policy.using if policy.command in "w*" else ()):
            links = [n for n in _not_exists(tree) if _secured(db, n)]
            if links:
                key = "check" if policy.check else "using"
                tables = ", ".join(dict.fromkeys(t for n in links for t in _secured(db, n)))
                yield Found(
                    ("pg_policy", policy.oid, 0),
                    f"takes rows of {tables} that the user cannot see for absent",
                    _by_function(db, policy, key, links),
                    key,
                )


def _by_function(db: Database, policy: Policy, key: str, links: Sequence[Node]) -> str:
    """Move the sub-queries of NOT EXISTS into SECURITY DEFINER functions over the row.

    These see all rows, so that they refuse more rows than before.
    """
    table = db.relations[policy.relation]
    condition = _shown(policy, key)
    row = quoted(table.name)
    statements: list[str] = []
    for number in range(1, len(links) + 1):
        function = f"{quoted(table.schema)}.{quoted(f'{policy.name[:50]} {key} {number}')}"
        negated = part_after(condition, "NOT (EXISTS ")
        if negated is None:
            return f"-- declare a SECURITY DEFINER function for the sub-query of {policy.name}"
        exists = negated.removeprefix("NOT (")
        statements += [
            f"CREATE FUNCTION {function}({row} {table.sql}) RETURNS boolean LANGUAGE sql STABLE"
            f" SECURITY DEFINER SET search_path = '' RETURN {exists};",
            f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC;",
            f"GRANT EXECUTE ON FUNCTION {function} TO {users(db, table)};",
        ]
        condition = condition.replace(negated, f"NOT ({function}({row}.*)")
    return "\n".join([*statements, _changed(db, policy, key, condition)])


@rule(
    "policy-function-parallel-unsafe",
    "warning",
    """Functions are PARALLEL UNSAFE unless they say otherwise, and one such function in a policy
    makes every query of the table serial, those of reports too.""",
)
def policy_function_parallel_unsafe(db: Database) -> Iterator[Found]:
    """Find a function that forbids parallel queries, and is called by a policy."""
    for routine, policies in _called_by_policies(db):
        if db.called[routine.oid].parallel == "u":
            yield Found(
                ("pg_proc", routine.oid, 0),
                f"is called by {policies}, and not marked PARALLEL SAFE",
                f"ALTER {routine.sql} PARALLEL SAFE;",
                "parallel",
            )


def _called_by_policies(db: Database) -> Iterator[tuple[Routine, str]]:
    """Yield the functions of users that policies call, with the names of the policies."""
    found: dict[int, list[str]] = {}
    for policy in db.policies:
        called = {n.function for _, tree in policy.conditions for n in tree.walk()}
        for oid in sorted(called & db.routines.keys()):
            found.setdefault(oid, []).append(f"policy {policy_sql(db, policy)}")
    for oid, policies in found.items():
        more = f" and {len(policies) - 1} more" if len(policies) > 1 else ""
        yield db.routines[oid], policies[0] + more


DEFAULT_ROWS = 1000


@rule(
    "policy-function-default-rows",
    "warning",
    """Without ROWS the planner expects 1,000 rows of it, and chooses hash joins and whole-table
    scans where a user belongs to two organizations.""",
)
def policy_function_default_rows(db: Database) -> Iterator[Found]:
    """Find a set-returning function in a policy that does not say how many rows it returns."""
    for routine, policies in _called_by_policies(db):
        if routine.returns_set and routine.rows == DEFAULT_ROWS:
            yield Found(
                ("pg_proc", routine.oid, 0),
                f"is expected to return 1,000 rows by {policies}",
                f"ALTER {routine.sql} ROWS 10;",
                "rows",
            )
