"""Define an object's record: fields as plain data, and names derived from the ref."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from reconciler.model.frozen import Frozen
from reconciler.model.names import split_qualified
from reconciler.model.ref import Ref
from reconciler.model.spelling import Comment, QualifiedName
from reconciler.model.suppression import Suppression
from reconciler.sql import compose, name, raw

ATTACHED = frozenset({"comment", "owner", "grants"})  # fields set by statements after CREATE


class Record(Frozen):
    """The fields of an object; `==` compares all fields, the ref included."""

    kind: ClassVar[str]
    relation: ClassVar[bool] = False  # the name is in pg_class, with tables, indexes and sequences
    shared_namespace: ClassVar[str] = ""  # another namespace shared by kinds: "type" or "routine"
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # field: fields, one of them given too
    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = ()  # fields, one of each tuple given
    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # field: fields, none of them given too
    main_key: ClassVar[str]  # the key whose value, a text or a list, may stand alone; or unset
    other_keys: ClassVar[Mapping[str, str]]  # SQL's words, read as other keys and never written
    wrong_keys: ClassVar[Mapping[str, str]] = {}  # words that people try: what does that here
    adjusted: ClassVar[frozenset[str]] = frozenset()  # PostgreSQL sets them by other objects
    omitted_is_default: ClassVar[bool]  # a key left out means its default, not the live value
    declares_others: ClassVar[frozenset[str]] = frozenset()  # fields that only declare objects

    ref: SkipJsonSchema[Ref] = Field(exclude=True, repr=False)
    comment: Comment | None = Field(default=None, description="COMMENT ON")
    renamed_from: QualifiedName | None = Field(
        default=None,
        description="its old name: it is renamed, where that is still there; may stay for ever; "
        "with another schema, what is in a schema of its own is moved from there",
    )
    depends_on: tuple[str, ...] = Field(
        default=(),
        description="what no catalog knows that it needs: `function f(int)`, `table t`, …",
    )
    lint: Suppression | None = Field(
        default=None,
        description="findings of `reconcile lint` that are accepted, here and on parts of a table",
    )

    # -- fields that belong together ---------------------------------------------------------------

    def misplaced(self) -> Iterator[tuple[str, str]]:
        """Yield the fields without a meaning beside the rest of the fields, with the reasons."""
        for field, others in self.only_with.items():
            if self._is_given(field) and not any(map(self._is_given, others)):
                yield field, f"without {' or '.join(map(self._key, others))}"
        for field, others in self.not_with.items():
            given = [self._key(o) for o in others if self._is_given(o)]
            if given and self._is_given(field):
                yield field, f"beside {given[0]}"

    @classmethod
    def _key(cls, field: str) -> str:
        return cls.model_fields[field].alias or field

    def _is_given(self, field: str) -> bool:
        return self.__dict__[field] != self._default_values()[field]

    @classmethod
    @cache
    def _default_values(cls) -> Mapping[str, object]:
        """Return the default of each field."""
        fields = cls.model_fields
        return {n: f.get_default(call_default_factory=True) for n, f in fields.items()}

    # -- names -----------------------------------------------------------------------------------

    @property
    def old_ref(self) -> Ref | None:
        """Return the ref before the object was renamed or moved; None without an old name."""
        return renamed(self.ref, self.renamed_from) if self.renamed_from is not None else None

    def sql_name(self) -> sql.Composable:
        """Return the qualified name."""
        return name(self.ref.schema, self.ref.name)

    def designation(self) -> sql.Composable:
        """Return the object's name in COMMENT ON, ALTER and DROP: `POLICY p ON public.t`."""
        keywords = raw(self.kind.replace("_", " ").upper())
        table = self.ref.on
        if table is None:
            return compose("{} {}", keywords, self.sql_name())
        return compose("{} {} ON {}", keywords, self.ref.name, name(table.schema, table.name))

    @property
    def stands_on(self) -> str:
        """The relation locked by changes to the object, as named in messages; "" for none."""
        if self.ref.on is not None:
            return self.ref.on.identity
        return self.ref.identity if self.relation else ""

    @property
    def relation_name(self) -> str | None:
        """The object's name in pg_class, if any."""
        return self.ref.name if self.relation else None

    @classmethod
    def namespaces(cls) -> frozenset[str]:
        """Return the namespaces of the object's names: each relation has a row type as well."""
        return frozenset({"relation", "type"} if cls.relation else {cls.shared_namespace} - {""})

    def name_keys(self) -> frozenset[tuple[str, ...]]:
        """Return every name of the object with the namespace: no two objects may share a pair."""
        own = (self.ref.name, self.ref.arguments or "")
        keys = {(space, self.ref.schema, *own) for space in self.namespaces() - {"relation"}}
        if self.relation_name is not None:
            keys.add(("relation", self.ref.schema, self.relation_name, ""))
        return frozenset[tuple[str, ...]](keys)

    # -- declared, read and compared --------------------------------------------------------------

    @classmethod
    @cache
    def derived(cls) -> frozenset[str]:
        """Return the fields read from the catalog and never declared."""
        return frozenset(
            n for n, f in cls.model_fields.items() if f.json_schema_extra == {"derived": True}
        )

    @classmethod
    def kept(cls) -> frozenset[str]:
        """Return the fields with the live value kept if omitted in a declaration."""
        fields = frozenset(cls.model_fields)
        return ATTACHED & fields if cls.omitted_is_default else fields

    @classmethod
    @cache
    def _kept(cls) -> frozenset[str]:
        return cls.kept()

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        """Complete the declaration with live values of omitted fields, unless `with_defaults`."""
        if live is None or with_defaults:
            return self
        values = {f: getattr(live, f) for f in self._kept() - self.model_fields_set}
        return self.model_copy(update=values | {"ref": self.ref})

    @classmethod
    @cache
    def _never_left_open(cls) -> tuple[str, ...]:
        """Return the fields that are not taken over from the live object if omitted."""
        left_open = cls.kept() | cls.derived() | cls.declares_others
        return tuple(f for f in cls.model_fields if f not in left_open)

    def repeats(self, live: Record) -> bool:
        """Tell whether the declaration says nothing but what the live object says already.

        Then `over`, and what completes it, would give the live object.
        """
        if type(self) is not type(live):
            return False
        own, other = self.__dict__, live.__dict__
        for field in self.__pydantic_fields_set__:
            if own[field] != other[field] and field not in self.declares_others:
                return False
        return all(own[field] == other[field] for field in self._never_left_open())

    def matches(self, live: Self) -> bool:
        """Compare with a live object, ignoring derived fields unset in `self`."""
        unset = self.derived() - self.model_fields_set
        if not unset:
            return self == live
        return self.model_copy(update={n: getattr(live, n) for n in unset}) == live

    def with_attached_of(self, other: Self) -> Self:
        """Return the object with the comment, owner and privileges of another."""
        fields = ATTACHED & type(self).model_fields.keys()
        return self.model_copy(update={f: getattr(other, f) for f in fields})

    def as_state(self) -> Self:
        """Return the object without the fields stored in no catalog."""
        if self.renamed_from is None and not self.depends_on and self.lint is None:
            return self
        return self.model_copy(update={"renamed_from": None, "depends_on": (), "lint": None})

    def fields(self) -> dict[str, Any]:
        """Return the fields as plain data, without the ref: for differences, plans and history."""
        return self.model_dump(mode="json", by_alias=True)

    def without_attached(self) -> Self:
        """Return the object with neither comment, owner nor privileges."""
        fields = type(self).model_fields
        return self.model_copy(
            update={f: fields[f].get_default() for f in ATTACHED & fields.keys()}
        )

    def on_relation(self, relation: Ref) -> Self:
        """Return the object on another relation, under the same name."""
        ref = self.ref._replace(schema=relation.schema, on=relation)
        return self.model_copy(update={"ref": ref})


def renamed(ref: Ref, qualified: str) -> Ref:
    """Return the ref under another name, in the same schema unless the name has one."""
    schema, own = split_qualified(qualified) or ("", qualified)
    return ref._replace(schema=schema or ref.schema, name=own)
