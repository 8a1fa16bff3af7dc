"""Read objects of all kinds by the catalog queries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from reconciler.introspect.attempts import ObjectsChanged, read_until_steady
from reconciler.introspect.partitions import partition_copies, with_partition_names
from reconciler.introspect.queries import (
    COMMENTS,
    EMPTY_SOURCES,
    EXTENSION_MEMBERS,
    SOURCES,
    Source,
)
from reconciler.kinds import KINDS
from reconciler.model.facts import Leftover
from reconciler.model.global_object import GlobalObject
from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import ref_of
from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, Row, rows, server_of, translated
from reconciler.server.reading_ahead import Answers
from reconciler.sql import compose, joined, literal, text

# Objects whose names occur in identities. A plain name is a whole word there: nothing but a point,
# a space, a comma or a parenthesis stands beside a name.
WORD = re.compile("[a-z0-9_]+")
NAMED_IN = """
    CASE WHEN o.name::text ~ '^[a-z0-9_]+$' THEN o.name::text = ANY (ARRAY[{}]::text[])
         ELSE EXISTS (SELECT FROM unnest(ARRAY[{}]::text[]) AS i(dentity)
                      WHERE position(o.name::text IN i.dentity) > 0)
    END"""

OF_DATABASE = frozenset(k for k, kind in KINDS.items() if not issubclass(kind, GlobalObject))

Address = tuple[int, int, int]  # pg_depend's classid, objid, objsubid


@dataclass(frozen=True)
class Objects:
    """The objects in the catalogs, by ref.

    `addresses` maps pg_depend's addresses to refs, also those of extensions' members. `leftovers`
    are objects that an interrupted build left; `unfinished` are objects with remaining work.
    `empty` are the catalogs, or parts of catalogs, without objects of users.
    `building` maps objects that another session builds to its pid.
    """

    objects: dict[Ref, Object] = field(default_factory=dict[Ref, Object])
    addresses: dict[Address, Ref] = field(default_factory=dict[Address, Ref])
    leftovers: dict[Ref, Leftover] = field(default_factory=dict[Ref, Leftover])
    unfinished: set[Ref] = field(default_factory=set[Ref])
    empty: Set[Source] = frozenset()
    building: dict[Ref, int] = field(default_factory=dict[Ref, int])


def read_objects(
    connection: Connection, server: Server, kinds: Set[str] = OF_DATABASE, condition: str = ""
) -> Objects:
    """Read all objects of the kinds, by default of all whose objects belong to a database.

    `condition` is SQL over a row `o` of the kind's query.
    """
    asked = Asked.of(connection, server, kinds, condition)
    with Answers(connection, asked.queries) as answers:
        return asked.objects(answers)


@dataclass(frozen=True)
class Asked:
    """The kinds to read, with a query for each; `empty` as in Objects."""

    kinds: Mapping[type[Object], str]
    empty: Set[Source]

    @classmethod
    def of(
        cls,
        connection: Connection,
        server: Server,
        kinds: Set[str] = OF_DATABASE,
        condition: str = "",
    ) -> Asked:
        """Choose the kinds of which there are objects, with the arguments of `read_objects`."""
        numbers: list[int] = [r["number"] for r in rows(connection, EMPTY_SOURCES)]
        empty = frozenset(SOURCES[n] for n in numbers)
        found: dict[type[Object], str] = {}
        for kind in KINDS.values():
            if kind.kind in kinds and (kind.oid_column, kind.own_rows) not in empty:
                query = kind.catalog(server)
                if condition:
                    query = f"SELECT o.* FROM ({query}) AS o WHERE {condition}"
                found[kind] = query
        return cls(found, empty)

    @property
    def queries(self) -> Sequence[str]:
        """The queries with the answers that `objects` reads."""
        return [COMMENTS, *self.kinds.values(), EXTENSION_MEMBERS]

    def objects(self, answers: Answers) -> Objects:
        """Read the objects from the answers to `queries`."""
        comments = {(c, o, s): comment for c, o, s, comment in answers.tuples()}
        found = Objects(empty=self.empty)
        for kind in self.kinds:
            found_rows = answers.rows()
            found_rows.reverse()
            while found_rows:  # each is freed when its object is made: a large database has many
                _add(found, kind, found_rows.pop(), comments)
        _add_extension_members(answers.rows(), found.addresses)
        return found


def _add(found: Objects, kind: type[Object], row: Row, comments: Mapping[Address, str]) -> None:
    ref = ref_of(row, kind.kind)
    addresses: list[Address] = [(a[0], a[1], a[2]) for a in row.pop("addresses")]
    builder: int | None = row.pop("builder", None)
    is_unfinished = row.pop("owed", False)
    is_leftover, resumable = row.pop("leftover", False), row.pop("sound", False)
    try:
        fields = {"comment": comments.get(addresses[0])} | row  # some queries read comments
        obj = kind.from_row(ref, fields).share_fields_set()
    except (AttributeError, TypeError, ValueError) as e:
        if None in row.values():  # in place of a definition, the object being gone
            raise ObjectsChanged(str(ref)) from e
        raise
    for address in addresses:
        if address[1]:
            found.addresses[address] = ref
    if is_unfinished:
        found.unfinished.add(ref)
    if builder is not None:
        found.building[ref] = builder
    if is_leftover and builder is None:
        found.leftovers[ref] = Leftover(obj, resumable)
    else:
        found.objects[ref] = obj


def _add_extension_members(members: Iterable[Row], addresses: dict[Address, Ref]) -> None:
    """Map members to extensions: dependents of a member need the extension."""
    for row in members:
        extension = addresses.get((row["refclassid"], row["refobjid"], 0))
        if extension is not None:
            addresses[row["classid"], row["objid"], 0] = extension


def look(
    connection: Connection, kinds: Set[str], identities: Sequence[str]
) -> tuple[dict[Ref, Object], frozenset[Ref]]:
    """Read objects of the kinds with names in `identities`, and refs of leftovers.

    Opens a transaction. Raises StatementFailed.
    """
    return read_until_steady(lambda: _look(connection, kinds, identities))


def _look(
    connection: Connection, kinds: Set[str], identities: Sequence[str]
) -> tuple[dict[Ref, Object], frozenset[Ref]]:
    with translated(), connection.transaction():
        condition = compose(
            NAMED_IN,
            joined([literal(word) for word in {w for i in identities for w in WORD.findall(i)}]),
            joined([literal(i) for i in identities]),
        )
        found = read_objects(connection, server_of(connection), kinds, text(condition))
        objects = found.objects
        if any(isinstance(o, PartitionedObject) and o.partitioned for o in objects.values()):
            copies = partition_copies(connection, found.addresses)
            objects |= with_partition_names(objects, copies)
    return objects, frozenset(found.leftovers)
