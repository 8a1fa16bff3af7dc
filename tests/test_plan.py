"""Test plans: pure, ordered by dependencies, and equal after a round trip."""

from __future__ import annotations

import pytest

from reconciler.diff.diff import changes
from reconciler.kinds.column.backfill_spec import Backfill
from reconciler.kinds.column.column import Column
from reconciler.kinds.column.fill_trigger import FillTrigger
from reconciler.kinds.column.target import Target
from reconciler.kinds.function import Function
from reconciler.kinds.index.index import Index
from reconciler.kinds.policy import Policy
from reconciler.kinds.table import Table
from reconciler.kinds.view import View
from reconciler.model.casts import losses_by_cast
from reconciler.model.object import Object, PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Fill, HazardKind
from reconciler.plan.make import Comparison, PlanInfo, make_plan
from reconciler.plan.plan import Plan
from reconciler.plan.step import Step
from reconciler.server.capabilities import Server

CONTEXT = PlanningContext(Server(180000))
T = Ref("table", "public", "t")
N = Ref("column", "public", "n", T)


def state(*objects: Object, edges: dict[Ref, frozenset[Ref]] | None = None) -> State:
    return State({o.ref: o for o in objects}, edges or {})


def plan(live: State, desired: State) -> Plan:
    comparison = Comparison(changes(live, desired), live, desired, CONTEXT)
    return make_plan(comparison, PlanInfo(target="postgresql://u:secret@h/d"))


def test_a_journal_of_version_0_1_can_be_read() -> None:
    document = '{"relation": "t", "column": "n", "value": "1", "pace": {"pause": 2}}'
    assert Fill.model_validate_json(document).throttle.pause == 2
    step = {"id": "1", "action": "create", "kind": "index", "identity": "i", "sql": "…"}
    read = Step.model_validate({**step, "transactional": False, "mend": ["DROP INDEX i"]})
    assert read.cleanup == ("DROP INDEX i",)
    kept = FillTrigger.of(Target(T, "n"), Backfill(value="1")).model_dump()
    assert Column.model_validate({"ref": N, "type": "int", "keeper": kept}).fill_trigger is not None


def test_a_plan_is_the_same_after_a_round_trip() -> None:
    made = plan(state(), state(Table(ref=T), Column(ref=N, type="int", comment="n")))
    reread = Plan.model_validate_json(made.model_dump_json())
    assert reread == made
    assert reread.intact()
    assert "secret" not in made.model_dump_json()


@pytest.mark.parametrize(
    "field", ["target", "steps", "changes", "fingerprint", "notes", "unchanged"]
)
def test_any_edit_invalidates_the_seal(field: str) -> None:
    made = plan(state(), state(Table(ref=T)))
    other = {
        "target": "x",
        "steps": (),
        "changes": (),
        "fingerprint": {"a": "b"},
        "notes": ("x",),
        "unchanged": 9,
    }[field]
    assert not made.model_copy(update={field: other}).intact()


def test_the_same_input_gives_the_same_plan() -> None:
    views = [View(ref=Ref("view", "public", f"v{n}"), query="SELECT 1") for n in range(9)]
    edges = {views[n].ref: frozenset({views[n + 1].ref}) for n in range(8)}
    one = plan(state(), state(*views, edges=edges))
    other = plan(state(), state(*reversed(views), edges=edges))
    assert [s.sql for s in one.steps] == [s.sql for s in other.steps]
    assert [s.identity for s in one.steps] == [f"public.v{n}" for n in reversed(range(9))]


def test_a_new_table_is_created_with_its_columns() -> None:
    index = Index(ref=Ref("index", "public", "i", T), on=("n",))
    made = plan(state(), state(Table(ref=T), Column(ref=N, type="int"), index))
    assert [s.sql for s in made.steps] == [
        "CREATE TABLE public.t (\n    n int\n)",
        "CREATE INDEX i ON public.t USING btree (n)",
    ]
    assert len(made.transactions()) == 1


def test_an_index_on_an_existing_table_is_built_concurrently() -> None:
    index = Index(ref=Ref("index", "public", "i", T), on=("n",))
    base = (Table(ref=T), Column(ref=N, type="int"))
    made = plan(state(*base), state(*base, index))
    assert [(s.sql.split(" ON ")[0], s.transactional, s.undo) for s in made.steps] == [
        ("CREATE INDEX CONCURRENTLY i", False, ("DROP INDEX CONCURRENTLY IF EXISTS public.i",)),
    ]


