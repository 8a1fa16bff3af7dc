"""The contract of a kind, and the state that kinds make up.

A kind is one frozen pydantic class in one file of `reconciler.kinds`. Its fields are the YAML, are what its catalog query
returns, are what `==` compares. The other stages know only what stands here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Self

from psycopg import sql
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from reconciler.connection import Connection, Row, Server
from reconciler.errors import Position
from reconciler.ref import Ref
from reconciler.statement import Danger, Hazard, Statement, compose, joined, literal, name, raw, text

PUBLIC = "public"  # as a grantee: everybody


@dataclass(frozen=True)
class Size:
    """How big a relation is on the target: `rows` as estimated by its statistics (-1: unknown), `bytes` with indexes."""

    rows: int = -1
    bytes: int = 0


@dataclass(frozen=True)
class Situation:
    """What a kind may know of the server beside the two states, read in the same snapshot.

    `user` will own what is created. `sizes` is keyed by relation. `leftovers` are names of invalid indexes that an
    interrupted build left behind. `default_grantees` maps a kind to the roles that receive privileges on every new
    object of it. `declared` holds objects as people wrote them, with what no catalog stores (a column's backfill);
    `created` names what this very plan creates, and so is empty and unseen by anybody.
    """

    server: Server
    user: str = "postgres"
    sizes: Mapping[Ref, Size] = field(default_factory=dict[Ref, Size])
    leftovers: frozenset[Ref] = frozenset()
    default_grantees: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    declared: Mapping[Ref, Object] = field(default_factory=dict[Ref, "Object"])
    created: frozenset[Ref] = frozenset()

    def size(self, ref: Ref) -> Size:
        """The size of a relation, unknown if it is not on the target."""
        return self.sizes.get(ref, Size())


class Object(BaseModel):
    """One object of a database: the contract of a kind.

    A kind sets the class variables and writes `catalog`, `define` and, where they differ from the defaults, `redefine`,
    `define_online`, `remove_online`, `needs`, `drops_with`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    section: ClassVar[str]  # the YAML key that lists objects of this kind
    unqualified: ClassVar[bool] = False  # its name belongs to no schema
    within: ClassVar[tuple[str, ...]] = ()  # kinds under whose entries that section stands; () is the top level
    folds: ClassVar[bool] = False  # created as part of what it lives on, when that is created too
    whole: ClassVar[bool] = False  # a declaration is the whole definition: a key left out means its default
    follows: ClassVar[bool] = False  # PostgreSQL itself carries it along when a column under it changes its type
    relation: ClassVar[bool] = False  # shares the namespace of tables, indexes, sequences and views
    written: ClassVar[tuple[str, ...]] = ()  # fields that hold SQL which people wrote

    ref: SkipJsonSchema[Ref] = Field(exclude=True, repr=False)
    comment: str | None = Field(default=None, description="COMMENT ON")

    # -- what a kind says ------------------------------------------------------------------------------------------

    @classmethod
    def catalog(cls, server: Server) -> str:
        """The query that reads every object of the kind outside the system's schemas and extensions.

        A row holds the model's fields, the parts of the Ref (`schema`, `name`, and as they apply `on_kind`, `on_name`,
        `arguments`) and `addresses`: pg_depend's (classid, objid, objsubid) for the object and for what stands for it
        (a view's rule), its own first.
        """
        raise NotImplementedError

    @classmethod
    def from_row(cls, ref: Ref, row: Row) -> Self:
        """Make an object of a catalog row, from which the parts of the ref have been taken."""
        return cls(ref=ref, **row)

    @classmethod
    def entry(cls, key: str, body: object) -> tuple[str, object]:
        """Turn a YAML entry's key and value into the object's name and its fields; short forms end here."""
        return key, body

    @classmethod
    def short(cls, body: dict[str, Any]) -> object:
        """The short form of an entry, where it has one; `entry` reads it back."""
        return body

    def identify(self, connection: Connection) -> Ref:
        """The ref as PostgreSQL spells it, asked on scratch; raises StatementFailed."""
        del connection
        return self.ref

    def designation(self) -> sql.Composable:
        """The object as COMMENT ON, ALTER … OWNER TO and DROP name it: `POLICY p ON public.t`."""
        words = self.kind.replace("_", " ").upper()
        if self.ref.on is None:
            return compose("{} {}", raw(words), self.sql_name())
        return compose("{} {} ON {}", raw(words), self.ref.name, name(self.ref.on.schema, self.ref.on.name))

    def sql_name(self) -> sql.Composable:
        """The object's qualified name."""
        return name(self.ref.schema, self.ref.name)

    def needs(self) -> frozenset[Ref]:
        """What must exist before this object, as far as its own fields tell; pg_depend tells the rest."""
        return frozenset({self.ref.on or self.ref.namespace} if self.ref.schema else ())

    def roles(self) -> frozenset[str]:
        """The roles that the object names; PUBLIC is none."""
        return frozenset()

    def clause(self) -> sql.Composable:
        """How an object that folds stands in the definition of what it lives on."""
        raise NotImplementedError

    def define(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Plain DDL: for scratch, and for objects on what the same plan creates. `parts` are what folds into it."""
        raise NotImplementedError

    def define_online(self, on: Situation, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """The recipe for a busy server, where it is not the plain DDL."""
        return self.define(on, parts)

    def redefine(self, old: Self, on: Situation) -> Iterable[Statement] | None:
        """The statements that turn `old` into this object, or None where it must be dropped and made again."""
        del old, on
        return None

    def disturbs(self, old: Self) -> bool:
        """Whether PostgreSQL refuses `redefine` while views, policies and the like stand on the object."""
        del old
        return False

    def remove(self, on: Situation) -> Iterable[Statement]:
        """Plain DDL that drops the object."""
        del on
        lock = "ACCESS EXCLUSIVE" if self.stands_on else ""
        yield Statement(sql=text(compose("DROP {}", self.designation())), lock=lock, relation=self.stands_on)

    def remove_online(self, on: Situation) -> Iterable[Statement]:
        """The recipe for a busy server, where it is not the plain DDL."""
        return self.remove(on)

    def finish(self, old: Self | None, on: Situation) -> Iterable[Statement]:
        """What can only be said once `finish_needs` are there too: a sequence's owner, whose default needs the sequence."""
        del old, on
        return ()

    def finish_needs(self) -> frozenset[Ref]:
        """What `finish` needs beside the object itself; it is no prerequisite of the object."""
        return frozenset()

    @classmethod
    def discard(cls, leftover: Ref) -> Iterable[Statement]:
        """Drop what an interrupted run of ours left behind under a name of its own."""
        del leftover
        return ()

    # -- what every kind has ---------------------------------------------------------------------------------------

    @property
    def takes(self) -> str | None:
        """The name it takes among the relations of its schema, if any."""
        return self.ref.name if self.relation else None

    @property
    def together(self) -> Ref | None:
        """What names the transaction that changes to this object share with others, whatever the plan creates."""
        return None

    @property
    def stands_on(self) -> str:
        """The relation whose lock matters, for people to read."""
        if self.ref.on is not None:
            return self.ref.on.identity
        return self.ref.identity if self.relation else ""

    @classmethod
    def kept(cls) -> frozenset[str]:
        """The fields that keep their live value where a declaration leaves them out."""
        return frozenset({"comment", "owner", "grants"} if cls.whole else cls.model_fields)

    def over(self, live: Self | None, *, complete: bool = False) -> Self:
        """This declaration completed with what it leaves to the live object; `complete` leaves nothing to it."""
        if live is None or complete:
            return self
        kept = {f: getattr(live, f) for f in self.kept() - self.model_fields_set if f in type(self).model_fields}
        return self.model_copy(update=kept | {"ref": self.ref})

    def as_state(self) -> Self:
        """The object without what no catalog stores."""
        return self

    def expressions(self) -> Mapping[str, str]:
        """SQL over the row that no catalog stores, by the name of its field."""
        return {}

    def with_expression(self, field: str, value: str) -> Self:
        """The object with such an expression as PostgreSQL spells it."""
        return self.model_copy(update={field: value})

    def fields(self) -> dict[str, Any]:
        """The fields as plain data, without the ref: for differences, plans and the journal."""
        return self.model_dump(mode="json", by_alias=True)

    def create(self, on: Situation, parts: Sequence[Object] = (), *, online: bool = True) -> list[Statement]:
        """Everything that makes the object as it is: definition, owner, comment and grants."""
        made = self.define_online(on, parts) if online else self.define(on, parts)
        attached = (s for o in (self, *parts) for s in o.attach(None, on))
        return [*undoable(made, lambda: self.remove(on)), *undoable(attached, tuple)]

    def alter(self, old: Self, on: Situation) -> list[Statement] | None:
        """Everything that turns `old` into this object, or None where it must be replaced."""
        attached = {"comment", "owner", "grants"}
        same = self.model_copy(update={f: getattr(old, f) for f in attached & type(self).model_fields.keys()})
        redefined: Iterable[Statement] | None = () if same == old else self.redefine(old, on)
        if redefined is None:
            return None

        def back() -> Iterable[Statement]:
            restored = old.redefine(self, on)
            return [*self.remove(on), *old.create(on, online=False)] if restored is None else restored

        return [*undoable(redefined, back), *undoable(self.attach(old, on), lambda: old.attach(self, on))]

    def complete(self, old: Self | None, on: Situation) -> list[Statement]:
        """`finish`, with its way back."""
        return undoable(self.finish(old, on), lambda: old.finish(self, on) if old is not None else ())

    def drop(self, on: Situation, lost: Sequence[Object] = (), *, online: bool = True) -> list[Statement]:
        """Everything that drops the object; `lost` are those that go with it and come back when it is undone."""
        parts = [o for o in lost if o.folds]

        def back() -> Iterable[Statement]:
            yield from self.create(on, parts, online=False)
            for obj in lost:
                if not obj.folds:
                    yield from obj.create(on, online=False)

        return undoable(self.remove_online(on) if online else self.remove(on), back)

    def attach(self, old: Self | None, on: Situation) -> Iterator[Statement]:
        """Owner, comment and grants, as far as they differ from `old` or from what a new object has."""
        yield from self._own(old, on)
        if self.comment != (old.comment if old else None):
            words = compose("COMMENT ON {} IS {}", self.designation(), literal(self.comment))
            lock = "SHARE UPDATE EXCLUSIVE" if self.stands_on else ""
            yield Statement(sql=text(words), lock=lock, relation=self.stands_on)

    def _own(self, old: Self | None, on: Situation) -> Iterator[Statement]:
        del old, on
        yield from ()


class Granted(Object):
    """An object that has an owner and privileges (https://www.postgresql.org/docs/current/ddl-priv.html)."""

    grant_class: ClassVar[str] = "TABLE"  # GRANT … ON this
    public_by_default: ClassVar[tuple[str, ...]] = ()  # what everybody may do with a new one

    owner: str | None = Field(default=None, description="the role that owns it; left out: whoever creates it")
    grants: dict[str, tuple[str, ...]] | None = Field(
        default=None,
        description="role (or `public`) → privileges: all that anybody but the owner may do",
    )

    @classmethod
    def usual_grants(cls) -> dict[str, list[str]]:
        """What others may do with a new object, were no default privileges altered."""
        return {PUBLIC: list(cls.public_by_default)} if cls.public_by_default else {}

    def roles(self) -> frozenset[str]:
        return frozenset({*(self.grants or ()), *([self.owner] if self.owner else [])} - {PUBLIC})

    def _own(self, old: Self | None, on: Situation) -> Iterator[Statement]:
        owner = old.owner if old else on.user
        if self.owner not in (None, owner):
            sql_text = text(compose("ALTER {} OWNER TO {}", self.designation(), self.owner))
            yield Statement(sql=sql_text, lock="ACCESS EXCLUSIVE" if self.relation else "", relation=self.stands_on)
        if self.grants is None:
            return
        before = dict(old.grants or {}) if old else {}
        if old is None:
            new = {*([PUBLIC] if self.public_by_default else []), *on.default_grantees.get(self.kind, ())}
            if new and (new != {PUBLIC} or set(self.grants.get(PUBLIC, ())) != set(self.public_by_default)):
                yield self._revoke("ALL", sorted(new))
            elif new:
                before = {PUBLIC: self.public_by_default}
        yield from self._regrant(before, self.grants)

    def _regrant(self, before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> Iterator[Statement]:
        """Revoke what is no longer wanted, grant what is new; roles that share a privilege share a statement."""
        gone: dict[tuple[str, ...], list[str]] = {}
        new: dict[tuple[str, ...], list[str]] = {}
        for role in sorted({*before, *after}):
            had, wanted = before.get(role, ()), after.get(role, ())
            lost = tuple(p for p in had if p not in wanted)
            if lost:
                gone.setdefault(lost if wanted else ("ALL",), []).append(role)
            if gained := tuple(p for p in wanted if p not in had):
                new.setdefault(gained, []).append(role)
        for privileges, roles in gone.items():
            yield self._revoke(", ".join(p.removesuffix(GRANT_OPTION).upper() for p in privileges), roles)
        for privileges, roles in new.items():
            for option in ("", GRANT_OPTION):
                given = [p.removesuffix(GRANT_OPTION).upper() for p in privileges if p.endswith(GRANT_OPTION) == bool(option)]
                if given:
                    yield self._grant(", ".join(given), roles, option)

    def _revoke(self, privileges: str, roles: Sequence[str]) -> Statement:
        words = compose("REVOKE {} ON {} {} FROM {}", raw(privileges), raw(self.grant_class), self.sql_name(), _grantees(roles))
        return Statement(sql=text(words))

    def _grant(self, privileges: str, roles: Sequence[str], option: str) -> Statement:
        target = compose("{} {}", raw(self.grant_class), self.sql_name())
        words = compose("GRANT {} ON {} TO {}{}", raw(privileges), target, _grantees(roles), raw(option.upper()))
        wide = [r for r in roles if r in (PUBLIC, "anon")]
        why = f"{', '.join(wide)} may {privileges} on {self.ref}"
        return Statement(sql=text(words), dangers=(Danger(hazard=Hazard.WEAKENS_SECURITY, reason=why),) if wide else ())


def _grantees(roles: Iterable[str]) -> sql.Composable:
    return joined(raw("PUBLIC") if r == PUBLIC else name(r) for r in roles)


GRANT_OPTION = " with grant option"


def undoable(statements: Iterable[Statement], back: Callable[[], Iterable[Statement]]) -> list[Statement]:
    """Give statements that do not say how they are undone the way `back`, all of it with the first of them."""
    found = list(statements)
    if found and all(s.undo is None for s in found):
        found[0] = found[0].model_copy(update={"undo": tuple(s.sql for s in back())})
    return [s if s.undo is not None else s.model_copy(update={"undo": ()}) for s in found]


@dataclass(frozen=True)
class State:
    """A database as far as it is known: objects by ref, and which of them needs which.

    `edges` holds pg_depend's knowledge; `needs()` adds what the objects' own fields tell.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    edges: Mapping[Ref, frozenset[Ref]] = field(default_factory=dict[Ref, frozenset[Ref]])

    def __getitem__(self, ref: Ref) -> Object:
        return self.objects[ref]

    def __contains__(self, ref: object) -> bool:
        return ref in self.objects

    def __iter__(self) -> Iterator[Ref]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def get(self, ref: Ref) -> Object | None:
        """The object, or None."""
        return self.objects.get(ref)

    def needs(self, ref: Ref) -> frozenset[Ref]:
        """What the object stands on, directly, of what this state holds."""
        obj = self.objects.get(ref)
        known = self.edges.get(ref, frozenset[Ref]())
        if obj is not None:
            known = (known | obj.needs()) - obj.finish_needs()
        return frozenset(r for r in known if r in self.objects and r != ref)

    def dependents(self) -> dict[Ref, set[Ref]]:
        """For every ref, what stands on it directly."""
        standing: dict[Ref, set[Ref]] = {}
        for ref in self.objects:
            for needed in self.needs(ref):
                standing.setdefault(needed, set()).add(ref)
        return standing

    def parts(self, ref: Ref) -> Sequence[Object]:
        """The objects that fold into the creation of `ref`, in their order."""
        return self._folding.get(ref, ())

    @cached_property
    def _folding(self) -> Mapping[Ref, Sequence[Object]]:
        found: dict[Ref, list[Object]] = {}
        for obj in self.objects.values():
            if obj.folds and obj.ref.on is not None:
                found.setdefault(obj.ref.on, []).append(obj)
        return found


@dataclass(frozen=True)
class Scope:
    """How far we look, and whether all of that is declared: `prune` drops what nothing names.

    `everything` is every schema but the system's, and with them what belongs to none.
    """

    schemas: frozenset[str] = frozenset()
    prune: bool = False
    everything: bool = False

    def covers(self, ref: Ref) -> bool:
        """Whether the object lies within the bounds."""
        return self.everything or ref.schema in self.schemas


@dataclass(frozen=True)
class Declaration:
    """What the YAML files say.

    `objects` are as written: a field that is not in `model_fields_set` is left to the live object. `exclusive` maps a
    ref to the kinds of its children of which the declaration is complete. `search_path` and `positions` tell, for
    each ref, the schema of its file and where it stands; a position's key may also name a field.
    """

    objects: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    absent: Mapping[Ref, Object] = field(default_factory=dict[Ref, Object])
    exclusive: Mapping[Ref, frozenset[str]] = field(default_factory=dict[Ref, frozenset[str]])
    search_path: Mapping[Ref, str] = field(default_factory=dict[Ref, str])
    positions: Mapping[tuple[Ref, str], Position] = field(default_factory=dict[tuple[Ref, str], Position])
    checks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    schemas: frozenset[str] = frozenset()

    def position(self, ref: Ref, key: str = "") -> Position | None:
        """Where a field of an object stands, else the object, else what it lives on."""
        found = self.positions.get((ref, key)) or self.positions.get((ref, ""))
        return found if found or ref.on is None else self.position(ref.on)


def ref_of(row: Row, kind: str) -> Ref:
    """Take the parts of a Ref out of a catalog row."""
    schema, own, arguments = row.pop("schema", ""), row.pop("name"), row.pop("arguments_identity", None)
    on_kind, on_name = row.pop("on_kind", None), row.pop("on_name", None)
    on = Ref(on_kind, schema, on_name) if on_kind else None
    return Ref(kind, schema, own, on, arguments)
