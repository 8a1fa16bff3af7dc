"""Rules about keys and references between tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import takewhile

from reconciler.lint.database import Database
from reconciler.lint.facts import Column, Constraint, Index, Relation, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.tree import Node

FOREIGN, PRIMARY = "f", "p"
UNLOGGED = "u"
MANY = 5  # tables
BTREE = 403
_Column = tuple[int, int]  # of a relation's oid, the number


def _foreign_keys(db: Database) -> Iterator[Constraint]:
    return (c for c in db.constraints if c.type == FOREIGN and not c.is_inherited)


def dropped(db: Database, constraint: Constraint) -> str:
    """Return a statement to drop a constraint."""
    table = db.relations[constraint.relation].sql
    return f"ALTER TABLE {table} DROP CONSTRAINT {quoted(constraint.name)};"


@rule(
    "foreign-key-unindexed",
    "warning",
    """Each DELETE of a referenced row, and each UPDATE of its key, reads the referencing table as a
    whole.""",
    "0001 unindexed_foreign_keys",
)
def foreign_key_unindexed(db: Database) -> Iterator[Found]:
    """Find a foreign key without an index on its columns."""
    for key in _foreign_keys(db):
        beginning = [i for i in db.indexes_of.get(key.relation, ()) if _begins(db, i, key)]
        if any(_finds_all(i, key) for i in beginning):
            continue
        table, columns = db.relations[key.relation], db.names(key.relation, key.keys)
        online = "" if table.kind == "p" else " CONCURRENTLY"
        but = f", but {quoted(beginning[0].name)}, which lacks some rows" if beginning else ""
        yield Found(
            ("pg_constraint", key.oid, 0),
            f"no index begins with {', '.join(columns)}{but}",
            f"CREATE INDEX{online} ON {table.sql} ({', '.join(columns)});",
        )


def _finds_all(index: Index, key: Constraint) -> bool:
    """Tell whether an index that begins with the columns of a key finds all rows of the key."""
    return index.is_valid and all(
        t.kind == "NULLTEST" and t.number("nulltesttype") == 1 and t.columns <= {*key.keys}
        for predicate in index.predicates
        for t in _parts(predicate)
    )


def _begins(db: Database, index: Index, key: Constraint) -> bool:
    """Tell whether an index begins with the columns of a key, in whatever order.

    Columns that refer to a unique key of the other table are enough: (post) for (post, tenant).
    """
    if index.keys[0] not in key.keys:  # nearly all
        return False
    theirs = dict(zip(key.keys, key.referenced_keys, strict=True))
    first = {theirs[n] for n in takewhile(lambda n: n in theirs, index.keys)}
    unique = [c for c in db.constraints_of.get(key.referenced, ()) if c.type in "pu"]
    return first == {*theirs.values()} or any({*c.keys} <= first for c in unique)


def _parts(predicate: Node) -> list[Node]:
    is_and = predicate.kind == "BOOLEXPR" and predicate.text("boolop") == "and"
    return predicate.children("args") if is_and else [predicate]


@rule(
    "table-without-primary-key",
    "note",
    """Logical replication cannot apply its UPDATEs and DELETEs, `reconcile` cannot fill its columns
    in batches by key, and duplicates cannot be told apart.""",
    "0004 no_primary_key",
)
def table_without_primary_key(db: Database) -> Iterator[Found]:
    """Find a table without a primary key."""
    for table in db.tables:
        types = {c.type for c in db.constraints_of.get(table.oid, ())}
        if PRIMARY not in types and not table.is_partition:
            yield Found(("pg_class", table.oid, 0), "has no primary key", _with_key(db, table))


def _with_key(db: Database, table: Relation) -> str:
    """Return a statement to give a table a primary key, of columns that are unique if it has some.

    The primary key of a partitioned table must hold its partition keys.
    """
    found = next((i for i in db.indexes_of.get(table.oid, ()) if _may_be_key(db, i)), None)
    if found is not None:
        columns = ", ".join(db.names(table.oid, found.keys))
        if found.is_needed or table.kind == "p":
            return f"ALTER TABLE {table.sql} ADD PRIMARY KEY ({columns});"
        name = quoted(found.name)
        return f"ALTER TABLE {table.sql} ADD CONSTRAINT {name} PRIMARY KEY USING INDEX {name};"
    column = "reconcile_id" if _has(db, table.oid, "id") else "id"
    if table.kind != "p":
        return (
            f"ALTER TABLE {table.sql} ADD COLUMN {column} bigint GENERATED ALWAYS AS IDENTITY"
            " PRIMARY KEY;"
        )
    keys = table.partition_keys or ()
    if 0 in keys:
        return "-- PostgreSQL makes no key for partitions by an expression: declare a column for it"
    columns = ", ".join([column, *db.names(table.oid, keys)])
    return (
        f"ALTER TABLE {table.sql} ADD COLUMN {column} uuid DEFAULT gen_random_uuid(),"
        f" ADD PRIMARY KEY ({columns});"
    )


def _may_be_key(db: Database, index: Index) -> bool:
    """Tell whether an index may become a primary key as it is."""
    is_plain = index.method == BTREE and index.is_unique and index.is_valid and 0 not in index.keys
    is_whole = index.predicate is None and not any(index.options) and not index.included
    usual = is_plain and is_whole and index.has_usual_classes
    return usual and all(db.columns[index.relation, n].not_null for n in index.keys)


def _has(db: Database, table: int, name: str) -> bool:
    return any(c.name == name for c in db.columns_of.get(table, ()))


@rule(
    "foreign-key-without-tenant",
    "warning",
    """Both the table and the table it refers to have a column of this name that refers to the same
    key, and nothing compares the two: a message may name another organization than its
    conversation does. A foreign key over both columns does. Only keys of tenants count: columns
    that a policy of the table reads, or that half of the tables have.""",
    is_about_all=True,
)
def foreign_key_without_tenant(db: Database) -> Iterator[Found]:
    """Find a copied key that may disagree with the row it was copied from."""
    owners = {
        (k.relation, k.keys[0]): (k.referenced, k.referenced_keys[0])
        for k in db.constraints
        if k.type == FOREIGN and len(k.keys) == 1
    }
    tables, having = {relation for relation, _ in owners}, _having(db, owners)
    for key in _foreign_keys(db):
        if len(key.keys) != 1 or key.relation == key.referenced:
            continue
        for column in db.columns_of.get(key.relation, ()):
            owner = owners.get((key.relation, column.number))
            if owner is None or owner[0] == key.referenced:
                continue
            copied, alike = _copied(db, key, column), having[owner, column.name]
            if copied is None or not _is_tenant(db, column, alike, len(tables)):
                continue
            same = owners.get((key.referenced, copied.number)) == owner
            if same and not _compared(db, key, column, copied):
                yield Found(
                    ("pg_constraint", key.oid, 0),
                    f"{quoted(column.name)} may differ from that of the row it refers to",
                    _composite(db, key, column, copied),
                )


def _having(db: Database, owners: Mapping[_Column, _Column]) -> dict[tuple[_Column, str], set[int]]:
    """Map a key and a column's name to the tables with such a column that refers to the key."""
    found: dict[tuple[_Column, str], set[int]] = {}
    for (relation, number), owner in owners.items():
        found.setdefault((owner, db.columns[relation, number].name), set()).add(relation)
    return found


