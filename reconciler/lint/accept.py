"""Accept findings: by the key `lint` of objects, by reconcile.yml, and by the baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.errors import DeclarationError, Position, Problem, SettingsError
from reconciler.lint.look import in_order
from reconciler.lint.result import Accepted, LintResult
from reconciler.lint.rule import Finding
from reconciler.lint.rules import all_rules
from reconciler.lint.settings import LintSettings
from reconciler.model.ref import Ref

if TYPE_CHECKING:  # slow to import, and of no use to those who declare nothing
    from reconciler.model.object import Object
    from reconciler.model.state import Declaration

UNUSED = "unused-suppression"


class Declared:
    """The declared objects by PostgreSQL's spelling of the names."""

    def __init__(self, declaration: Declaration | None) -> None:
        self._declaration = declaration
        self._objects: Mapping[Ref, Object] = declaration.objects if declaration else {}
        self._similar: dict[Ref, list[Ref]] = {}
        for ref in self._objects:
            if ref.arguments is not None:
                self._similar.setdefault(ref._replace(arguments=None), []).append(ref)

    def origin(self, ref: Ref | None) -> Ref | None:
        """Return the ref in the files; PostgreSQL may spell the types of arguments differently."""
        if ref is None or ref in self._objects:
            return ref
        similar = self._similar.get(ref._replace(arguments=None), [])
        return similar[0] if ref.arguments is not None and len(similar) == 1 else None

    def owners(self, ref: Ref | None) -> Iterator[Object]:
        """Yield the declared object, and the object's table."""
        while ref is not None:
            origin = self.origin(ref)
            if origin is not None and origin in self._objects:
                yield self._objects[origin]
            ref = ref.on

    def __contains__(self, ref: Ref | None) -> bool:
        return self.origin(ref) is not None and self.origin(ref) in self._objects

    def positioned(self, finding: Finding) -> Finding:
        """Return the finding with its position in the files, if the object is declared."""
        origin = self.origin(finding.ref) or finding.ref
        if self._declaration is None or origin is None:
            return finding
        if not any(True for _ in self.owners(origin)):
            return finding
        return replace(finding, position=self._declaration.position(origin, finding.key))


def check_rule_names(declaration: Declaration | None, settings: LintSettings) -> None:
    """Raise DeclarationError or SettingsError for a rule that does not exist."""
    problems = [
        Problem(_unknown(name), position, "reconcile explain lint", "unknown-rule")
        for _, name, position in _allowed(declaration)
        if name not in all_rules()
    ]
    if problems:
        raise DeclarationError(problems)
    for key, names in (("severity", settings.severity), ("off", settings.off)):
        for name in names:
            if name not in all_rules():
                raise SettingsError(f"lint.{key}: {_unknown(name)}")
    for name, reason in settings.off.items():
        if not reason.strip():
            raise SettingsError(f"lint.off: {name}: say the reason, for the next reader")


def _unknown(name: str) -> str:
    nearest = get_close_matches(name, all_rules(), 1)
    return f"there is no rule {name}" + (f"; did you mean {nearest[0]}?" if nearest else "")


def accept(
    findings: Iterable[Finding], declaration: Declaration | None, settings: LintSettings
) -> LintResult:
    """Sort out what is accepted, and add the positions in the files."""
    declared = Declared(declaration)
    left: list[Finding] = []
    accepted: list[Accepted] = []
    used: set[tuple[Ref, str]] = set()
    for found in findings:
        finding = declared.positioned(found)
        severity = settings.severity.get(finding.rule, finding.severity)
        finding = replace(finding, severity=severity)
        reason = settings.off.get(finding.rule)
        for obj in declared.owners(finding.ref):
            if obj.lint is not None and finding.rule in obj.lint.allow:
                reason = reason or obj.lint.allow[finding.rule]
                used.add((obj.ref, finding.rule))
        if reason is None:
            left.append(finding)
        else:
            accepted.append(Accepted(finding, reason))
    left += _unused(declaration, used)
    known, left = _of_baseline(sorted(left, key=in_order), settings.baseline_file())
    return LintResult(left, accepted, known)


def _allowed(declaration: Declaration | None) -> Iterator[tuple[Ref, str, Position | None]]:
    """Yield each suppression: the object, the rule, and the position."""
    if declaration is None:
        return
    for ref, obj in declaration.objects.items():
        for name in obj.lint.allow if obj.lint else ():
            yield ref, name, declaration.position(ref, "lint")


def _unused(
    declaration: Declaration | None, used: Collection[tuple[Ref, str]]
) -> Iterator[Finding]:
    """Yield a finding for each suppression without anything to suppress."""
    for ref, name, position in _allowed(declaration):
        if (ref, name) not in used:
            yield Finding(
                UNUSED,
                "note",
                ref,
                str(ref),
                f"allows {name}, which finds nothing here",
                f"# remove {name} from lint.allow",
                "lint",
                position,
            )


def _of_baseline(
    findings: Iterable[Finding], file: Path | None
) -> tuple[list[Finding], list[Finding]]:
    """Split the findings into findings of the baseline and new findings."""
    if file is None:
        return [], [*findings]
    from reconciler.lint.baseline import read_baseline  # noqa: PLC0415 - slow to import

    counts = read_baseline(file)
    seen: dict[tuple[str, str], int] = {}
    known: list[Finding] = []
    new: list[Finding] = []
    for finding in findings:
        key = finding.rule, finding.identity
        seen[key] = seen.get(key, 0) + 1
        (known if seen[key] <= counts.get(key, 0) else new).append(finding)
    return known, new
