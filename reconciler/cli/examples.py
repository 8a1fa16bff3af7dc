"""Give the examples that end the help of each command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

EXAMPLES: Mapping[str, Sequence[str]] = {
    "apply": (
        "reconcile apply --target production",
        "reconcile apply plan.json --target production --yes",
        "reconcile apply --allow data-loss --lock-timeout 1",
        "reconcile apply --all --forks 16 --serial 1,10%,100%",
    ),
    "bench": ("reconcile bench --start before.sql --scale 1 --scale 10",),
    "demo": ("reconcile demo",),
    "diff": (
        "reconcile diff staging production",
        "reconcile diff main:desired_state desired_state",
    ),
    "drift": (
        "reconcile drift --all --quiet",
        "reconcile drift --target production --format prometheus --out drift.prom",
    ),
    "embedded": ("reconcile embedded status", "reconcile embedded stop"),
    "explain": (
        "reconcile explain constraint",
        "reconcile explain constraint.on_delete",
        "reconcile explain data-loss",
        "reconcile explain beside-other-tools",
        "reconcile explain topics",
    ),
    "export": (
        "reconcile export --target production --schema public --out desired_state",
        "reconcile export --tidy --layout table --json-schema --out desired_state",
    ),
    "history": ("reconcile history", "reconcile history 7"),
    "import": ("reconcile import migrations/0042_owners.sql --out desired_state/owners.yml",),
    "init": (
        "reconcile init",
        "reconcile init --target postgresql://app@localhost/app --schema public",
    ),
    "inventory": ("reconcile inventory", "reconcile inventory --limit 'europe,!canary'"),
    "lint": ("reconcile lint --target production",),
    "monitor": ("reconcile monitor --target production",),
    "plan": (
        "reconcile plan --target production",
        "reconcile plan --format json --out plan.json",
        "reconcile plan --start before.sql --format markdown",
    ),
    "report": ("reconcile report --target production --out-dir delivery",),
    "rollback": (
        "reconcile rollback --target production",
        "reconcile rollback 7 --check",
        "reconcile rollback --all --rollout 20260801-120000-1a2b",
    ),
    "schema": ("reconcile schema > reconcile.schema.json", "reconcile schema plan"),
    "validate": ("reconcile validate", "reconcile validate --state desired_state --format github"),
    "verify": ("reconcile verify --target staging --format junit --out verify.xml",),
}
FIRST_STEPS = (
    "reconcile demo",
    "reconcile export --target postgresql://app@db/app --out desired_state",
    "reconcile plan --target postgresql://app@db/app",
    "reconcile apply --target postgresql://app@db/app",
)


def epilog(examples: Sequence[str]) -> str:
    """Return the end of a help text; a backspace keeps click from joining the lines."""
    title = "Example" if len(examples) == 1 else "Examples"
    return "\n".join([f"\b\n{title}:", *(f"  {example}" for example in examples)])
