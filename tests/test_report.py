"""Test reports: all formats agree, and untrusted text stays in its place."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import FunctionType, ModuleType

import reconciler.report as package
from reconciler.diff.diff import Difference
from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.model.statement import Fill, Hazard, HazardKind, ThrottleSettings
from reconciler.plan.plan import Plan, Planned
from reconciler.plan.step import Step
from reconciler.report import json, markdown, sql, text
from reconciler.report.formats import FORMATS, MODULES, renderers

DANGER = Hazard(hazard=HazardKind.DATA_LOSS, reason="it is gone")
STEP = Step(
    id="1",
    action="drop",
    kind="table",
    identity='public."a`|b"',
    sql='DROP TABLE public."a`|b"',
    transactional=True,
    transaction="t1",
    lock="ACCESS EXCLUSIVE",
    relation="public.t",
    hazards=(DANGER,),
)
CHANGE = Planned(
    action="alter",
    kind="view",
    identity="public.v",
    differences=(Difference(field="query", live="a\n```\nb", wanted="c"),),
)
PLAN = Plan(
    target="here",
    in_sync=False,
    unchanged=3,
    scratch="scratch",
    changes=(CHANGE,),
    steps=(STEP,),
    notes=("mind this",),
)
NOTHING = Plan(target="here", in_sync=True, unchanged=3)


def test_hazards_come_first_with_the_flag_that_allows_them() -> None:
    shown = text.plan(PLAN)
    assert (
        shown.index("data-loss: it is gone")
        < shown.index("view public.v")
        < shown.index("DROP TABLE")
    )
    assert "--allow data-loss" in shown
    assert "mind this" in shown


def test_an_empty_plan_is_reported() -> None:
    assert "nothing to do" in text.plan(NOTHING)
    assert "nothing to do" in markdown.plan(NOTHING)
    assert "nothing to do" in sql.plan(NOTHING)
    nothing = DriftReport([TargetDrift("here", in_sync=True, unchanged=3)])
    assert "no drift" in text.drift(nothing)
    assert '"in_sync": true' in json.drift(nothing)


def test_every_format_that_a_module_offers_is_listed() -> None:
    modules = {
        m.name: import_module(f"{package.__name__}.{m.name}")
        for m in iter_modules(package.__path__)
    }
    found: dict[str, set[str]] = {subject: set() for subject in FORMATS}
    for name, module in modules.items():
        own = {n for n, value in vars(module).items() if _is_own_function(value, module)}
        for subject in own & FORMATS.keys():
            others = {m: form for (s, form), m in MODULES.items() if s == subject}
            found[subject].add(others.get(name, name))
    assert found == {subject: set(formats) for subject, formats in FORMATS.items()}
    assert all(renderers(subject) for subject in FORMATS)


def _is_own_function(value: object, module: ModuleType) -> bool:
    return isinstance(value, FunctionType) and value.__module__ == module.__name__


def test_markdown_quotes_any_run_of_backticks() -> None:
    identity = "a``b `"
    change = CHANGE.model_copy(update={"identity": identity})
    shown = markdown.plan(PLAN.model_copy(update={"changes": (change,)}))
    assert f"``` {identity} ```" in shown


def test_markdown_fences_untrusted_text() -> None:
    shown = markdown.plan(PLAN)
    assert '`` public."a`\\|b" ``' in shown or "public.v" in shown
    fences = [line for line in shown.splitlines() if line.startswith("```")]
    assert fences == ["```yaml", "```", "````diff", "````", "```sql", "```"]


def test_a_script_contains_transactions_and_backfills() -> None:
    fill = Fill(relation="public.t", column="n", value="1")
    filling = STEP.model_copy(
        update={
            "id": "2",
            "sql": "UPDATE …",
            "transactional": False,
            "transaction": "",
            "fill": fill,
        }
    )
    shown = sql.plan(PLAN.model_copy(update={"steps": (STEP, filling)}))
    assert (
        shown.index("BEGIN;\n")
        < shown.index("DROP TABLE")
        < shown.index("COMMIT;\n")
        < shown.index("DO $reconcile$")
    )
    assert "-- hazard data-loss: it is gone" in shown
    assert "UPDATE …" not in shown


def test_a_script_with_a_backfill_notes_its_limits() -> None:
    fill = Fill(
        relation="public.t",
        column="n",
        value="1",
        throttle=ThrottleSettings(max_lag=5, max_active=3),
    )
    filling = STEP.model_copy(
        update={
            "id": "2",
            "sql": "UPDATE …",
            "transactional": False,
            "transaction": "",
            "fill": fill,
        }
    )
    shown = sql.plan(PLAN.model_copy(update={"steps": (filling,)}))
    assert (
        shown.index("SET row_security = off;")
        < shown.index("-- note: the pace")
        < shown.index("DO $reconcile$")
    )
    assert "(max_lag 5, max_active 3)" in shown
    plain = filling.model_copy(
        update={"fill": fill.model_copy(update={"throttle": ThrottleSettings()})}
    )
    assert "-- note: the pace" not in sql.plan(PLAN.model_copy(update={"steps": (plain,)}))
    assert "row_security = off" not in sql.plan(PLAN)


def test_annotations_of_drift_have_the_notes() -> None:
    target = TargetDrift("shop", "shop", in_sync=True, unchanged=1, notes=["2 rules:\nleft alone"])
    shown = renderers("drift")["github"](DriftReport([target])).splitlines()
    assert shown == [
        "::notice title=drift%3A shop%3A note::2 rules:%0Aleft alone",
        "::notice title=drift%3A shop::no drift, 1 declared object is as it should be",
    ]
