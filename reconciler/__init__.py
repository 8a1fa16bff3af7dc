"""reconcile: an idempotent state reconciler for PostgreSQL.

`Database` plans, applies and compares, `load` reads YAML files; docs/python.md shows both. Nothing
is imported before a name is used: the package costs next to nothing where it is not.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconciler.api import Database, Event, load
    from reconciler.apply.outcome import Outcome
    from reconciler.checks.result import Result as CheckResult
    from reconciler.drift.result import TargetDrift
    from reconciler.errors import DeclarationError, PlanRefused, ReconcileError, RunFailed
    from reconciler.model.state import Declaration
    from reconciler.plan.plan import Plan

__all__ = [
    "CheckResult",
    "Database",
    "Declaration",
    "DeclarationError",
    "Event",
    "Outcome",
    "Plan",
    "PlanRefused",
    "ReconcileError",
    "RunFailed",
    "TargetDrift",
    "__version__",
    "load",
]
__version__: str

_PLACES = {  # where a name stands, which is slow to import
    "CheckResult": ("reconciler.checks.result", "Result"),
    "Database": ("reconciler.api", "Database"),
    "Declaration": ("reconciler.model.state", "Declaration"),
    "DeclarationError": ("reconciler.errors", "DeclarationError"),
    "Event": ("reconciler.api", "Event"),
    "Outcome": ("reconciler.apply.outcome", "Outcome"),
    "Plan": ("reconciler.plan.plan", "Plan"),
    "PlanRefused": ("reconciler.errors", "PlanRefused"),
    "ReconcileError": ("reconciler.errors", "ReconcileError"),
    "RunFailed": ("reconciler.errors", "RunFailed"),
    "TargetDrift": ("reconciler.drift.result", "TargetDrift"),
    "load": ("reconciler.api", "load"),
}


def __getattr__(name: str) -> object:
    """Import a name of the API when asked for it, and look up `__version__`."""
    if name == "__version__":
        from reconciler.version import version  # noqa: PLC0415 - as the names below

        return version()
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - not needed by those who ask for no name

    module, own = _PLACES[name]
    found = globals()[name] = getattr(import_module(module), own)
    return found


def __dir__() -> list[str]:
    """List the names of the API for completion in a console."""
    return [*__all__]
