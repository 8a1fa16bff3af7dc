"""The capability of routines whose code is a function in C, for which scratch has a stand-in."""

from __future__ import annotations

from typing import Any, Final, Self, cast

from reconciler.model.object import Object
from reconciler.model.on_scratch import HasStandIn
from reconciler.server.base_types import ORIGINAL, original_of

SYMBOL_LANGUAGES: Final = frozenset({"c", "internal"})  # the body is the name of a C function


class NativeCode(HasStandIn):
    """A routine with the fields `language`, `body`, `library` and `set`."""

    def original(self, expected: Object | None) -> Self:
        """Return the routine with the code in the setting of its stand-in."""
        del expected
        settings = cast("dict[str, str]", getattr(self, "set", {}))
        is_native = getattr(self, "language", "") == "internal"  # as every stand-in is
        found = original_of(settings) if is_native else None
        if found is None:
            return self
        kept: dict[str, Any] = {k: v for k, v in settings.items() if k != ORIGINAL}
        return self.model_copy(update={**found._asdict(), "set": kept})
