"""Read a database into a Snapshot, in a read-only transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self, cast

from reconciler.errors import SettingsError, StatementFailed
from reconciler.introspect.attempts import ObjectsChanged, read_until_steady
from reconciler.introspect.catalogs import ADDRESSES, OBJECTS
from reconciler.introspect.default_path import default_path
from reconciler.introspect.objects import Address, Asked, Objects
from reconciler.introspect.partitions import (
    finalize_detaching,
    local_and_inherited_not_null,
    partition_copies,
    with_partition_names,
)
from reconciler.introspect.queries import (
    CHILDREN,
    DEFAULT_ACL_LETTERS,
    DEFAULT_PRIVILEGES,
    DEPENDENCIES,
    INITIAL_GRANTS,
    RELATION_NAMES,
    SERVER_FACTS,
)
from reconciler.model.context import PlanningContext
from reconciler.model.facts import PartitionCopies
from reconciler.model.foreign_options import HasForeignOptions
from reconciler.model.object import Object
from reconciler.model.owned import owner_of
from reconciler.model.privileges import Grants
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row, rows, server_of, tuples
from reconciler.server.one_snapshot import one_snapshot
from reconciler.server.prepared import queries_prepared
from reconciler.server.reading_ahead import Answers
from reconciler.server.tablespaces import Tablespaces

FURTHER = (SERVER_FACTS, RELATION_NAMES, DEPENDENCIES)


@dataclass(frozen=True)
class Snapshot:
    """A database at a moment: the objects, and further facts for plans.

    `names` holds schema and name of every relation, of known kinds or not; the value is the table
    of an index that is a partition of another index, else "". `available` are the extensions whose
    files the server has. `database` identifies the database by the cluster's system identifier and
    the database's name. `kept` are parameters of the role and the database that stay in force, such
    as `role = app`. `catalogued` are classid, objid and schema of every object, of known kinds or
    not. `building` maps indexes that another session builds, and that the state holds as if they
    were complete, to its pid. `standby` tells that the server is in recovery and only reads.
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
    kept: Sequence[str] = ()
    catalogued: Sequence[tuple[int, int, str]] = ()
    building: Mapping[Ref, int] = field(default_factory=dict[Ref, int])
    standby: bool = False

    @property
    def standing_on(self) -> Mapping[Ref, set[Ref]]:
        """The direct dependents of each object."""
        return self.state.dependents


_Steps = Generator[None, None, Snapshot]


def introspect(
    connection: Connection, standing_for: Server | None = None, *, role: str = ""
) -> Snapshot:
    """Read all objects of known kinds in all schemas; raises StatementFailed.

    `standing_for` is the server that a scratch server represents: features that an older server
    lacks are not read. Nobody else changes such a server; others are read again if objects were
    dropped meanwhile. `role` is the role that will run a plan, "" for the current role; raises
    SettingsError if there is no such role.
    """
    server = server_of(connection)
    if standing_for is not None:
        with queries_prepared(connection), one_snapshot(connection):
            return _read(connection, server.standing_for(standing_for))
    return Reading(connection).snapshot(role)


class Reading:
    """A target that is being read: the server works on the queries while we do something else.

    Nothing else may use the connection until `snapshot` returns.
    """

    def __init__(self, connection: Connection) -> None:
        """Send the first queries; what they raise is raised by `snapshot`."""
        self._connection, self._server = connection, server_of(connection)
        self._begun: _Steps | None = None
        with suppress(StatementFailed):
            self._begun = self._begin()

    def snapshot(self, role: str = "") -> Snapshot:
        """Return what `introspect` returns for the role."""
        live = read_until_steady(self._read)
        return _for_role(self._connection, live, role) if role else live

    def close(self) -> None:
        """Drop what the server has read, and close the connection."""
        try:
            if self._begun is not None:
                with suppress(StatementFailed):
                    self._begun.close()
        finally:
            self._connection.close()

    def _begin(self) -> _Steps:
        begun = _read_steadily(self._connection, self._server)
        next(begun)
        return begun

    def _read(self) -> Snapshot:
        begun, self._begun = self._begun or self._begin(), None
        try:
            next(begun)
        except StopIteration as end:
            return cast("Snapshot", end.value)
        raise AssertionError("the catalogs are read in two steps")


def _for_role(connection: Connection, live: Snapshot, role: str) -> Snapshot:
    """Return the snapshot with the facts that concern a role, which may be another.

    The default search_path stays that of the current role: nobody else can tell what it would be.
    """
    if role not in live.roles:
        raise SettingsError(f"the role that is to apply the plan does not exist: {role}")
    path = live.context.default_path
    creators = {s: [r for r in roles if r != role] for s, roles in path.creators.items()}
    with one_snapshot(connection):
        initial = _initial_grants(connection, role)
    context = replace(
        live.context,
        user=role,
        owners=_owners(live.state.objects, role),
        initial=initial,
        default_path=replace(path, creators={s: r for s, r in creators.items() if r}),
    )
    return replace(live, context=context)


