"""List the rules for the order of operations, and build the graph of operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from reconciler.plan.graph import graph_of, has_path
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.rules import (
    dependencies,
    inheritance,
    names,
    overloads,
    persistence,
    phases,
)
from reconciler.plan.rules.dependencies import Pair
from reconciler.plan.rules.inheritance import between_objects


@dataclass(frozen=True)
class Rule:
    """A reason for an order: a name, a sentence, and the function to find pairs of operations.

    The first operation of a pair runs before the second one; pairs with None are ignored. A
    pair of an `optional` rule is ignored too if it would close a cycle.
    """

    name: str
    sentence: str
    pairs: Callable[[Operations], Iterable[Pair]]
    optional: bool = False


RULES = (
    # Dependencies.
    Rule(
        "create after needed",
        "An object is created before its dependents because their DDL refers to it.",
        dependencies.create_after_needed,
    ),
    Rule(
        "drop before create",
        "A replaced object is dropped before the new one because both have one name.",
        dependencies.drop_before_create,
    ),
    Rule(
        "drop before needed",
        "Dependents are dropped before the object because PostgreSQL refuses DROP otherwise.",
        dependencies.drop_before_needed,
    ),
    Rule(
        "alter before dropping needed",
        "An object is altered before another is dropped that it needs until then.",
        dependencies.alter_before_dropping_needed,
    ),
    Rule(
        "restore after dropping needed",
        "An old object is dropped before a suspended one is restored because that would depend "
        "on the old one again.",
        dependencies.restore_after_dropping_needed,
    ),
    Rule(
        "drop before altering needed",
        "Dependents are dropped before an alteration because PostgreSQL refuses it under them.",
        dependencies.drop_before_altering_needed,
    ),
    Rule(
        "create after altering what it restates",
        "A table's privileges change before a new column gets its own because REVOKE on a table "
        "revokes the privileges on all columns.",
        dependencies.create_after_altering_what_it_restates,
    ),
    Rule(
        "create after dropping lookalike",
        "A unique key is dropped before a foreign key is created because PostgreSQL finds the "
        "referenced key by its columns, and might choose this one.",
        dependencies.create_after_dropping_lookalike,
    ),
    Rule(
        "drop before creating lookalike",
        "A foreign key is dropped before a unique key is created because the undo might find "
        "the new key by its columns.",
        dependencies.drop_before_creating_lookalike,
    ),
    # Logged and unlogged tables.
    Rule(
        "change persistence along references",
        "A table becomes unlogged before a table that it refers to, or logged after it, because "
        "no logged table may refer to an unlogged one.",
        persistence.change_persistence_along_references,
    ),
    Rule(
        "drop reference before changing persistence",
        "A foreign key is dropped before its tables become logged or unlogged because only then "
        "each may.",
        persistence.drop_reference_before_changing_persistence,
    ),
    Rule(
        "create reference after changing persistence",
        "Tables become logged or unlogged before a foreign key between them is created because "
        "no logged table may refer to an unlogged one.",
        persistence.create_reference_after_changing_persistence,
    ),
    # Routines of one name.
    Rule(
        "create caller after dropping routine",
        "A routine is dropped before its caller is recreated because the call is to mean another "
        "overload.",
        overloads.create_caller_after_dropping_routine,
    ),
    Rule(
        "drop caller before changing overloads",
        "A caller is dropped before other overloads change because its undo calls the old one.",
        overloads.drop_caller_before_changing_overloads,
    ),
    Rule(
        "drop caller before creating overload",
        "A caller is dropped before a new overload is created because its call would be "
        "ambiguous in the undo.",
        overloads.drop_caller_before_creating_overload,
    ),
    Rule(
        "drop routine before altering types",
        "A routine is dropped before its argument types are altered because DROP spells them.",
        overloads.drop_routine_before_altering_types,
    ),
    # Phases.
    Rule(
        "alter parts while suspended",
        "Parts of a suspended table are altered before it is restored because only then "
        "PostgreSQL allows that.",
        phases.alter_parts_while_suspended,
    ),
    Rule(
        "remove deferred part first",
        "A deferred part is removed before a needed object is dropped because PostgreSQL would "
        "drop the object with it.",
        phases.remove_deferred_part_first,
    ),
    Rule(
        "define deferred part last",
        "All needed objects are created before a deferred part because it refers to them.",
        phases.define_deferred_part_last,
    ),
    Rule(
        "complete shell before use",
        "A base type is completed, or gets functions, before its dependents are created because "
        "nothing but its own functions may use a shell type.",
        phases.complete_shell_before_use,
    ),
    Rule(
        "drop type before its functions",
        "A base type is dropped before its functions because it depends on them.",
        phases.drop_type_before_its_functions,
    ),
    Rule(
        "drop after deferred part",
        "A deferred part is defined anew before the old needed object is dropped because "
        "PostgreSQL would drop the whole object with that.",
        phases.drop_after_deferred_part,
    ),
    Rule(
        "rename type before use ends",
        "A replaced type is renamed before a column gets another one because the undo finds it "
        "under its temporary name.",
        phases.rename_type_before_use_ends,
    ),
    Rule(
        "drop renamed type after use",
        "Columns get another type before the renamed one is dropped because they depend on it.",
        phases.drop_renamed_type_after_use,
    ),
    # Names.
    Rule(
        "free name first",
        "An object is dropped or renamed before another takes its name because two cannot have "
        "one name.",
        names.free_name_first,
    ),
    Rule(
        "name before PostgreSQL chooses it",
        "An object is created before an index of a partition because PostgreSQL might choose its "
        "name for that.",
        names.name_before_postgres_chooses_it,
        optional=True,
    ),
    Rule(
        "drop leftover before name is reused",
        "A leftover is dropped before another object takes its name because two cannot have one "
        "name.",
        names.drop_leftover_before_name_is_reused,
    ),
    Rule(
        "drop leftovers before work on table",
        "Leftovers are dropped before other work on their table because an undo does not create "
        "them again.",
        names.drop_leftovers_before_work_on_table,
    ),
    # Operations that affect all others.
    Rule(
        "change default privileges last",
        "All objects are created before default privileges change because they would be created "
        "with others.",
        phases.change_default_privileges_last,
    ),
    Rule(
        "drop event triggers first, create last",
        "Event triggers are dropped before all else, and all else is done before they are "
        "created, because they fire on DDL.",
        phases.drop_event_triggers_first_create_last,
    ),
    Rule(
        "change roles before naming them",
        "A role is created and altered before objects that will belong to it or name it.",
        phases.change_roles_before_naming_them,
    ),
    Rule(
        "change roles before members",
        "A role is created and altered before its members because GRANT names it.",
        phases.change_roles_before_members,
        optional=True,
    ),
    Rule(
        "drop roles last",
        "All else is done before a role is dropped because PostgreSQL refuses DROP while objects "
        "name it.",
        phases.drop_roles_last,
    ),
    Rule(
        "alter one way before new dependents",
        "An enum gets its new value before new dependents are created because the undo, which "
        "replaces the enum, drops only dependents that were there.",
        phases.alter_one_way_before_new_dependents,
    ),
    Rule(
        "alter one way before recreating dependents",
        "An enum gets its new value before dependents are dropped and created again because the "
        "value must be committed before its first use.",
        phases.alter_one_way_before_recreating_dependents,
    ),
    Rule(
        "drop dependents before altering one way",
        "Dependents are dropped before an enum gets a new value because the undo, which replaces "
        "the enum, does not find them.",
        phases.drop_dependents_before_altering_one_way,
    ),
    # Parents and child tables.
    Rule(
        "own parts around reparenting",
        "A table's parts change before the table gets other parents because the parents' parts "
        "must match.",
        between_objects(inheritance.own_parts_around_reparenting),
    ),
    Rule(
        "leave parent before its change",
        "A table leaves its parent before the parent's parts change because it keeps the old ones.",
        between_objects(inheritance.leave_parent_before_its_change),
    ),
    Rule(
        "join parent after its change",
        "A parent's parts change before a table joins because its parts match the new ones.",
        between_objects(inheritance.join_parent_after_its_change),
    ),
    Rule(
        "attach partition after index",
        "A partitioned index is created before a partition is attached because PostgreSQL "
        "creates or attaches the partition's copy then.",
        between_objects(inheritance.attach_partition_after_index),
    ),
    Rule(
        "detach partition before index",
        "A partition is detached before an index of its parent is created because it gets no copy.",
        between_objects(inheritance.detach_partition_before_index),
    ),
    Rule(
        "create child after parents' parts",
        "Parents' parts change before a child table is created because it inherits them.",
        between_objects(inheritance.create_child_after_parents_parts),
    ),
    Rule(
        "drop child before parents' parts",
        "A child table is dropped before parents' parts change because the undo creates it with "
        "the old ones.",
        between_objects(inheritance.drop_child_before_parents_parts),
    ),
    Rule(
        "create child after needs of inherited",
        "What inherited parts need is created before the child table because its partition bound "
        "may refer to that.",
        between_objects(inheritance.create_child_after_needs_of_inherited),
    ),
    Rule(
        "alter merged part after parents'",
        "A parent's part is altered before the child table's because PostgreSQL alters both.",
        between_objects(inheritance.alter_merged_part_after_parents),
    ),
    Rule(
        "create own part before parents'",
        "A child table's own part is created before the parent's because PostgreSQL merges the "
        "parent's into it.",
        between_objects(inheritance.create_own_part_before_parents),
    ),
    Rule(
        "create part after dropping inherited",
        "A parent's part is dropped before a child table gets its own because both have one name.",
        between_objects(inheritance.create_part_after_dropping_inherited),
    ),
    Rule(
        "create override after parents' part",
        "A parent's part changes before an override is created because PostgreSQL sets it in "
        "child tables too.",
        between_objects(inheritance.create_override_after_parents_part),
    ),
    Rule(
        "drop override before parents' part",
        "An override is dropped before the parent's part changes because the undo finds the old "
        "one.",
        between_objects(inheritance.drop_override_before_parents_part),
    ),
    Rule(
        "drop dependents of override first",
        "Dependents of an override are dropped before the parent's part because the override is "
        "dropped with that.",
        between_objects(inheritance.drop_dependents_of_override_first),
    ),
    # Only if no other rule is in the way.
    Rule(
        "drop reference before leaving parent",
        "A foreign key to a partitioned table is dropped before a partition is detached because "
        "PostgreSQL refuses to detach rows that are referenced.",
        inheritance.drop_reference_before_leaving_parent,
        optional=True,
    ),
    Rule(
        "drop overload before creating caller",
        "An overload is dropped before a caller is created because its call would be ambiguous.",
        overloads.drop_overload_before_creating_caller,
        optional=True,
    ),
    Rule(
        "whole-row callers around columns",
        "Callers of a routine that returns rows are dropped before the table's columns change, "
        "and created after, because they list these columns.",
        overloads.whole_row_callers,
        optional=True,
    ),
    Rule(
        "dependents of hidden routines",
        "A cast is created before the dependents of its routine, and they are dropped before it, "
        "because pg_depend does not list that they use the cast.",
        dependencies.dependents_of_hidden,
        optional=True,
    ),
)


def order_graph(operations: Operations) -> dict[Operation, set[Operation]]:
    """Return the graph of all operations: each operation with all later operations by the rules."""
    if not operations.statements:
        return {}
    required = (rule for rule in RULES if not rule.optional)
    edges = (edge for rule in required for edge in find_edges(rule, operations))
    graph = graph_of(sorted(operations.statements), edges)
    for rule in RULES:
        for earlier, later in find_edges(rule, operations) if rule.optional else ():
            if not has_path(graph, later, earlier):
                graph[earlier].add(later)
    return graph


def find_edges(rule: Rule, operations: Operations) -> Iterator[tuple[Operation, Operation]]:
    """Yield the pairs of different operations ordered by a rule."""
    for earlier, later in rule.pairs(operations):
        if earlier is not None and later is not None and earlier != later:
            yield earlier, later
