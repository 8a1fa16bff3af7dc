"""Read a database: connection → Snapshot, in one read-only transaction that sees one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property

from psycopg import IsolationLevel

from reconciler.kinds import KINDS
from reconciler.model.catalog_sql import LABEL_OID, acl_grants
from reconciler.model.context import PlanningContext
from reconciler.model.facts import Leftover, PartitionCopies, PartitionCopy, Size
from reconciler.model.inheritance import Inheritable, Inheriting
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State, ref_of
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, rows, server_of, translated
from reconciler.sql import compose, joined, literal, text

Address = tuple[int, int, int]

COMMENTS = """
    SELECT classoid::int8, objoid::int8, objsubid::int8, description
    FROM pg_description WHERE objoid >= 16384 OR classoid = 'pg_namespace'::regclass"""
MEMBERS = """
    SELECT classid::int8, objid::int8, refobjid::int8
    FROM pg_depend WHERE deptype = 'e' AND refclassid = 'pg_extension'::regclass"""
DEPENDENCIES = f"""
    SELECT classid::int8, objid::int8, objsubid::int8, refclassid::int8, refobjid::int8, refobjsubid::int8
    FROM pg_depend WHERE objid >= 16384 AND refobjid >= 16384 AND deptype IN ('n', 'a', 'i', 'P', 'S')
    UNION ALL SELECT 'pg_seclabel'::regclass::oid::int8, {LABEL_OID}, 0, l.classoid::int8, l.objoid::int8, l.objsubid::int8
    FROM pg_seclabel AS l WHERE l.objoid >= 16384"""
SIZES = """
    SELECT n.nspname AS schema, c.relname AS name, c.reltuples::int8 AS rows,
           (c.relpages + coalesce((SELECT t.relpages FROM pg_class AS t WHERE t.oid = c.reltoastrelid), 0)
            + coalesce((SELECT sum(x.relpages) FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                        WHERE i.indrelid = c.oid), 0)
           )::int8 * current_setting('block_size')::int8 AS bytes
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm', 'p') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""
PIECES = """
    SELECT h.inhparent::int8 AS of, h.inhrelid::int8 AS oid, n.nspname AS schema, t.relname AS name, x.relname AS piece,
           x.relkind = 'i' AS leaf, i.indisvalid AS valid
    FROM pg_inherits AS h
    JOIN pg_index AS i ON i.indexrelid = h.inhrelid
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_class AS t ON t.oid = i.indrelid
    JOIN pg_namespace AS n ON n.oid = t.relnamespace"""
DETACHING = """
    SELECT n.nspname AS schema, c.relname AS name
    FROM pg_inherits AS h JOIN pg_class AS c ON c.oid = h.inhrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE h.inhdetachpending"""
DOUBLED = """
    SELECT pn.nspname AS parent_schema, p.relname AS parent, a.attname AS attribute, n.nspname AS schema, c.relname AS name
    FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[1], pg_partition_ancestors(c.oid) AS of
    JOIN pg_class AS p ON p.oid = of.relid JOIN pg_namespace AS pn ON pn.oid = p.relnamespace
    WHERE k.contype = 'n' AND k.conislocal AND k.coninhcount > 0 AND c.relispartition AND p.oid <> c.oid
    ORDER BY n.nspname, c.relname"""
