"""A plan: a frozen value to render in reports, to run, and to save in a file."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from reconciler.counted import counted
from reconciler.diff.diff import Action, Difference
from reconciler.errors import Severity
from reconciler.model.frozen import Frozen
from reconciler.model.ref import Ref
from reconciler.model.statement import HazardKind
from reconciler.plan.step import Step


class FilePosition(BaseModel):
    """A position in a YAML file; `line` and `column` count from 1."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    file: str
    line: int
    column: int


# Fields of Planned that tell where a change comes from and do not influence what is run. The digest
# leaves them out, so that plans that were saved without them stay intact.
ORIGIN_FIELDS = {"position", "rule", "severity"}
# Facts for readers, for the same reason neither compared nor in the digest.
FACTS = ("findings", "linted", "permissions", "sizes", "undo_hazards")


class Planned(Frozen):
    """A change of a plan: the differing fields, and the object before and after as data."""

    action: Action
    kind: str
    identity: str
    differences: tuple[Difference, ...] = ()
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    position: FilePosition | None = None
    rule: str = ""
    severity: Severity = "note"


class Answer(BaseModel):
    """What the target's rows say about a step: `refuses` if the step would fail on them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    step: str
    message: str
    refuses: bool


class RelationSize(BaseModel):
    """The size of a relation when the plan was made; -1 where unknown.

    `rows` are estimated from the statistics, `bytes` are those with indexes and TOAST.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    relation: str
    rows: int = Field(default=-1, ge=-1, lt=1 << 63)
    bytes: int = Field(default=-1, ge=-1, lt=1 << 63)


class PlanFinding(BaseModel):
    """A finding of `lint` on an object that the plan creates or alters; `fix` ends the fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    rule: str
    severity: Severity
    object: str
    message: str
    fix: str
    position: FilePosition | None = None


class Permission(BaseModel):
    """A permission that a plan needs: for a hazard of an object.

    digest    of before → after of what the steps with the hazard change
    given_by  the flag or the entry of approvals.yml that gives it, "" if nothing does
    line      the line of approvals.yml that would give it, "" if something does
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    hazard: HazardKind
    object: str
    digest: str
    reasons: tuple[str, ...]
    steps: tuple[str, ...]
    given_by: str = ""
    line: str = ""


class Renamed(BaseModel):
    """A renamed object, or a renamed part of an object, with old and new name in `part`."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    was: Ref
    becomes: Ref
    part: tuple[str, str] | None = None


class Plan(BaseModel):
    """The steps and changes of `target`, and the data to run the steps safely.

    `fingerprint` is described in `plan.fingerprint`. `digest` covers the document itself.
    `touches` lists all objects that differ afterwards, be it only in the name of their table; the
    journal records them for a rollback. `rollback_of` is the run that the plan undoes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    version: Literal[1] = 1
    target: str = Field(description="the database, without a password")
    database: str = Field(
        default="", description="what tells it from every other: system identifier and name"
    )
    in_sync: bool
    unchanged: int = Field(default=0, description="declared objects that are as they should be")
    scratch: str = Field(default="", description="the server on which the plan was proven")
    spelled_by: int = Field(
        default=0, description="the major version of the server that spelled the SQL in `changes`"
    )
    changes: tuple[Planned, ...] = ()
    steps: tuple[Step, ...] = ()
    notes: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = Field(
        default=(), description="rows in the way of steps, and what could not be asked"
    )
    unproven: tuple[str, ...] = Field(
        default=(), description="what the proof on the scratch server does not show"
    )
    findings: tuple[PlanFinding, ...] = Field(
        default=(), description="what the rules of lint find on the changed objects"
    )
    linted: bool = Field(
        default=False,
        description="whether the rules of lint looked at the changed objects; if not, findings is"
        " empty",
    )
    permissions: tuple[Permission, ...] = Field(
        default=(), description="the hazards by object, and what lets each through"
    )
    fingerprint: dict[str, str] = Field(default_factory=dict)
    touches: tuple[Ref, ...] = ()
    awaited: tuple[str, ...] = Field(
        default=(), description="indexes that another session builds, and apply waits for"
    )
    renames: tuple[Renamed, ...] = ()
    checks: tuple[dict[str, Any], ...] = Field(
        default=(), description="checks that apply runs before the first step or after the last"
    )
    rollback_of: int | None = None
    sizes: tuple[RelationSize, ...] = Field(
        default=(), description="the sizes of the relations that steps lock"
    )
    undo_hazards: tuple[HazardKind, ...] | None = Field(
        default=None, description="the hazards of a rollback; null if they are not known"
    )
    digest: str = ""
    signature: str = Field(
        default="", description="HMAC-SHA256 by RECONCILE_PLAN_KEY, if that was set"
    )

    def sealed(self) -> Plan:
        """Return the plan with the digest filled in."""
        return self.model_copy(update={"digest": self._digest()})

    def without_proof_of(self, more: Sequence[str]) -> Plan:
        """Return the plan with more that the proof does not show."""
        unproven = (*self.unproven, *more)
        return self.model_copy(update={"unproven": unproven}).sealed() if more else self

    def intact(self) -> bool:
        """Tell whether the document still has the digest computed by `sealed`."""
        return self.digest == self._digest()

    def _digest(self) -> str:
        undigested = self.model_copy(update={"digest": ""})
        left_out: dict[str, Any] = {"changes": {"__all__": ORIGIN_FIELDS}, "signature": True}
        left_out |= dict.fromkeys(FACTS, True)
        if not self.unproven:  # plans that were saved without this field stay intact
            left_out["unproven"] = True
        if not self.awaited:
            left_out["awaited"] = True
        if not self.checks:
            left_out["checks"] = True
        document = undigested.model_dump_json(exclude=left_out)
        return sha256(document.encode()).hexdigest()

    def hazards(self) -> dict[HazardKind, list[str]]:
        """Map every hazard to the reasons in the steps, each once."""
        found: dict[HazardKind, list[str]] = {}
        for hazard in dict.fromkeys(h for step in self.steps for h in step.hazards):
            found.setdefault(hazard.hazard, []).append(hazard.reason)
        return found

    @property
    def step_count(self) -> str:
        """The number of steps, as in `1 step`."""
        return counted(len(self.steps), "step")

    def transactions(self) -> list[list[Step]]:
        """List the steps, grouped into transactions."""
        groups: list[list[Step]] = []
        for step in self.steps:
            if groups and step.transaction and groups[-1][0].transaction == step.transaction:
                groups[-1].append(step)
            else:
                groups.append([step])
        return groups