def _read_steadily(connection: Connection, server: Server) -> Generator[None, None, Snapshot]:
    """Read a database on which others work; raises ObjectsChanged if they dropped objects.

    Yields once the queries are sent.
    """
    with one_snapshot(connection):
        asked = Asked.of(connection, server)
        with Answers(connection, [*asked.queries, *FURTHER, OBJECTS]) as answers:
            yield
            objects, further = asked.objects(answers), _Further.of(answers)
            catalogued = answers.tuples()
        found = _snapshot(connection, server, objects, further)
        path = default_path(connection)
    before = {(classid, objid) for classid, objid, _ in catalogued}
    if gone := before.difference(tuples(connection, ADDRESSES)):
        names = sorted(str(found.addresses.get((*address, 0), "")) for address in gone)
        raise ObjectsChanged(", ".join(name for name in names if name))
    context = replace(found.context, default_path=path)
    return replace(found, context=context, catalogued=catalogued)


def _read(connection: Connection, server: Server) -> Snapshot:
    asked = Asked.of(connection, server)
    with Answers(connection, [*asked.queries, *FURTHER]) as answers:
        found, further = asked.objects(answers), _Further.of(answers)
    return _snapshot(connection, server, found, further)


class _Further(NamedTuple):
    """What is read beside objects: facts of the server, names of relations, and dependencies."""

    facts: Row
    names: Mapping[tuple[str, str], str]
    dependencies: Sequence[tuple[int, int, int, int, int, int]]

    @classmethod
    def of(cls, answers: Answers) -> Self:
        """Read the answers to FURTHER."""
        (facts,) = answers.rows()
        names = {(schema, name): of for schema, name, of in answers.tuples()}
        return cls(facts, names, answers.tuples())


def _snapshot(
    connection: Connection, server: Server, found: Objects, further: _Further
) -> Snapshot:
    facts, names, objects = further.facts, further.names, found.objects
    has_children = CHILDREN not in found.empty
    copies: PartitionCopies = {}
    if has_children:
        copies = partition_copies(connection, found.addresses)
    objects |= with_partition_names(objects, copies)
    detaching = finalize_detaching(connection, objects, copies) if has_children else set[Ref]()
    unfinished = found.unfinished | detaching
    context = PlanningContext(
        server=server,
        user=facts["user"],
        tablespaces=Tablespaces(tuple(facts["tablespaces"]), facts["tablespace"]),
        owners=_owners(objects, facts["user"]),
        leftovers=found.leftovers,
        unfinished={r: objects[r] for r in unfinished},
        partition_copies=copies,
        local_and_inherited_not_null=(
            local_and_inherited_not_null(connection, objects) if has_children else {}
        ),
        relation_names=frozenset(names),
        hidden_options=_hidden_options(objects),
        initial={} if DEFAULT_PRIVILEGES in found.empty else _initial_grants(connection, None),
    )
    return Snapshot(
        State(objects, _edges(further.dependencies, found.addresses)),
        context,
        f"{facts['system']}/{facts['database']}",
        frozenset(facts["roles"]),
        frozenset(facts["schemas"]),
        frozenset(facts["extensions"]),
        frozenset(facts["available"]),
        names,
        found.addresses,
        facts["kept"],
        building=found.building,
        standby=facts["standby"],
    )


def _initial_grants(connection: Connection, role: str | None) -> dict[tuple[str, str], Grants]:
    """Return altered default privileges of a role, by class and schema; "" is any schema.

    The role is the current one if it is None.
    """
    return {
        (grant_class, row["namespace"]): {r: tuple(p) for r, p in row["grants"].items()}
        for row in rows(connection, INITIAL_GRANTS, [role])
        for grant_class, letter in DEFAULT_ACL_LETTERS.items()
        if letter == row["letter"]
    }


def _edges(
    dependencies: Iterable[tuple[int, int, int, int, int, int]], addresses: Mapping[Address, Ref]
) -> dict[Ref, frozenset[Ref]]:
    """Return the needs of each object, from rows of pg_depend.

    An object that needs a column which a child table inherits needs the parent's column and the
    child table.
    """
    edges: dict[Ref, set[Ref]] = defaultdict(set)

    known = addresses.get
    for classid, objid, part, refclassid, refobjid, refpart in dependencies:
        dependent = known((classid, objid, part)) or known((classid, objid, 0))
        needed = known((refclassid, refobjid, refpart)) or known((refclassid, refobjid, 0))
        if not dependent or not needed or dependent in (needed, needed.on):
            continue
        edges[dependent].add(needed)
        table = known((refclassid, refobjid, 0))
        is_inherited = needed.on not in (None, table)
        if table and is_inherited and table not in (dependent, dependent.on):
            edges[dependent].add(table)
    return {r: frozenset(e) for r, e in edges.items()}


def _hidden_options(objects: Mapping[Ref, Object]) -> dict[Ref, tuple[str, ...]]:
    holders = (o for o in objects.values() if isinstance(o, HasForeignOptions))
    return {o.ref: o.hidden_options for o in holders if o.hidden_options}


def _owners(objects: Mapping[Ref, Object], user: str) -> dict[Ref, str]:
    owners = {r: owner_of(o) for r, o in objects.items() if o.relation}
    return {r: owner for r, owner in owners.items() if owner not in (None, user)}
