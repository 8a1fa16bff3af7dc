"""Collect the rules: every `Rule` in a module of the folder."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from reconciler.lint.rule import Rule


@cache
def all_rules() -> dict[str, Rule]:
    """Return the rules by name."""
    found: dict[str, Rule] = {}
    for module in iter_modules(__path__):
        for value in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Rule):
                found[value.name] = value
    return dict(sorted(found.items()))


def rules(*, is_measured: bool) -> list[Rule]:
    """Return the rules that ask for statistics, sizes or numbers used, or the others."""
    return [rule for rule in all_rules().values() if rule.is_measured == is_measured]
