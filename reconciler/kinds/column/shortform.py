"""What short forms of a column stand for: a key, a foreign key, a sequence (https://www.postgresql.org/docs/current/datatype-numeric.html)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reconciler.kinds.column.target import Target
from reconciler.model.object import Object
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, default_name
from reconciler.sql import literal, name, text

SERIAL = {
    **dict.fromkeys(("smallserial", "serial2"), "smallint"),
    **dict.fromkeys(("serial", "serial4"), "integer"),
    **dict.fromkeys(("bigserial", "serial8"), "bigint"),
}


@dataclass(frozen=True)
class ShortForm:
    """The short forms that a column uses."""

    target: Target
    type: str
    primary_key: bool
    unique: bool
    references: str | None

    @property
    def counts(self) -> str | None:
        """The type of the sequence, of a serial column."""
        return SERIAL.get(self.type.lower())

    @property
    def counted(self) -> str:
        """The default of a serial column."""
        sequence = text(
            name(self.target.schema, default_name(self.target.name, self.target.column, "seq"))
        )
        return f"nextval({text(literal(sequence))}::regclass)"

    def shorter(
        self, default: str | None, others: Mapping[Ref, Object], *, required: bool
    ) -> Iterator[dict[str, Any]]:
        """Short forms to try for a column of this type, one beside the other."""
        bare: dict[str, Any] = {"not_null": False} if required else {}
        serial = next((s for s, type_ in SERIAL.items() if type_ == self.type), None)
        if serial is not None and default == self.counted and bare:
            yield {"type": serial, "default": None, **bare}
        yield {"primary_key": True, **bare}
        yield {"unique": True}
        for ref, _ in replace(self, references="").unfolded():
            if target := getattr(others.get(ref), "references", None):
                yield {"references": target}

    def unfolded(self) -> Iterator[tuple[Ref, dict[str, Any]]]:
        """The objects that they stand for, with their fields, under the names that PostgreSQL gives them."""
        on, own = self.target.on, self.target.column
        for given, words, label, body in (
            (self.primary_key, "", "pkey", {"primary_key": (own,)}),
            (self.unique, own, "key", {"unique": (own,)}),
            (
                self.references is not None,
                own,
                "fkey",
                {"foreign_key": (own,), "references": self.references},
            ),
        ):
            if given:
                yield Ref("constraint", on.schema, default_name(on.name, words, label), on), body
        if self.counts is not None:
            owned = text(name(on.name, own))
            yield (
                Ref("sequence", on.schema, default_name(on.name, own, "seq")),
                {"type": self.counts, "owned_by": owned},
            )


def says_no_more(obj: Object, body: Mapping[str, Any]) -> bool:
    """Whether these fields are all that an object has, but for an owner and what a new one has anyway."""
    besides = {*obj.derived(), "owner"}
    usual = (
        {"grants": {r: tuple(p) for r, p in obj.default_grants().items()}}
        if isinstance(obj, Granted)
        else {}
    )
    wanted = type(obj).model_validate({"ref": obj.ref, **usual, **body})
    return obj.model_dump(exclude=besides) == wanted.model_dump(exclude=besides)
