"""Every rule of the order orders the operations of a case of tests/cases, or of an example here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.diff.diff import changes
from reconciler.diff.renames import Renaming
from reconciler.kinds.cast import Cast
from reconciler.kinds.column.column import Column
from reconciler.kinds.enum import Enum
from reconciler.kinds.function import Function
from reconciler.kinds.index.index import Index
from reconciler.kinds.role.role import Role
from reconciler.kinds.table import Table
from reconciler.kinds.view import View
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Statement
from reconciler.plan import make
from reconciler.plan.edges import RULES, Rule, find_edges
from reconciler.plan.operations import Operation, Operations
from reconciler.plan.order import steps_in_order
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server
from tests.conftest import MAJORS, Database
from tests.test_cases import CASES, job_of, needs

CASE_OF = {
    "create after needed": "access_method/new_under_a_table",
    "drop before create": "cast/context_changed",
    "drop before needed": "table/absent_with_dependents",
    "alter before dropping needed": "view/grouped_by_a_dropped_key",
    "restore after dropping needed": "function/overload_dropped_before_calls_are_parsed",
    "drop before altering needed": "composite_type/attributes_added_and_dropped",
    "create after altering what it restates": "column/grants_beside_the_tables",
    "create after dropping lookalike": "constraint/unique_names_swapped_with_foreign_keys",
    "drop before creating lookalike": "constraint/unique_becomes_primary",
    "drop caller before creating overload": "function/overload_dropped_before_calls_are_parsed",
    "alter parts while suspended": "composite_type/of_a_typed_table",
    "remove deferred part first": "sequence/dropped_with_its_table",
    "define deferred part last": "sequence/replaced_by_an_identity",
    "complete shell before use": "base_type/new",
    "drop type before its functions": "base_type/dropped",
    "drop after deferred part": "table/storage_options_changed",
    "rename type before use ends": "enum/column_becomes_text",
    "drop renamed type after use": "enum/column_becomes_text",
    "free name first": "function/replaced_by_a_procedure",
    "name before PostgreSQL chooses it": "constraint/partition_key_names_taken",
    "drop leftovers before work on table": "composite_type/attributes_added_and_dropped",
    "change default privileges last": "default_privilege/new_with_new_objects",
    "drop event triggers first, create last": "event_trigger/created",
    "alter one way before new dependents": "enum/value_added_with_changed_triggers",
    "alter one way before recreating dependents": "enum/value_added_and_used_by_a_view",
    "drop dependents before altering one way": "enum/value_added_with_changed_triggers",
    "change persistence along references": "table/logged_and_unlogged_with_foreign_keys",
    "drop reference before changing persistence": "table/logged_and_unlogged_with_foreign_keys",
    "create reference after changing persistence": "table/logged_and_unlogged_with_foreign_keys",
    "own parts around reparenting": "table/inherits",
    "leave parent before its change": "table/detached_partition_keeps_keys_and_indexes",
    "drop reference before leaving parent": "table/detached_with_a_foreign_key_dropped",
    "join parent after its change": "table/inherits",
    "attach partition after index": "index/partition_indexes_named",
    "detach partition before index": "table/detached_partition_keeps_keys_and_indexes",
    "create child after parents' parts": "table/inherits",
    "create child after needs of inherited": "enum/value_added_to_a_partition_key",
    "alter merged part after parents'": "column/defaults_of_parent_and_child_table",
    "create own part before parents'": "table/inherits",
    "create part after dropping inherited": "trigger/replaced_by_an_inherited_trigger",
    "create override after parents' part": "trigger/on_one_partition",
    "drop overload before creating caller": "function/overload_dropped_before_calls_are_parsed",
    "whole-row callers around columns": "view/on_a_function_that_returns_rows",
}
RULE_OF = {rule.name: rule for rule in RULES}


@pytest.mark.parametrize("name", sorted({*CASE_OF.values()}))
def test_rules_order_the_operations_of_their_case(
    name: str, new_database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES / name
    needs(case, MAJORS[0])
    expected = [rule for rule, example in CASE_OF.items() if example == name]
    missing = _missing(expected, case, new_database, monkeypatch)
    assert not missing


def _missing(
    expected: Sequence[str],
    case: Path,
    new_database: Callable[..., Database],
    monkeypatch: pytest.MonkeyPatch,
) -> set[str]:
    """Plan a case, and return the expected rules that ordered none of its operations."""
    missing = {*expected}

    def spy(
        operations: Operations, renamings: Sequence[Renaming] = (), whole: State | None = None
    ) -> list[Step]:
        missing.difference_update({r for r in missing if [*find_edges(RULE_OF[r], operations)]})
        return steps_in_order(operations, renamings, whole)

    monkeypatch.setattr(make, "steps_in_order", spy)
    database = new_database((case / "actual.sql").read_text(), MAJORS[0])
    pipeline.plan_changes(job_of(case, database))
    return missing


# -- examples of rules that no case needs --------------------------------------------------------

CONTEXT = PlanningContext(Server(180000))
TABLE = Ref("table", "public", "t")
CHILD = Ref("table", "public", "child")


def routine(arguments: str) -> Function:
    ref = Ref("function", "public", "f", None, arguments)
    return Function(ref=ref, returns="int", body="SELECT 1")


def view(name: str) -> View:
    return View(ref=Ref("view", "public", name), query="SELECT 1")


def column(table: Ref, **fields: object) -> Column:
    return Column.model_validate({"ref": Ref("column", "public", "c", table), **fields})


def edges(
    rule: str,
    live: Sequence[Object],
    desired: Sequence[Object],
    operations: Sequence[Operation],
    needed: dict[Ref, frozenset[Ref]] | None = None,
) -> set[tuple[str, str]]:
    """Return the pairs that a rule finds between operations; `needed` holds dependencies."""
    before = State({o.ref: o for o in live}, needed or {})
    after = State({o.ref: o for o in desired}, needed or {})
    found = Operations(before, after, CONTEXT, changes(before, after))
    found.created = frozenset(after.objects.keys() - before.objects.keys())
    found.dropped = frozenset(before.objects.keys() - after.objects.keys())
    for operation in operations:
        found.add(operation, "drop" if operation.drops else "create", [Statement(sql="…")])
    return {(str(one), str(other)) for one, other in find_edges(RULE_OF[rule], found)}


OLD, NEW, CALLER = routine("integer"), routine("text"), view("v")
CALLS = {CALLER.ref: frozenset({OLD.ref})}

PARENT_AND_CHILD = (Table(ref=TABLE), Table(ref=CHILD, inherits=("public.t",)))
OVERRIDE = column(CHILD, default="2")


def test_a_caller_is_recreated_after_its_routine_is_dropped() -> None:
    assert edges(
        "create caller after dropping routine",
        [OLD, CALLER],
        [CALLER],
        [Operation.drop(OLD.ref), Operation.drop(CALLER.ref), Operation.create(CALLER.ref)],
        CALLS,
    ) == {("drop function public.f(integer)", "create view public.v")}


def test_a_caller_is_dropped_before_other_overloads_change() -> None:
    assert edges(
        "drop caller before changing overloads",
        [OLD, NEW, CALLER],
        [NEW],
        [Operation.drop(OLD.ref), Operation.drop(CALLER.ref), Operation.create(NEW.ref)],
        CALLS,
    ) == {("drop view public.v", "create function public.f(text)")}


def test_a_routine_is_dropped_before_its_argument_types_change() -> None:
    enum = Enum(ref=Ref("enum", "public", "e"), values=("a",))
    assert edges(
        "drop routine before altering types",
        [OLD, enum],
        [enum],
        [Operation.drop(OLD.ref), Operation.create(enum.ref)],
        {OLD.ref: frozenset({enum.ref})},
    ) == {("drop function public.f(integer)", "create enum public.e")}


def test_a_leftover_is_dropped_before_another_object_takes_its_name() -> None:
    leftover = Ref("index", "public", "i", TABLE)
    index = Index(ref=Ref("index", "public", "i", CHILD), on=("c",))
    assert edges(
        "drop leftover before name is reused",
        [*PARENT_AND_CHILD],
        [*PARENT_AND_CHILD, index],
        [Operation.drop(leftover), Operation.create(index.ref)],
    ) == {("drop index public.i", "create index public.i")}


def test_a_child_table_is_dropped_before_its_parents_parts_change() -> None:
    table, child = PARENT_AND_CHILD
    assert edges(
        "drop child before parents' parts",
        [table, child, column(TABLE, type="int")],
        [table, column(TABLE, type="bigint")],
        [Operation.drop(CHILD), Operation.create(column(TABLE).ref)],
    ) == {("drop table public.child", "create column public.t.c")}


def test_an_override_is_dropped_before_the_parents_part_changes() -> None:
    assert edges(
        "drop override before parents' part",
        [*PARENT_AND_CHILD, column(TABLE, type="int"), OVERRIDE],
        [*PARENT_AND_CHILD, column(TABLE, type="bigint")],
        [Operation.drop(OVERRIDE.ref), Operation.create(column(TABLE).ref)],
    ) == {("drop column public.child.c", "create column public.t.c")}


def test_dependents_of_an_override_are_dropped_before_the_parents_part() -> None:
    assert edges(
        "drop dependents of override first",
        [*PARENT_AND_CHILD, column(TABLE, type="int"), OVERRIDE, CALLER],
        [*PARENT_AND_CHILD],
        [Operation.drop(column(TABLE).ref), Operation.drop(CALLER.ref)],
        {CALLER.ref: frozenset({OVERRIDE.ref})},
    ) == {("drop view public.v", "drop column public.t.c")}


def test_dependents_of_a_casts_routine_are_created_after_the_cast_and_dropped_before() -> None:
    cast = Cast(ref=Ref("cast", "", "a AS b"), function="f(integer)")
    needed = {cast.ref: frozenset({OLD.ref}), **CALLS}
    assert edges(
        "dependents of hidden routines",
        [OLD, cast, CALLER],
        [OLD, cast, CALLER],
        [phase(o.ref) for o in (cast, CALLER) for phase in (Operation.create, Operation.drop)],
        needed,
    ) == {
        ("create cast a AS b", "create view public.v"),
        ("drop view public.v", "drop cast a AS b"),
    }


READERS, APP = (Role(ref=Ref("role", "", n)) for n in ("readers", "app"))
MEMBER = Role.model_validate({**APP.fields(), "ref": APP.ref, "member_of": [{"role": "readers"}]})


def test_a_role_is_made_before_what_belongs_to_it() -> None:
    owned = Table(ref=TABLE, owner="app")
    operations = [Operation.create(TABLE), Operation.create(APP.ref)]
    assert edges("change roles before naming them", [], [owned, APP], operations) == {
        ("create role app", "create table public.t")
    }


def test_a_role_is_made_before_its_members() -> None:
    operations = [Operation.create(APP.ref), Operation.create(READERS.ref)]
    assert edges("change roles before members", [], [MEMBER, READERS], operations) == {
        ("create role readers", "create role app")
    }


def test_a_role_is_dropped_after_all_else() -> None:
    operations = [Operation.drop(APP.ref), Operation.create(TABLE)]
    assert edges("drop roles last", [APP], [Table(ref=TABLE)], operations) == {
        ("create table public.t", "drop role app")
    }


EXAMPLES = {
    "change roles before naming them",
    "change roles before members",
    "drop roles last",
    "create caller after dropping routine",
    "drop caller before changing overloads",
    "drop routine before altering types",
    "drop leftover before name is reused",
    "drop child before parents' parts",
    "drop override before parents' part",
    "drop dependents of override first",
    "dependents of hidden routines",
}


def test_every_rule_has_a_case_or_an_example() -> None:
    assert CASE_OF.keys() | EXAMPLES == RULE_OF.keys()
    assert len(RULES) == len(RULE_OF)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_a_rule_is_one_sentence_with_its_order_and_its_reason(rule: Rule) -> None:
    assert rule.sentence.endswith(".")
    assert rule.sentence.count(". ") == 0
    assert " before " in rule.sentence
