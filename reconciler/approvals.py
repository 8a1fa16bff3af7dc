"""Read approvals.yml, and match its entries with the hazards of a plan.

A hazard is let through by --allow, or by an entry of approvals.yml: hazard, object, digest of
before → after, and a reason. The file lies beside reconcile.yml, so that a review of it is not a
review of the declaration. An entry counts once for each target: the journal there knows the uses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.declare.files import FileRefused, Files
from reconciler.declare.nodes import Entries, Items, Node, Scalar, described, unknown
from reconciler.declare.parse import documents
from reconciler.errors import (
    Findings,
    Position,
    Problem,
    SettingsError,
    TooManyProblems,
    summarized,
)
from reconciler.model.statement import HazardKind
from reconciler.plan.permission import FILE, permissions_needed
from reconciler.plan.plan import Permission, Plan

MAX_SIZE = 1 << 20  # bytes
MAX_TEXT = 10_000  # characters of a value
KEYS = ("hazard", "object", "digest", "reason")
ALL = "all"
_DIGEST = re.compile("[0-9a-f]{64}")
Named = tuple[str, str, str]  # hazard, object, digest
NO_JOURNAL = f"{FILE} lets nothing through without a journal: an entry counts once, by its runs"


@dataclass(frozen=True)
class Approval:
    """An entry of approvals.yml."""

    hazard: str
    object: str
    digest: str
    reason: str
    position: Position

    @property
    def named(self) -> Named:
        """What it lets through."""
        return self.hazard, self.object, self.digest


@dataclass(frozen=True)
class Allowed:
    """Permissions for hazards: kinds of hazards or "all", and the entries of approvals.yml."""

    flags: Collection[str] = ()
    approvals: Sequence[Approval] = ()


@dataclass(frozen=True)
class Judged:
    """The hazards of a plan, each with its permission, and notes on the entries of approvals.yml.

    `used` are the permissions that entries give.
    """

    permissions: Sequence[Permission] = ()
    notes: Sequence[str] = ()
    used: Sequence[Permission] = field(default_factory=list[Permission])

    @property
    def refused(self) -> Sequence[Permission]:
        """The permissions still missing."""
        return [p for p in self.permissions if not p.given_by]


def judge(plan: Plan, allowed: Allowed, uses: Mapping[Named, int] | None) -> Judged:
    """Return the permissions needed by a plan, each with its source.

    `uses` counts how often the runs in the target's journal have used an entry; without a journal
    (None) no entry lets anything through.
    """
    entries: dict[Named, list[Approval]] = {}
    for approval in allowed.approvals:
        entries.setdefault(approval.named, []).append(approval)
    found: list[Permission] = []
    used: list[Permission] = []
    for needed in permissions_needed(plan):
        flag = next((f for f in (ALL, needed.hazard) if f in allowed.flags), "")
        own = entries.get((needed.hazard, needed.object, needed.digest), [])
        left = own[(uses or {}).get((needed.hazard, needed.object, needed.digest), 0) :]
        if flag:
            found.append(needed.model_copy(update={"given_by": f"--allow {flag}", "line": ""}))
        elif left and uses is not None:
            by = f"{left[0].position.file}:{left[0].position.line}: {left[0].reason}"
            given = needed.model_copy(update={"given_by": by, "line": ""})
            found.append(given)
            used.append(given)
        else:
            found.append(needed)
    return Judged(found, _notes(found, allowed.approvals, uses), used)


def _notes(
    found: Sequence[Permission], approvals: Sequence[Approval], uses: Mapping[Named, int] | None
) -> list[str]:
    """List the entries without effect on this plan, with the reason."""
    if uses is None:
        return [NO_JOURNAL] if approvals and found else []
    needed = {(p.hazard.value, p.object): p for p in found}
    seen: dict[Named, int] = {}
    notes: list[str] = []
    for approval in approvals:
        seen[approval.named] = seen.get(approval.named, 0) + 1
        at = f"{approval.position.file}:{approval.position.line}"
        what = f"{approval.hazard} of {approval.object}"
        here = needed.get((approval.hazard, approval.object))
        if seen[approval.named] <= uses.get(approval.named, 0):
            notes.append(f"{at}: {what}: a run on this target has used it; it can be removed")
        elif here is None:
            notes.append(f"{at}: {what}: the plan has no such hazard")
        elif here.digest != approval.digest:
            notes.append(f"{at}: {what}: approved for another change; here it is {here.digest}")
    return notes


def read_approvals(file: Path = Path(FILE), state: Path | None = None) -> list[Approval]:
    """Read approvals.yml; an absent file has no entries. Raises SettingsError.

    `state` is the folder of the declaration, in which the file must not lie: who may change the
    declaration would approve its hazards.
    """
    if state is not None and os.path.lexists(state / FILE):
        raise SettingsError(
            f"{state / FILE}: approvals lie beside reconcile.yml, not among the files of the state"
        )
    if not os.path.lexists(file):
        return []
    if file.is_symlink():
        raise SettingsError(f"{file} is a link: approvals are read from the file itself")
    problems: list[Problem] = Findings()
    found: list[Approval] = []
    with suppress(TooManyProblems):
        nodes = documents(file, problems, _only(file))
        if len(nodes) > 1:
            problems.append(Problem("expected one document", nodes[1].position))
        elif nodes and not problems:
            found = _approvals(nodes[0], problems)
    if problems:
        raise SettingsError(summarized(problems))
    return found


def _only(file: Path) -> Files:
    """Allow the one file, of limited size; raises SettingsError."""
    try:
        if file.stat().st_size > MAX_SIZE:
            raise SettingsError(f"{file} is larger than {MAX_SIZE:,} bytes: remove used entries")
        return Files((file.parent.resolve(),))
    except (OSError, FileRefused) as error:
        raise SettingsError(f"{file} cannot be read: {error}") from None


def _approvals(node: Node, problems: list[Problem]) -> list[Approval]:
    """Read the entries, and append their faults to the problems."""
    if isinstance(node, Scalar) and node.value is None:
        return []
    if not isinstance(node, Items):
        hint = "write each approval as `plan` shows it: - {hazard: …, object: …, digest: …}"
        problems.append(Problem(f"expected a list, got {described(node)}", node.position, hint))
        return []
    found: dict[tuple[str, ...], Approval] = {}
    for item in node.items:
        approval = _approval(item, problems)
        if approval is None:
            continue
        first = found.setdefault((*approval.named, approval.reason.strip()), approval)
        if first is not approval:
            message = f"the same as in line {first.position.line}"
            hint = "remove it; to approve the same change once more, give another reason"
            problems.append(Problem(message, item.position, hint))
    return [*found.values()]


def _approval(node: Node, problems: list[Problem]) -> Approval | None:
    if not isinstance(node, Entries):
        message = f"expected a mapping with {', '.join(KEYS)}, got {described(node)}"
        problems.append(Problem(message, node.position))
        return None
    before = len(problems)
    problems += [
        unknown("unknown key", key, entry.position, KEYS)
        for key, entry in node.entries.items()
        if key not in KEYS
    ]
    values = {key: _text(node, key, problems) for key in KEYS}
    if len(problems) > before:
        return None
    at = {key: node.entries[key].node.position for key in KEYS}
    if values["hazard"] not in [*HazardKind]:
        problems.append(unknown("unknown hazard", values["hazard"], at["hazard"], [*HazardKind]))
    if not _DIGEST.fullmatch(values["digest"]):
        hint = "copy the line that `plan` shows"
        problems.append(Problem("digest: expected 64 hexadecimal digits", at["digest"], hint))
    if not values["object"].strip():
        problems.append(Problem("object: expected kind and name, as `plan` shows", at["object"]))
    if not values["reason"].strip():
        problems.append(Problem("reason: say why, for the next reader", at["reason"]))
    return Approval(**values, position=node.position) if len(problems) == before else None


def _text(node: Entries, key: str, problems: list[Problem]) -> str:
    """Return the text of a key, "" for a missing key and for other types."""
    entry = node.entries.get(key)
    if entry is None:
        problems.append(Problem(f"{key} is missing", node.position))
        return ""
    value = entry.node
    if not isinstance(value, Scalar):
        message = f"{key}: expected text, got {described(value)}"
        problems.append(Problem(message, value.position))
        return ""
    if len(value.source) > MAX_TEXT:
        problems.append(Problem(f"{key}: longer than {MAX_TEXT:,} characters", value.position))
    return value.source
