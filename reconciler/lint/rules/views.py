"""Rules about views."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.database import Database
from reconciler.lint.facts import MATERIALIZED, PUBLIC, VIEW, Relation, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.tree import RELATION, Node

INVOKER_SINCE = 15


def _read(db: Database, view: Relation) -> set[int]:
    """Return the tables read by a view, directly or through views with security_invoker."""
    found, waiting = set[int](), [view]
    while waiting:
        for oid in db.read_by.get(waiting.pop().oid, set()) - found:
            found.add(oid)
            relation = db.relations.get(oid)
            if relation is not None and relation.kind == VIEW:
                waiting.append(relation)
    return found


@rule(
    "view-without-security-invoker",
    "error",
    """A view reads its tables with the rights of its owner, whom no policy binds: one tenant saw
    2,132 conversations of 10 organizations instead of its 213. With security_invoker, since
    PostgreSQL 15, it reads them with the rights of the caller.""",
    "0010 security_definer_view",
)
def view_without_security_invoker(db: Database) -> Iterator[Found]:
    """Find a view that bypasses row level security."""
    for view in db.relations.values():
        if view.kind != VIEW or view.runs_as_invoker or db.major < INVOKER_SINCE:
            continue
        tables = [db.relations[oid] for oid in _read(db, view) & db.relations.keys()]
        secured = sorted(t.sql for t in tables if t.secured)
        readers = db.exposed(view.granted("select"), view.schema) if tables else []
        if secured or readers:
            what = ", ".join(secured) if secured else "its tables"
            yield Found(
                ("pg_class", view.oid, 0),
                f"reads {what} with the rights of its owner, not of the caller",
                f"ALTER VIEW {view.sql} SET (security_invoker = true);",
                "security_invoker",
            )


@rule(
    "view-not-limitable",
    "warning",
    """GROUP BY over a join, with a row for each row of a table, is computed as a whole even for
    LIMIT 20 or a single key behind a policy: 96 ms for a page of 20, against 0.8 ms when the other
    table is aggregated apart for each row (CROSS JOIN LATERAL).""",
)
def view_not_limitable(db: Database) -> Iterator[Found]:
    """Find a view that aggregates all rows to show one."""
    for view in db.relations.values():
        tree = db.groupings.get(view.oid) if view.kind == VIEW else None
        if tree is not None and _groups_by_key(db, tree):
            yield Found(
                ("pg_class", view.oid, 0),
                "groups a join by a table's key: a page in another order costs as much as all",
                "-- declare the query with CROSS JOIN LATERAL (SELECT count(*) … WHERE …) instead"
                " of GROUP BY",
                "query",
            )


def _groups_by_key(db: Database, query: Node) -> bool:
    """Tell whether a query over several tables groups by the primary key of a table."""
    entries = query.children("rtable")
    tables = {
        n: e.number("relid") for n, e in enumerate(entries, 1) if e.number("rtekind") == RELATION
    }
    if len(tables) < 2:
        return False
    groups = {g.number("tleSortGroupRef") for g in query.children("groupClause")}
    grouped: set[tuple[int, int]] = set()
    for target in query.children("targetList"):
        expression = target.child("expr")
        if target.number("ressortgroupref") in groups and expression is not None:
            grouped |= {
                (v.number("varno"), v.number("varattno")) for v in _columns(query, expression)
            }
    return any(
        key.type == "p" and all((number, k) in grouped for k in key.keys)
        for number, oid in tables.items()
        for key in db.constraints_of.get(oid, ())
    )


def _columns(query: Node, expression: Node) -> Iterator[Node]:
    """Yield a grouped column, behind the entry for GROUP BY that PostgreSQL 18 adds."""
    if expression.kind != "VAR":
        return
    entries = query.children("rtable")
    number = expression.number("varno")
    entry = entries[number - 1] if 0 < number <= len(entries) else None
    expressions = entry.children("groupexprs") if entry else []
    if not expressions:
        yield expression
    elif expressions[expression.number("varattno") - 1].kind == "VAR":
        yield expressions[expression.number("varattno") - 1]


@rule(
    "materialized-view-exposed",
    "warning",
    """A materialized view holds what its owner saw, and row level security cannot be enabled on
    it: who may read it reads all of it.""",
    "0016 materialized_view_in_api",
)
def materialized_view_exposed(db: Database) -> Iterator[Found]:
    """Find a materialized view that a role of requests may read."""
    for view in db.relations.values():
        granted = view.granted("select")
        roles = db.exposed(granted, view.schema) if view.kind == MATERIALIZED else []
        if roles:
            names = ", ".join([*map(quoted, roles), *(["PUBLIC"] if PUBLIC in granted else [])])
            yield Found(
                ("pg_class", view.oid, 0),
                f"{names} may read it, and no policy can protect it",
                f"REVOKE SELECT ON {view.sql} FROM {names};",
                "grants",
            )
