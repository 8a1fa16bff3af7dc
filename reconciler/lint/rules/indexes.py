"""Rules about indexes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

from reconciler.lint.database import Database
from reconciler.lint.facts import Index, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.rules.keys import dropped
from reconciler.lint.tree import Node

BTREE = 403
UNIQUE, FOREIGN = "u", "f"
IS_NOT_NULL = 1
BACKWARDS = 3  # DESC and NULLS FIRST
DAY = 86_400
OBSERVED = 7 * DAY


def _drop(index: Index) -> str:
    return f"DROP INDEX CONCURRENTLY {index.sql};"


def _same_condition(one: Index, other: Index) -> bool:
    return one.shown_predicate == other.shown_predicate


@rule(
    "index-duplicate",
    "warning",
    """Every INSERT, and every UPDATE that is not HOT, writes both; queries use one. A unique
    constraint that repeats another counts, unless a foreign key refers to it.""",
    "0009 duplicate_index",
)
def index_duplicate(db: Database) -> Iterator[Found]:
    """Find an index that is there twice."""
    unique = {c.index: c for c in db.constraints if c.type == UNIQUE and not c.is_inherited}
    kept = _kept(db)
    for indexes in db.indexes_of.values():
        ordered = sorted(
            indexes, key=lambda i: (i.oid not in kept, not i.is_needed, not i.is_unique, i.name)
        )
        for number, index in enumerate(ordered):
            same = [i for i in ordered[:number] if _equal(i, index)]
            if same and index.oid not in kept and (index.oid in unique or not index.is_needed):
                constraint = unique.get(index.oid)
                yield Found(
                    ("pg_class", index.oid, 0),
                    f"has the definition of {quoted(same[0].name)}",
                    dropped(db, constraint) if constraint else _drop(index),
                )


def _kept(db: Database) -> Set[int]:
    """Return the indexes that cannot be dropped alone: foreign keys and others rely on them."""
    chosen = {i.oid for i in db.indexes if i.is_chosen or i.is_partition}
    return chosen | {c.index for c in db.constraints if c.type == FOREIGN}


def _equal(kept: Index, other: Index) -> bool:
    """Tell whether an index has the same keys and serves every use of the second index."""
    return (
        kept.keys == other.keys
        and kept.is_valid
        and (not other.is_unique or _is_as_strict(kept, other))
        and kept.purpose == other.purpose
        and {*other.included} <= {*kept.included}
    )


def _is_as_strict(kept: Index, other: Index) -> bool:
    """Tell whether an index refuses what a unique index does, at the same moment."""
    same = (kept.is_immediate, kept.nulls_are_equal) == (other.is_immediate, other.nulls_are_equal)
    return kept.is_unique and same


@rule(
    "index-prefix",
    "warning",
    """The longer index serves the same queries, and every write maintains both.""",
)
def index_prefix(db: Database) -> Iterator[Found]:
    """Find an index whose columns are the first ones of another."""
    for indexes in db.indexes_of.values():
        for index in indexes:
            if index.is_needed or index.is_unique or index.is_partition or index.method != BTREE:
                continue
            longer = [i for i in indexes if _begins_with(i, index)]
            if longer:
                yield Found(
                    ("pg_class", index.oid, 0),
                    f"its columns are the first of {quoted(longer[0].name)}",
                    _drop(index),
                )


def _begins_with(longer: Index, index: Index) -> bool:
    length = len(index.keys)
    if longer.keys[:1] != index.keys[:1] or len(longer.keys) <= length:  # nearly all
        return False
    if not longer.is_valid or longer.method != BTREE:
        return False
    if 0 in index.keys or not _same_condition(longer, index):
        return False
    pairs = (
        (longer.keys, index.keys),
        (longer.classes, index.classes),
        (longer.collations, index.collations),
    )
    same = all([*first[:length]] == [*second] for first, second in pairs)
    turned = {a ^ b for a, b in zip(longer.options[:length], index.options, strict=True)}
    readable = {*longer.keys, *longer.included}
    return same and turned in ({0}, {BACKWARDS}) and {*index.included} <= readable


@rule(
    "index-predicate-implied",
    "note",
    """`WHERE column IS NOT NULL` on a column that is NOT NULL leaves no row out. Still the index is
    used only by queries that compare the column: not to sort by it, nor to count the rows.""",
)
def index_predicate_implied(db: Database) -> Iterator[Found]:
    """Find a partial index whose condition is always true."""
    for index in db.indexes:
        tests = [t for t in _conjuncts(index.predicates) if t.kind == "NULLTEST"]
        implied = [
            number
            for test in tests
            if test.number("nulltesttype") == IS_NOT_NULL
            for number in _plain_column(test)
            if db.columns[index.relation, number].not_null
        ]
        if implied and not index.is_partition:
            names = ", ".join(db.names(index.relation, implied))
            yield Found(
                ("pg_class", index.oid, 0),
                f"leaves out rows in which {names} is null, and there are none",
                _without_condition(db, index, implied),
                "where",
            )


def _conjuncts(trees: Sequence[Node]) -> Iterator[Node]:
    waiting = [*reversed(trees)]
    while waiting:
        tree = waiting.pop()
        if tree.kind == "BOOLEXPR" and tree.text("boolop") == "and":
            waiting += reversed(tree.children("args"))
        else:
            yield tree


def _plain_column(test: Node) -> list[int]:
    argument = test.child("arg")
    return [argument.number("varattno")] if argument and argument.kind == "VAR" else []


def _without_condition(db: Database, index: Index, implied: Sequence[int]) -> str:
    """Return statements to build an index without the parts of its condition that say nothing.

    An index that another one then makes superfluous is dropped.
    """
    names = db.names(index.relation, implied)
    left = [*_conjuncts(index.predicates)][len(implied) :]
    if not left:
        whole = index._replace(predicate=None, shown_predicate=None)
        others = [i for i in db.indexes_of[index.relation] if i.oid != index.oid]
        if not index.is_unique and any(_equal(i, whole) or _begins_with(i, whole) for i in others):
            return _drop(index)
        return _rebuilt(index, index.definition.removesuffix(f" WHERE {index.shown_predicate}"))
    condition = index.shown_predicate or ""
    for test in (f"({name} IS NOT NULL)" for name in names):
        condition = condition.replace(f"{test} AND ", "", 1).replace(f" AND {test}", "", 1)
    return _rebuilt(index, index.definition.replace(index.shown_predicate or "", condition))


def _rebuilt(index: Index, definition: str) -> str:
    """Return statements that replace an index by another of the same name, online."""
    old = quoted(f"{index.name[:58]}_old")
    build = definition.replace(" INDEX ", " INDEX CONCURRENTLY ", 1)
    return (
        f"ALTER INDEX {index.sql} RENAME TO {old};\n{build};\n"
        f"DROP INDEX CONCURRENTLY {quoted(index.schema)}.{old};"
    )


@rule(
    "index-not-immutable",
    "error",
    """An index on what depends on the session's time zone, language or a table's rows finds other
    rows than a scan. PostgreSQL refuses functions that are not IMMUTABLE (`date_trunc('hour',
    at)` of a timestamptz, for one), but believes those that are only marked so.""",
)
def index_not_immutable(db: Database) -> Iterator[Found]:
    """Find an index over an expression that is not the same at all times."""
    for index in db.indexes:
        called = {n.function for t in (*index.trees, *index.predicates) for n in t.walk()} - {0}
        wrong = [str(db.called[f]) for f in sorted(called) if _changes(db, f)]
        if wrong:
            yield Found(
                ("pg_class", index.oid, 0),
                f"calls {', '.join(wrong)}, whose result is not always the same",
                _drop(index),
                "on",
            )


def _changes(db: Database, function: int) -> bool:
    """Tell whether a function is not immutable, or calls a function that is not."""
    called, routine = db.called.get(function), db.routines.get(function)
    if called is None or called.volatility != "i":
        return called is not None
    inner = {n.function for tree in routine.trees for n in tree.walk()} if routine else set[int]()
    return any(f in db.called and db.called[f].volatility != "i" for f in inner - {function})


@rule(
    "index-behind-policy",
    "note",
    """PostgreSQL evaluates the policy before any function that is not LEAKPROOF, and neither `->>`
    nor `date_trunc` is: for such users the expression is a filter on rows found otherwise. The
    index serves roles that no policy binds; users need a column.""",
)
def index_behind_policy(db: Database) -> Iterator[Found]:
    """Find an expression index that users under row level security cannot use."""
    for index in db.indexes:
        relation = db.relations.get(index.relation)
        reading = any(p.command in "r*" for p in db.policies_of.get(index.relation, ()))
        if relation is None or not relation.secured or not reading or index.is_partition:
            continue
        called = {n.function for tree in index.trees for n in tree.walk()} - {0}
        leaking = [f for f in sorted(called) if f in db.called and not db.called[f].is_leakproof]
        if leaking:
            names = ", ".join(dict.fromkeys(db.called[f].name for f in leaking))
            yield Found(
                ("pg_class", index.oid, 0),
                f"{names} is not leakproof: behind a policy the index condition becomes a filter",
                _by_column(relation.sql, index),
                "on",
            )


def _by_column(table: str, index: Index) -> str:
    """Return statements to put the only expression of an index into a column."""
    if len(index.trees) != 1 or not index.shown_expressions:
        return f"-- declare generated columns for the expressions of {quoted(index.name)}"
    column = quoted(f"{index.name[:58]}_key")
    kind = index.types[[*index.keys].index(0)]
    return (
        f"ALTER TABLE {table} ADD COLUMN {column} {kind}"
        f" GENERATED ALWAYS AS ({index.shown_expressions}) STORED;\n"
        + _rebuilt(index, index.definition.replace(index.shown_expressions, column, 1))
    )


@rule(
    "index-unused",
    "note",
    """It is written by every INSERT and by UPDATEs that are not HOT. Statistics of this server only
    are asked: a standby may use the index. They must be a week old.""",
    "0005 unused_index",
    is_measured=True,
)
def index_unused(db: Database) -> Iterator[Found]:
    """Find an index that no query has used."""
    if db.observed < OBSERVED:
        return
    for index in db.unused:
        days = int(db.observed / DAY)
        yield Found(
            ("pg_class", index.oid, 0),
            f"{index.bytes:,} bytes, and no scan in {days} days",
            f"DROP INDEX CONCURRENTLY {index.sql};",
        )
