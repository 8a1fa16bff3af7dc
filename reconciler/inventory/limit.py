"""Select targets by patterns: names of targets and groups, `*`, `!except` and `&and`.

The patterns are those of Ansible's hosts:
https://docs.ansible.com/ansible/latest/inventory_guide/intro_patterns.html
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from reconciler.errors import SettingsError
from reconciler.inventory.group import Group, nearest, targets_in
from reconciler.inventory.target import EVERY

OPTION = "--limit"
EXCEPT, AND = "!", "&"
MAX_PATTERNS = 1_000
_GLOB = re.compile(r"[*?\[]")


def limited(
    patterns: Sequence[str], targets: Collection[str], groups: Mapping[str, Group]
) -> list[str]:
    """Return the names of the selected targets, in the order of `targets`.

    What the patterns name is put together first (all targets if they name none), then cut to each
    `&` pattern, then each `!` pattern is taken away. Raises SettingsError for a name that is
    unknown, and if nothing is left.
    """
    parts = _parts(patterns)

    def matched(sign: str) -> list[set[str]]:
        named = [p.removeprefix(sign) for p in parts if _sign(p) == sign]
        return [_matched(name, targets, groups) for name in named]

    found = set[str]().union(*(matched("") or [{*targets}]))
    found = found.intersection(*matched(AND)).difference(*matched(EXCEPT))
    if not found:
        raise SettingsError(f"{OPTION} {','.join(patterns)} selects no target")
    return [name for name in targets if name in found]


def _parts(patterns: Sequence[str]) -> list[str]:
    parts = [p.strip() for text in patterns for p in re.split("[,:]", text)]
    if "" in parts:
        raise SettingsError(
            f"{OPTION} {','.join(patterns)!r} has an empty pattern: `all` selects every target"
        )
    if len(parts) > MAX_PATTERNS:
        raise SettingsError(f"{OPTION} has more than {MAX_PATTERNS:,} patterns")
    return parts


def _sign(pattern: str) -> str:
    return pattern[0] if pattern[0] in (AND, EXCEPT) else ""


def _matched(pattern: str, targets: Collection[str], groups: Mapping[str, Group]) -> set[str]:
    """Return the targets of a name or glob; raises SettingsError for an unknown name."""
    if pattern in targets:
        return {pattern}
    if pattern in groups:
        return targets_in(pattern, groups)
    if pattern == EVERY:
        return {*targets}
    if not _GLOB.search(pattern):
        hint = nearest(pattern, [*targets, *groups])
        raise SettingsError(f"{OPTION}: no target or group is named {pattern!r}{hint}")
    found = {name for name in targets if fnmatchcase(name, pattern)}
    for group in groups:
        if fnmatchcase(group, pattern):
            found |= targets_in(group, groups)
    return found