def _is_tenant(db: Database, column: Column, having: Collection[int], tables: int) -> bool:
    """Tell whether a policy of the table reads a column, or half of the tables have its like."""
    policies = db.policies_of.get(column.relation, ())
    if any(column.number in tree.columns for p in policies for _, tree in p.conditions):
        return True
    return len(having) >= MANY and len(having) * 2 >= tables


def _copied(db: Database, key: Constraint, column: Column) -> Column | None:
    """Return the column of the same name and type in the referenced table."""
    if column.number in key.keys:
        return None
    others = db.columns_of.get(key.referenced, ())
    return next((c for c in others if (c.name, c.type) == (column.name, column.type)), None)


def _compared(db: Database, key: Constraint, column: Column, copied: Column) -> bool:
    """Tell whether a foreign key compares both columns."""
    pair = (column.number, copied.number)
    return any(
        other.type == FOREIGN
        and other.referenced == key.referenced
        and pair in {*zip(other.keys, other.referenced_keys, strict=True)}
        for other in db.constraints_of.get(key.relation, ())
    )


def _composite(db: Database, key: Constraint, column: Column, copied: Column) -> str:
    table, other = db.relations[key.relation], db.relations[key.referenced]
    own = [*db.names(key.relation, key.keys), quoted(column.name)]
    theirs = [*db.names(key.referenced, key.referenced_keys), quoted(copied.name)]
    numbers = {*key.referenced_keys, copied.number}
    unique = ""
    if not any(_is_key(i, numbers) for i in db.indexes_of.get(key.referenced, ())):
        # other findings need the same one
        columns = [db.columns[key.referenced, n].name for n in key.referenced_keys]
        index = quoted("_".join([other.name, *columns, copied.name])[:59] + "_key")
        online = "" if other.kind == "p" else " CONCURRENTLY"
        unique = (
            f"CREATE UNIQUE INDEX{online} IF NOT EXISTS {index}"
            f" ON {other.sql} ({', '.join(theirs)});\n"
        )
    return (
        f"{unique}ALTER TABLE {table.sql} ADD FOREIGN KEY ({', '.join(own)})"
        f" REFERENCES {other.sql} ({', '.join(theirs)});"
    )


def _is_key(index: Index, numbers: Collection[int]) -> bool:
    """Tell whether a foreign key may refer to the columns of an index."""
    is_whole = index.is_unique and index.is_valid and index.predicate is None
    return is_whole and sorted(index.keys) == sorted(numbers)


@rule(
    "foreign-key-to-partitioned",
    "note",
    """Before PostgreSQL 18 it cannot be added NOT VALID, so adding it scans both tables under a
    lock against writes, and every DETACH of a partition looks for referencing rows.""",
)
def foreign_key_to_partitioned(db: Database) -> Iterator[Found]:
    """Find a foreign key to a partitioned table."""
    for key in _foreign_keys(db):
        referenced = db.relations.get(key.referenced)
        if referenced is not None and referenced.kind == "p":
            yield Found(
                ("pg_constraint", key.oid, 0),
                f"{referenced.sql} is partitioned: detaching a partition reads this table",
                dropped(db, key),
            )


@rule(
    "foreign-key-to-unlogged",
    "error",
    """After a crash, and on every standby, an unlogged table is empty: what refers to it is lost
    with it.""",
)
def foreign_key_to_unlogged(db: Database) -> Iterator[Found]:
    """Find a foreign key to an unlogged table."""
    for key in _foreign_keys(db):
        referenced = db.relations.get(key.referenced)
        if referenced is not None and referenced.persistence == UNLOGGED:
            yield Found(
                ("pg_constraint", key.oid, 0),
                f"{referenced.sql} is unlogged: a crash empties it",
                f"ALTER TABLE {referenced.sql} SET LOGGED;",
            )
