"""Test changes: `==` decides; differences name fields by their path."""

from __future__ import annotations

from reconciler.diff.diff import Change, changes, differences
from reconciler.kinds.column.column import Column
from reconciler.kinds.table import Table
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.plan.prove import described

TABLE = Ref("table", "public", "t")


def state(*objects: Table | Column) -> State:
    return State({o.ref: o for o in objects})


def test_unequal_objects_are_changes() -> None:
    a, b = Ref("column", "public", "a", TABLE), Ref("column", "public", "b", TABLE)
    table = Table(ref=TABLE)
    live = state(table, Column(ref=a, type="int"))
    desired = state(table, Column(ref=b, type="int"))
    assert [(c.action, c.ref.name) for c in changes(live, desired)] == [
        ("create", "b"),
        ("drop", "a"),
    ]
    assert changes(live, live) == ()


def test_differences_name_the_field_and_both_values() -> None:
    live = Table(ref=TABLE, grants={"anon": ("select", "insert"), "app": ("select",)})
    desired = Table(ref=TABLE, grants={"anon": ("select",)}, comment="it")
    found = [
        (d.field, d.live, d.wanted) for d in changes(state(live), state(desired))[0].differences
    ]
    assert found == [
        ("comment", None, "it"),
        ("grants.anon", ["select", "insert"], ["select"]),
        ("grants.app", ["select"], None),
    ]


def test_lists_are_compared_as_a_whole() -> None:
    assert [
        (d.field, d.live, d.wanted) for d in differences({"on": ["a", "b"]}, {"on": ["b", "a"]})
    ] == [("on", ["a", "b"], ["b", "a"])]


def test_a_difference_is_told_without_words_of_python() -> None:
    ref = Ref("column", "public", "a", TABLE)
    named = Column.model_validate({"ref": ref, "type": "int", "not_null": {"name": "known"}})
    told = described(Change(ref, named, Column(ref=ref, type="int", not_null=False)))
    assert told == (
        'alter column public.t.a (not_null: {"name": "known", "no_inherit": false, '
        '"not_valid": false, "comment": null} → false)'
    )