NAMES = """
    SELECT n.nspname AS schema, c.relname AS name, CASE WHEN c.relispartition THEN coalesce(t.relname, '') ELSE '' END AS of
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_index AS i ON i.indexrelid = c.oid
    LEFT JOIN pg_class AS t ON t.oid = i.indrelid
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""
_NONE = "SELECT '{0}' AS place WHERE NOT EXISTS (SELECT FROM {1} AS x WHERE x.{2}::oid >= 16384)"
EMPTY = " UNION ALL ".join(
    _NONE.format(p, *p.split(".")) for p in sorted({k.oid_column for k in KINDS.values()} - {""})
)
INITIAL = f"""
    SELECT d.letter, coalesce(n.nspname, '') AS namespace,
           {acl_grants("coalesce(g.defaclacl, d.usual) || s.defaclacl", "d.usual", "d.usual", "d.role")} AS grants
    FROM (SELECT DISTINCT defaclrole AS role, defaclobjtype AS letter, defaclnamespace AS namespace,
                 acldefault(CASE defaclobjtype WHEN 'S' THEN 's' ELSE defaclobjtype END, defaclrole) AS usual
          FROM pg_default_acl WHERE pg_get_userbyid(defaclrole) = current_user) AS d
    LEFT JOIN pg_default_acl AS g ON g.defaclrole = d.role AND g.defaclobjtype = d.letter AND g.defaclnamespace = 0
    LEFT JOIN pg_default_acl AS s ON s.defaclrole = d.role AND s.defaclobjtype = d.letter AND s.defaclnamespace = d.namespace
                                     AND d.namespace <> 0
    LEFT JOIN pg_namespace AS n ON n.oid = d.namespace"""
LETTERS = {
    "TABLE": "r",
    "SEQUENCE": "S",
    "FUNCTION": "f",
    "PROCEDURE": "f",
    "ROUTINE": "f",
    "TYPE": "T",
    "DOMAIN": "T",
    "SCHEMA": "n",
}
FACTS = """
    SELECT current_user::text AS user, current_database()::text AS database,
           (SELECT system_identifier::text FROM pg_control_system()) AS system, d.encoding::int AS encoding, d.datcollate AS collate,
           ARRAY(SELECT rolname::text FROM pg_roles) AS roles,
           ARRAY(SELECT nspname::text FROM pg_namespace) AS schemas,
           ARRAY(SELECT extname::text FROM pg_extension WHERE extname <> 'plpgsql') AS extensions,
           ARRAY(SELECT name::text FROM pg_available_extensions) AS available
    FROM pg_database AS d WHERE d.datname = current_database()"""


@dataclass(frozen=True)
class Snapshot:
    """A database at one moment: its objects, and what else a plan must know of it.

    `names` are those of every relation, whether or not we model it; an index that a table has of its parent, with that
    table. `available` are the extensions whose files the server has. `database` tells it from every other: the cluster's
    system identifier and the database's name.
    """

    state: State
    context: PlanningContext
    database: str = ""
    roles: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    available: frozenset[str] = frozenset()
    names: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    addresses: Mapping[Address, Ref] = field(default_factory=dict[Address, Ref])

    @cached_property
    def standing_on(self) -> Mapping[Ref, set[Ref]]:
        """For every object, what stands on it directly."""
        return self.state.dependents()


def introspect(connection: Connection, standing_for: Server | None = None) -> Snapshot:
    """Read everything that our kinds know, whatever its schema; raises StatementFailed.

    The names that PostgreSQL prints are qualified because nothing is on the search path. Of a scratch server that stands
    for an older one nothing is read that the older one does not know.
    """
    server = server_of(connection)
    server = server if standing_for is None else server.standing_for(standing_for)
    before = connection.isolation_level, connection.read_only
    with translated():
        connection.isolation_level, connection.read_only = IsolationLevel.REPEATABLE_READ, True
        try:
            with connection.transaction():
                connection.execute(
                    "SELECT set_config('search_path', '', true), set_config('lock_timeout', '10s', true), set_config('jit', 'off', true)"
                )
                objects, addresses, leftovers, unfinished = _objects(connection, server)
                pieces = _pieces(connection, addresses)
                objects |= _called(objects, pieces)
                unfinished |= _detached(connection, objects, pieces)
                facts, taken = rows(connection, FACTS)[0], rows(connection, NAMES)
                context = PlanningContext(
                    server=server,
                    user=facts["user"],
                    sizes=_sizes(connection, objects),
                    leftovers=leftovers,
                    unfinished={r: objects[r] for r in unfinished},
                    partition_copies=pieces,
                    local_and_inherited_not_null=_doubled(connection, objects),
                    relation_names=frozenset((r["schema"], r["name"]) for r in taken),
                    initial={
                        (words, row["namespace"]): {r: tuple(p) for r, p in row["grants"].items()}
                        for row in rows(connection, INITIAL)
                        for words, letter in LETTERS.items()
                        if letter == row["letter"]
                    },
                )
                edges = _edges(connection, addresses)
        finally:
            connection.isolation_level, connection.read_only = before
    return Snapshot(
        State(objects, edges),
        context,
        f"{facts['system']}/{facts['database']}",
        frozenset(facts["roles"]),
        frozenset(facts["schemas"]),
        frozenset(facts["extensions"]),
        frozenset(facts["available"]),
        {(r["schema"], r["name"]): r["of"] for r in taken},
        addresses,
    )


def look(
    connection: Connection, kinds: Set[str], identities: Sequence[str]
) -> tuple[dict[Ref, Object], frozenset[Ref]]:
    """The objects of these kinds whose names occur in `identities`, and which of them are half-finished; with no search path."""
    with translated(), connection.transaction():
        connection.execute("SELECT set_config('search_path', '', true)")
        named = joined([literal(i) for i in identities])
        only = text(
            compose(
                "EXISTS (SELECT FROM unnest(ARRAY[{}]) AS i(dentity) WHERE position(o.name::text IN i.dentity) > 0)",
                named,
            )
        )
        objects, addresses, leftovers, _ = _objects(connection, server_of(connection), kinds, only)
        if any(isinstance(o, PartitionedObject) and o.partitioned for o in objects.values()):
            objects |= _called(objects, _pieces(connection, addresses))
    return objects, frozenset(leftovers)


def _objects(
    connection: Connection, server: Server, kinds: Set[str] = KINDS.keys(), only: str = ""
) -> tuple[dict[Ref, Object], dict[Address, Ref], dict[Ref, Leftover], set[Ref]]:
    comments = {
        (r["classoid"], r["objoid"], r["objsubid"]): r["description"]
        for r in rows(connection, COMMENTS)
    }
    objects: dict[Ref, Object] = {}
    addresses: dict[Address, Ref] = {}
    leftovers: dict[Ref, Leftover] = {}
    unfinished: set[Ref] = set()
    empty = {r["place"] for r in rows(connection, EMPTY)}
    for kind in KINDS.values():
        if kind.oid_column in empty or kind.kind not in kinds:
            continue
        query = (
            f"SELECT o.* FROM ({kind.catalog(server)}) AS o WHERE {only}"
            if only
            else kind.catalog(server)
        )
        for row in rows(connection, query):
            ref = ref_of(row, kind.kind)
            own: list[Address] = [(a[0], a[1], a[2]) for a in row.pop("addresses")]
            addresses |= {a: ref for a in own if a[1]}
            if row.pop("owed", False):
                unfinished.add(ref)
            left, resumable = row.pop("leftover", False), row.pop("sound", False)
            found = kind.from_row(ref, row | {"comment": comments.get(own[0])})
            if left:
                leftovers[ref] = Leftover(found, resumable)
            else:
                objects[ref] = found
    extensions = {a[1]: r for a, r in addresses.items() if r.kind == "extension"}
    for row in rows(connection, MEMBERS):
        if row["refobjid"] not in extensions:
            continue
        addresses[row["classid"], row["objid"], 0] = extensions[row["refobjid"]]
    return objects, addresses, leftovers, unfinished


def _edges(connection: Connection, addresses: Mapping[Address, Ref]) -> dict[Ref, frozenset[Ref]]:
    """pg_depend between the objects we know: https://www.postgresql.org/docs/current/catalog-pg-depend.html

    What needs a column that an heir has of its parent needs the parent's column, and the heir.
    """
    edges: dict[Ref, set[Ref]] = defaultdict(set)

    def known(classid: int, objid: int, part: int) -> Ref | None:
        return addresses.get((classid, objid, part)) or addresses.get((classid, objid, 0))

    for row in rows(connection, DEPENDENCIES):
        one = known(row["classid"], row["objid"], row["objsubid"])
        other = known(row["refclassid"], row["refobjid"], row["refobjsubid"])
        child = addresses.get((row["refclassid"], row["refobjid"], 0))
        if one and other and one not in (other, other.on):
            edges[one].add(other)
            if child and other.on not in (None, child) and child not in (one, one.on):
                edges[one].add(child)
    return {r: frozenset(e) for r, e in edges.items()}


def _pieces(connection: Connection, addresses: Mapping[Address, Ref]) -> PartitionCopies:
    """What indexes and constraints of partitioned tables have on every partition of a partition."""
    whole = {a[1]: r for a, r in addresses.items() if issubclass(KINDS[r.kind], PartitionedObject)}
    found: dict[Ref, dict[Ref, PartitionCopy]] = {}
    listed = {row["oid"]: row for row in rows(connection, PIECES)}
    for row in listed.values():
        line = [row]
        while line[-1]["of"] in listed:
            line.append(listed[line[-1]["of"]])
        top = whole.get(line[-1]["of"])
        if top is not None and top.on is not None:
            own, above, *_ = [*(Ref(top.on.kind, r["schema"], r["name"]) for r in line), top.on]
            found.setdefault(top, {})[own] = PartitionCopy(
                row["piece"], above, len(line), row["leaf"], row["valid"]
            )
    return found


def _doubled(
    connection: Connection, objects: Mapping[Ref, Object]
) -> dict[tuple[Ref, str], list[Ref]]:
    by_name = _by_name(objects)
    found: dict[tuple[Ref, str], list[Ref]] = {}
    for row in rows(connection, DOUBLED):
        parent, child = (
            by_name.get(n)
            for n in ((row["parent_schema"], row["parent"]), (row["schema"], row["name"]))
        )
        if parent and child:
            found.setdefault((parent, row["attribute"]), []).append(child)
    return found


def _called(objects: Mapping[Ref, Object], pieces: PartitionCopies) -> dict[Ref, Object]:
    """The indexes and constraints whose pieces people have named."""
    named = (
        (r, o, pieces[r])
        for r, o in objects.items()
        if r in pieces and isinstance(o, PartitionedObject)
    )
    return {
        r: o.with_partition_names({t: piece.name for t, piece in found.items()})
        for r, o, found in named
    }


def _detached(
    connection: Connection, objects: dict[Ref, Object], pieces: PartitionCopies
) -> set[Ref]:
    """Take partitions that were about to be detached for what they will be; returns them."""
    by_name = _by_name(objects)
    found = {
        by_name[row["schema"], row["name"]]
        for row in rows(connection, DETACHING)
        if (row["schema"], row["name"]) in by_name
    }
    for table in found:
        for ref, obj in on_its_own(State(objects), table, pieces).items():
            objects.setdefault(ref, obj)
        obj = objects[table]
        objects[table] = obj.without_parents() if isinstance(obj, Inheriting) else obj
    return found


def on_its_own(state: State, ref: Ref, pieces: PartitionCopies) -> dict[Ref, Object]:
    """What its parents give an object, as it has it when it leaves them."""
    names = {
        parent.inherited_by(ref).ref: p[ref].name
        for w, p in pieces.items()
        if isinstance(parent := state.get(w), Inheritable) and ref in p
    }
    found: dict[Ref, Object] = {}
    for given, obj in state.inherited(ref).items():
        own = replace(given, name=names.get(given, given.name))
        told = {f: False for f in ("inherited",) if f in type(obj).derived()}
        found[own] = obj.model_copy(update=told | {"ref": own})
    return found


def _by_name(objects: Mapping[Ref, Object]) -> dict[tuple[str, str], Ref]:
    return {(r.schema, r.name): r for r, o in objects.items() if o.relation}


def _sizes(connection: Connection, objects: Mapping[Ref, Object]) -> dict[Ref, Size]:
    by_name = _by_name(objects)
    found: dict[Ref, Size] = {}
    for row in rows(connection, SIZES):
        if ref := by_name.get((row["schema"], row["name"])):
            found[ref] = Size(row["rows"], row["bytes"])
    return found