def test_policies_change_in_one_transaction() -> None:
    def named(name: str, command: str = "select") -> Policy:
        return Policy.model_validate(
            {"ref": Ref("policy", "public", name, T), "for": command, "using": "true"}
        )

    made = plan(
        state(Table(ref=T), named("a"), named("b")),
        state(Table(ref=T, row_level_security=True), named("c", "all")),
    )
    assert len(made.steps) == 4
    assert len({s.transaction for s in made.steps}) == 1
    assert set(made.hazards()) == {HazardKind.WEAKENS_SECURITY}


def test_steps_depend_on_the_steps_they_need() -> None:
    column = Column(ref=N, type="int", not_null=True)
    base = (Table(ref=T), Column(ref=N, type="int"))
    index = Index(ref=Ref("index", "public", "i", T), on=("n",))
    made = plan(state(*base), state(Table(ref=T), column, index, edges={index.ref: frozenset({N})}))
    last = made.steps[-1]
    assert last.kind == "index"
    assert last.depends_on == (made.steps[-2].id,)
    assert all(s.depends_on for s in made.steps[1:])


def column(type_: str) -> Column:
    return Column(ref=N, type=type_)


@pytest.mark.parametrize(
    ("old", "new", "lossy", "rewritten"),
    [
        ("text", "character varying(3)", False, True),  # values that do not fit are refused
        ("text", "name", True, True),
        ("numeric", "integer", True, True),
        ("numeric(9,4)", "numeric(9,2)", True, True),
        ("bigint", "integer", False, True),
        ("bigint", "double precision", True, True),
        ("inet", "cidr", True, True),
        ("timestamp with time zone", "date", True, True),
        ("character varying(9)", "character varying(3)", False, True),
        ("character varying(3)", "character varying(9)", False, False),
        ("character varying(3)", "text", False, False),
        ("numeric(9,2)", "numeric(12,2)", False, False),
        ("integer", "bigint", False, True),
    ],
)
def test_type_changes_have_their_hazards(old: str, new: str, lossy: bool, rewritten: bool) -> None:
    made = plan(state(Table(ref=T), column(old)), state(Table(ref=T), column(new)))
    assert (HazardKind.DATA_LOSS in made.hazards()) == lossy
    assert (HazardKind.TABLE_REWRITE in made.hazards()) == rewritten


@pytest.mark.parametrize(
    ("old", "new", "lossy"),
    [
        ("text", "character varying(3)", True),  # an assignment would refuse what a cast cuts
        ("integer", "character(3)", True),
        ("character varying(9)", "character(3)", True),
        ("character varying(3)", "character(3)", False),
        ("bit(8)", "bit(4)", True),
        ("bit(4)", "bit varying(8)", False),
        ("text", "integer", False),
        ("numeric", "integer", True),
        ("timestamp without time zone", "timestamp with time zone", True),
        ("integer", "bigint", False),
        ("text[]", "character varying(3)[]", True),
        ("interval", "interval year", True),
    ],
)
def test_explicit_casts_lose_values_without_an_error(old: str, new: str, lossy: bool) -> None:
    assert bool([*losses_by_cast(old, new)]) == lossy


def policy(**fields: object) -> Policy:
    return Policy.model_validate({"ref": Ref("policy", "public", "p", T), **fields})


def function(**fields: object) -> Function:
    return Function.model_validate(
        {
            "ref": Ref("function", "public", "f", None, ""),
            "returns": "int",
            "body": "SELECT 1",
            **fields,
        }
    )


def view(**fields: object) -> View:
    return View.model_validate({"ref": Ref("view", "public", "v"), "query": "SELECT 1", **fields})


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (policy(to=("app",), using="n > 0"), policy(to=("public",), using="n > 0")),
        (policy(using="n > 0"), policy(using="true")),
        (policy(permissive=False, using="n > 0"), policy(permissive=False, using="true")),
        (function(), function(security="definer", set={"search_path": ""})),
        (function(security="definer", set={"search_path": ""}), function(security="definer")),
        (view(security_invoker=True), view()),
        (view(security_barrier=True), view()),
        (Table(ref=T, row_level_security=True), Table(ref=T)),
    ],
)
def test_weakening_security_is_a_hazard_and_its_undo_is_not(old: Object, new: Object) -> None:
    around = () if new.ref == T else (Table(ref=T),)
    assert HazardKind.WEAKENS_SECURITY in plan(state(*around, old), state(*around, new)).hazards()
    assert not plan(state(*around, new), state(*around, old)).hazards()
