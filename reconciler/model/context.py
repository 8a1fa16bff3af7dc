"""The planning context: facts about the target besides the live and the desired state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field

from reconciler.model.default_path import DefaultPath
from reconciler.model.facts import (
    Leftover,
    Parents,
    PartitionCopies,
    PartitionCopy,
    Removal,
    Size,
)
from reconciler.model.privileges import Grants
from reconciler.model.record import Record
from reconciler.model.ref import Ref
from reconciler.model.replication import Replication
from reconciler.model.statement import Statement
from reconciler.server.capabilities import Server
from reconciler.server.parameters import SEARCH_PATH
from reconciler.server.tablespaces import Tablespaces

# columns, and a condition on them
Conditions = Mapping[Ref, tuple[tuple[str, ...], str]]


@dataclass(frozen=True)
class PlanningContext:
    """Facts for planning, read in the snapshot of the live state.

    server, user                  the target, and the role that will own new objects
    database                      the name of the target's database, where statements name it
    building                      the statements need no undo: run on scratch at once, or in an undo
    tablespaces                   of the server, and that of the database
    sizes                         of relations
    owners                        of relations that belong to another role than `user`
    granting_owners               of objects on which others have grant options as well: statements
                                  grant as the owner, lest PostgreSQL record another grantor
    leftovers, unwanted           of interrupted runs; `unwanted` are to be dropped
    unfinished                    objects without the last steps of an interrupted run
    initial                       privileges of a new object of `user`, if default privileges were
                                  altered, by GRANT's word for its class and the schema ("": any)
    declared                      objects as written, with fields that no catalog stores
    dropped                       objects that the plan drops for good
    removals                      what dropping an object of the whole cluster means elsewhere
    created                       objects that the plan creates: empty, and seen by no other session
    partition_copies              the target's copies of indexes and constraints on partitions
    default_partition_names       names of the same copies in a database created from nothing
    relation_names                (schema, name) of every relation
    hidden_options                names of the options of foreign data with values that are not read
    shared_constraint_names       names that constraints of several objects have, or had: they are
                                  spelled out, because PostgreSQL would choose others
    partitions                    of each table, before and after the plan
    partition_children            objects on these tables and partitions
    local_and_inherited_not_null  for a column of a partitioned table, the partitions with a NOT
                                  NULL constraint of their own besides the inherited one
    shadows                       for columns swapped online, the names of their shadow columns
    unswappable                   columns that no shadow column can replace
    staying_children              child tables with the same parents before and after, as desired
    bounds                        for new partitions, and those with another parent or bound, the
                                  columns of the partition key, and the bound as a condition on them
    checks                        for new CHECK constraints that run no code of users, the columns,
                                  which stay as they are, and the condition
    without_identity              tables of which no UPDATE and no DELETE can be published
    replication                   publications, slots and subscriptions of the target's tables
    default_path                  what the server gives to `user` as search_path
    search_paths                  for columns whose values call functions that need it, that path
    scratch_order                 the order in which scratch created the desired objects
    reparenting                   statements before and after a child table changes its parents
                                  from the first tuple to the second
    becoming_own                  for the same changes, the inherited parts that PostgreSQL makes
                                  the child table's own for good
    """

    server: Server
    user: str = "postgres"
    database: str = ""
    building: bool = False
    tablespaces: Tablespaces = field(default_factory=Tablespaces)
    sizes: Mapping[Ref, Size] = field(default_factory=dict[Ref, Size])
    owners: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    granting_owners: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    leftovers: Mapping[Ref, Leftover] = field(default_factory=dict[Ref, Leftover])
    unwanted: Set[Ref] = frozenset()
    unfinished: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    initial: Mapping[tuple[str, str], Grants] = field(default_factory=dict[tuple[str, str], Grants])
    declared: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    dropped: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    removals: Mapping[Ref, Removal] = field(default_factory=dict[Ref, Removal])
    created: Set[Ref] = frozenset()
    partition_copies: PartitionCopies = field(
        default_factory=dict[Ref, Mapping[Ref, PartitionCopy]]
    )
    default_partition_names: PartitionCopies = field(
        default_factory=dict[Ref, Mapping[Ref, PartitionCopy]]
    )
    relation_names: Set[tuple[str, str]] = frozenset()
    hidden_options: Mapping[Ref, Sequence[str]] = field(default_factory=dict[Ref, Sequence[str]])
    shared_constraint_names: Set[tuple[str, str]] = frozenset()
    partitions: Mapping[Ref, Sequence[Ref]] = field(default_factory=dict[Ref, Sequence[Ref]])
    partition_children: Mapping[Ref, Sequence[Record]] = field(
        default_factory=dict[Ref, Sequence[Record]]
    )
    local_and_inherited_not_null: Mapping[tuple[Ref, str], Sequence[Ref]] = field(
        default_factory=dict[tuple[Ref, str], Sequence[Ref]]
    )
    shadows: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    unswappable: Set[Ref] = frozenset()
    staying_children: Mapping[Ref, Record] = field(default_factory=dict[Ref, Record])
    bounds: Conditions = field(default_factory=dict[Ref, tuple[tuple[str, ...], str]])
    checks: Conditions = field(default_factory=dict[Ref, tuple[tuple[str, ...], str]])
    without_identity: Set[Ref] = frozenset()
    replication: Replication = field(default_factory=Replication)
    default_path: DefaultPath = field(default_factory=DefaultPath)
    search_paths: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    scratch_order: Mapping[Ref, int] = field(default_factory=dict[Ref, int])
    reparenting: Mapping[
        tuple[Ref, Parents, Parents], tuple[Sequence[Statement], Sequence[Statement]]
    ] = field(
        default_factory=dict[
            tuple[Ref, Parents, Parents], tuple[Sequence[Statement], Sequence[Statement]]
        ]
    )

    becoming_own: Mapping[tuple[Ref, Parents, Parents], Sequence[Ref]] = field(
        default_factory=dict[tuple[Ref, Parents, Parents], Sequence[Ref]]
    )

    def size(self, ref: Ref) -> Size:
        """Return the size of a relation, unknown if the target lacks the relation."""
        return self.sizes.get(ref, Size())

    def search_path_of(self, column: Ref) -> str:
        """Return the search_path for triggers that evaluate the value of a column."""
        return self.search_paths.get(column, SEARCH_PATH)

    def exchanges(self, table: Ref | None) -> Mapping[str, str]:
        """Return the table's columns to be swapped online, with the names of the shadow columns."""
        return {r.name: shadow for r, shadow in self.shadows.items() if r.on == table}
