"""JSON for programs, and the schema it fits."""

from __future__ import annotations

import json
from typing import Any

from reconciler.plan.plan import Plan

WORDS = {"create": "missing", "alter": "changed", "drop": "unexpected"}


def plan(of: Plan) -> str:
    """A plan as one JSON document; `apply` takes it back."""
    return of.model_dump_json(indent=2) + "\n"


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Plan.model_json_schema(mode="serialization"),
    }


def drift(of: Plan) -> str:
    """What is no longer as declared, as one JSON document."""
    found = [
        {
            "kind": c.kind,
            "identity": c.identity,
            "drift": WORDS[c.action],
            "differences": [d.model_dump(mode="json") for d in c.differences],
        }
        for c in of.changes
    ]
    return (
        json.dumps(
            {
                "version": 1,
                "target": of.target,
                "in_sync": of.in_sync,
                "notes": list(of.notes),
                "drift": found,
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )
