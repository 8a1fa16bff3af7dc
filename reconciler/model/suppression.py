"""Define the key `lint` of every object: findings that are accepted, with the reason."""

from __future__ import annotations

from pydantic import Field, field_validator

from reconciler.model.frozen import Frozen


class Suppression(Frozen):
    """Rules of `reconcile lint` that an object may break."""

    allow: dict[str, str] = Field(
        default_factory=dict, description="the name of a rule, and the reason why it may be broken"
    )

    @field_validator("allow")
    @classmethod
    def _with_reasons(cls, allow: dict[str, str]) -> dict[str, str]:
        for rule, reason in allow.items():
            if not reason.strip():
                raise ValueError(f"{rule}: say the reason, for the next reader")
        return allow
