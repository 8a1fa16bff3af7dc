"""Base types and shell types: https://www.postgresql.org/docs/current/sql-createtype.html"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar, Final, Literal, Self

from psycopg import sql
from pydantic import Field, field_validator, model_validator

from reconciler.model.catalog_sql import address, managed, object_grants
from reconciler.model.clauses import NAME, TYPE, Clause
from reconciler.model.deferred import CreatedAsShell
from reconciler.model.object import Object, PlanningContext
from reconciler.model.on_scratch import HasStandIn
from reconciler.model.owned import Granted
from reconciler.model.ref import Ref, split_name
from reconciler.model.spelling import QualifiedName, Text
from reconciler.model.statement import Hazard, HazardKind, Requirement, Statement
from reconciler.model.type_spelling import TypeName
from reconciler.server.capabilities import Server
from reconciler.sql import compose, joined, literal, name, raw, text

# fields with names of functions, which ALTER TYPE … SET changes
FUNCTIONS: Final = ("receive", "send", "typmod_in", "typmod_out", "analyze", "subscript")
# fields that the stand-in on scratch lacks: it stores text
_NOT_OF_STAND_INS: Final = (
    *("internal_length", "passed_by_value", "alignment"),
    *("analyze", "subscript"),
)
_BY_VALUE: Final = {1: "char", 2: "int2", 4: "int4", 8: "double"}  # length: alignment
_FIXED: Final = (
    *("input", "output", "internal_length", "passed_by_value", "alignment", "category"),
    *("preferred", "default", "element", "delimiter", "collatable", "storage"),
)
_OF_POSTGRES: Final = frozenset(  # PostgreSQL's functions that `analyze` and `subscript` may name
    {
        *("array_typanalyze", "range_typanalyze", "multirange_typanalyze", "ts_typanalyze"),
        *("raw_array_subscript_handler", "jsonb_subscript_handler"),
    }
)
# Only CASCADE drops a type and the functions that read and write its values; nothing else may go.
_DROP: Final = """DO {tag} DECLARE own text := {name}; other text; BEGIN
  SELECT pg_describe_object(d.classid, d.objid, d.objsubid) INTO other
  FROM pg_type AS t
  CROSS JOIN LATERAL unnest(ARRAY['pg_type', 'pg_type', 'pg_proc', 'pg_proc', 'pg_proc',
                                  'pg_proc']::regclass[],
                            ARRAY[t.oid, t.typarray, t.typinput, t.typoutput, t.typreceive,
                                  t.typsend]::oid[]) AS going(catalog, object)
  JOIN pg_depend AS d ON d.refclassid = going.catalog AND d.refobjid = going.object
  WHERE t.oid = own::regtype AND NOT (
        d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typarray)
        OR d.classid = 'pg_proc'::regclass
           AND d.objid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
  LIMIT 1;
  IF FOUND THEN
    RAISE dependent_objects_still_exist
    USING MESSAGE = format('cannot drop type %s because %s depends on it', own, other);
  END IF;
  EXECUTE format('DROP TYPE %s CASCADE', own::regtype);
END {tag}"""


class BaseType(CreatedAsShell, HasStandIn, Granted):
    """A base type, whose functions are declared as functions; `shell: true` is the name alone.

    PostgreSQL lets only superusers create base types.
    """

    kind: ClassVar[str] = "base_type"
    section: ClassVar[str] = "base_types"
    other_keys: ClassVar[Mapping[str, str]] = {
        "internallength": "internal_length",
        "passedbyvalue": "passed_by_value",
        "typmod_input": "typmod_in",
        "typmod_output": "typmod_out",
    }
    wrong_keys: ClassVar[Mapping[str, str]] = {
        "like": "internal_length, passed_by_value, alignment and storage say what it would copy",
    }
    oid_column: ClassVar[str] = "pg_type.oid"
    own_rows: ClassVar[str] = "typtype = 'b' AND typinput <> 'array_in'::regproc OR typtype = 'p'"
    shared_namespace: ClassVar[str] = "type"
    grant_class: ClassVar[str] = "TYPE"
    public_by_default: ClassVar[tuple[str, ...]] = ("usage",)
    omitted_is_default: ClassVar[bool] = True
    exactly_one: ClassVar[tuple[tuple[str, ...], ...]] = (("shell", "input"), ("shell", "output"))
    only_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"passed_by_value": ("internal_length",)}
    not_with: ClassVar[Mapping[str, tuple[str, ...]]] = {"shell": (*_FIXED, *FUNCTIONS, "grants")}
    sql_fields: ClassVar[tuple[str, ...]] = ("element",)
    sql_clauses: ClassVar[Mapping[str, Clause]] = {
        "input": NAME,
        "output": NAME,
        **dict.fromkeys(FUNCTIONS, NAME),
        "element": TYPE,
    }

    shell: bool = Field(default=False, description="the name alone, for functions to refer to")
    input: QualifiedName | None = Field(
        default=None, description="the function that reads a value as text"
    )
    output: QualifiedName | None = Field(
        default=None, description="the function that writes a value as text"
    )
    receive: QualifiedName | None = Field(
        default=None, description="the function that reads a value in binary format"
    )
    send: QualifiedName | None = Field(
        default=None, description="the function that writes a value in binary format"
    )
    typmod_in: QualifiedName | None = Field(
        default=None, description="the function that reads modifiers, as in `type(10, 2)`"
    )
    typmod_out: QualifiedName | None = Field(
        default=None, description="the function that writes modifiers; left out: in brackets"
    )
    analyze: QualifiedName | None = Field(
        default=None, description="the function that collects statistics for ANALYZE"
    )
    subscript: QualifiedName | None = Field(
        default=None, description="the function that handles subscripts, as in `value[1]`"
    )
    internal_length: int | None = Field(
        default=None, ge=-2, le=32767, description="the bytes of a value; left out: variable"
    )
    passed_by_value: bool = Field(
        default=False, description="whether values are passed by value, not by reference"
    )
    alignment: Literal["char", "int2", "int4", "double"] = Field(
        default="int4", description="the alignment of stored values: 1, 2, 4 or 8 bytes"
    )
    storage: Literal["plain", "external", "extended", "main"] = Field(
        default="plain", description="how long values are stored; all but plain: variable length"
    )
    category: Text = Field(
        default="U",
        min_length=1,
        max_length=1,
        description="the category for implicit casts: one letter; U: user-defined",
    )
    preferred: bool = Field(
        default=False, description="whether it is preferred for implicit casts in its category"
    )
    default: Text | None = Field(
        default=None, description="the default value of columns, as `input` reads it"
    )
    element: TypeName | None = Field(
        default=None, description="the type of the elements, if values have subscripts"
    )
    delimiter: Text = Field(
        default=",",
        min_length=1,
        max_length=1,
        description="the character between values in an array of the type",
    )
    collatable: bool = Field(default=False, description="whether collations apply to values")

    @field_validator("category", "delimiter")
    @classmethod
    def _one_character(cls, value: str) -> str:
        if len(value) != 1 or not value.isascii():
            raise ValueError("one ASCII character")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not self.shell and not (self.input and self.output):
            raise ValueError("a base type has `input` and `output`, or else `shell: true`")
        for reason in self._faults():
            raise ValueError(reason)
        return self

    def _faults(self) -> Iterator[str]:
        """Yield what PostgreSQL would refuse, and a stand-in on scratch would not show."""
        length, shown = self.internal_length, self.subscript or ""
        if self.passed_by_value and _BY_VALUE.get(length or 0) != self.alignment:
            listed = ", ".join(f"{n} {a}" for n, a in _BY_VALUE.items())
            yield f"passed by value are values of internal_length and alignment {listed}"
        if length in (-1, 0):
            yield "internal_length is left out, or at least 1"
        if length is None and self.alignment not in ("int4", "double"):
            yield "a type of variable length has the alignment int4 or double"
        if length is not None and self.storage != "plain":
            yield "values of fixed internal_length have the storage plain"
        if self.element is not None and not self.subscript and not self._has_raw_elements:
            yield "without `subscript`, elements need internal_length, and no passed_by_value"
        if split_name(shown)[-1:] == ["array_subscript_handler"]:
            yield "PostgreSQL keeps array_subscript_handler for its own array types"

    def as_state(self) -> Self:
        named = {f: self._resolved(getattr(self, f)) for f in ("analyze", "subscript")}
        if self.subscript == "raw_array_subscript_handler" and self._has_raw_elements:
            named["subscript"] = None
        if self.shell:  # which has the grants of no new type
            named["grants"] = None
        return super().as_state().model_copy(update=named)

    def _resolved(self, function: str | None) -> str | None:
        """Qualify the name of a function that no statement on scratch names."""
        parts = split_name(function) if function else []
        if parts[:1] == ["pg_catalog"] and parts[-1] in _OF_POSTGRES:
            return parts[-1]
        if len(parts) == 1 and parts[0] not in _OF_POSTGRES:
            return text(name(self.ref.schema, parts[0]))
        return function

    @property
    def _has_raw_elements(self) -> bool:
        """Whether PostgreSQL gives the type the handler of subscripts for types like point."""
        is_fixed = self.internal_length is not None and not self.passed_by_value
        return self.element is not None and is_fixed

    @classmethod
    def catalog(cls, server: Server) -> str:
        def function(column: str) -> str:
            return f"CASE WHEN t.typisdefined THEN nullif(t.{column}, 0)::regproc::text END"

        alignment = "WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'd' THEN 'double' ELSE 'int4'"
        storage = "WHEN 'e' THEN 'external' WHEN 'x' THEN 'extended' WHEN 'm' THEN 'main'"
        return f"""
            SELECT n.nspname AS schema, t.typname AS name,
                   pg_get_userbyid(t.typowner)::text AS owner,
                   ARRAY[{address("pg_type", "t.oid")}]
                       || CASE WHEN t.typarray <> 0
                               THEN ARRAY[{address("pg_type", "t.typarray")}] END AS addresses,
                   NOT t.typisdefined AS shell,
                   {function("typinput")} AS input, {function("typoutput")} AS output,
                   {function("typreceive")} AS receive, {function("typsend")} AS send,
                   {function("typmodin")} AS typmod_in, {function("typmodout")} AS typmod_out,
                   {function("typanalyze")} AS analyze,
                   CASE WHEN t.typelem = 0 OR t.typlen < 0 OR t.typbyval
                             OR t.typsubscript <> 'raw_array_subscript_handler'::regproc
                        THEN {function("typsubscript")} END AS subscript,
                   CASE WHEN t.typisdefined THEN nullif(t.typlen, -1) END AS internal_length,
                   t.typisdefined AND t.typbyval AS passed_by_value,
                   CASE CASE WHEN t.typisdefined THEN t.typalign END {alignment} END AS alignment,
                   CASE t.typstorage {storage} ELSE 'plain' END AS storage,
                   CASE WHEN t.typisdefined THEN t.typcategory::text ELSE 'U' END AS category,
                   t.typispreferred AS preferred, t.typdefault AS default,
                   CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END AS element,
                   t.typdelim::text AS delimiter, t.typcollation <> 0 AS collatable,
                   CASE WHEN t.typisdefined
                        THEN {object_grants("t.typacl", "T", "t.typowner")} END AS grants
            FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
            WHERE (t.typtype = 'b' AND t.typinput <> 'array_in'::regproc
                   OR t.typtype = 'p' AND NOT t.typisdefined)
                  AND {managed("pg_type", "t.oid", "n.nspname")}
            ORDER BY n.nspname, t.typname"""

    def original(self, expected: Object | None) -> Self:
        """Return the type with what its stand-in has not, as it was put in."""
        if not isinstance(expected, BaseType) or self.shell or expected.shell:
            return self
        return self.model_copy(update={f: getattr(expected, f) for f in _NOT_OF_STAND_INS})

    def unproven(self) -> Iterable[str]:
        if not self.shell:
            yield "reads and writes values: on scratch a stand-in stores text"

    def designation(self) -> sql.Composable:
        return compose("TYPE {}", self.sql_name())

    # -- functions -------------------------------------------------------------------------------

    def deferred_needs(self) -> frozenset[Ref]:
        """Return the functions of the type, with every signature that they may have."""
        own = [text(self.sql_name()), text(name(self.ref.name))]  # as printed, and as declared
        reading = ("{}", "{}, oid, integer")
        signatures = {
            "input": [f.format("cstring") for f in reading],
            "output": own,
            "receive": [f.format("internal") for f in reading],
            "send": own,
            "typmod_in": ["cstring[]"],
            "typmod_out": ["integer"],
            "analyze": ["internal"],
            "subscript": ["internal"],
        }
        found = {k: split_name(v) for k in signatures if (v := getattr(self, k)) is not None}
        return frozenset(
            Ref("function", parts[0] if parts[1:] else self.ref.schema, parts[-1], None, arguments)
            for k, parts in found.items()
            for arguments in signatures[k]
        )

    # -- DDL ---------------------------------------------------------------------------------------

    def _is_completed_from(self, old: Self | None) -> bool:
        """Tell whether the deferred part completes a shell: a new one, or the live `old`."""
        return not self.shell and (old is None or old.shell)

    def define(self, context: PlanningContext, parts: Sequence[Object] = ()) -> Iterable[Statement]:
        """Create the shell; the undo of the deferred part drops the type."""
        create = text(compose("CREATE TYPE {}", self.sql_name()))
        undo = None if self.shell else ()
        yield Statement(sql=create, undo=undo, requirements=self._superuser("create"))

    def redefine(self, old: Self, context: PlanningContext) -> Iterable[Statement] | None:
        if self._is_completed_from(old):
            return []
        if self.shell != old.shell or any(getattr(self, f) != getattr(old, f) for f in _FIXED):
            return None
        return []

    def define_deferred(self, old: Self | None, context: PlanningContext) -> Iterable[Statement]:
        """Complete the type, with owner and privileges, or set other functions."""
        if self.shell:
            return
        if old is not None and not old.shell:
            changed = [f for f in FUNCTIONS if getattr(self, f) != getattr(old, f)]
            if changed:
                yield self._set(changed)
            return
        if old is not None and old.owner not in (None, context.user):
            take = compose("ALTER {} OWNER TO {}", self.designation(), context.user)
            yield Statement(sql=text(take), undo=())  # only its owner completes a shell
        stays = f"{self.ref} is no shell type any more, and PostgreSQL makes none of it again"
        yield Statement(
            sql=text(self._definition()),
            hazards=() if old is None else (Hazard(hazard=HazardKind.IRREVERSIBLE, reason=stays),),
            undo=None if old is None else (),
            requirements=self._superuser("create"),
        )
        yield from super()._own(None, context)

    def remove_deferred(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the type: PostgreSQL makes no shell of a complete type."""
        return self.remove(context)

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the type with its functions: type and functions depend on each other."""
        if self.shell:
            yield from super().remove(context)
            return
        own, tag = text(self.sql_name()), "$reconcile$"
        while tag in own:
            tag = f"{tag[:-1]}_$"
        yield Statement(sql=text(compose(_DROP, tag=raw(tag), name=literal(own))))

    def _own(self, old: Self | None, context: PlanningContext) -> Iterator[Statement]:
        """Set owner and privileges; those of a base type when it is completed."""
        if not self._is_completed_from(old):
            # GRANT refuses a shell type
            granted = self.model_copy(update={"grants": None}) if self.shell else self
            yield from super(BaseType, granted)._own(old, context)

    def _definition(self) -> sql.Composable:
        written: dict[str, sql.Composable] = {
            f: raw(getattr(self, f))
            for f in ("input", "output", *FUNCTIONS)
            if getattr(self, f) is not None
        }
        kept = {
            "internal_length": raw(str(self.internal_length)),
            "passed_by_value": raw("true"),
            "alignment": raw(self.alignment),
            "storage": raw(self.storage),
            "category": literal(self.category),
            "preferred": raw("true"),
            "element": raw(self.element or ""),
            "delimiter": literal(self.delimiter),
            "collatable": raw("true"),
            "default": literal(self.default),
        }
        written |= {f: value for f, value in kept.items() if self._is_given(f)}
        return compose("CREATE TYPE {} ({}\n)", self.sql_name(), _listed(written))

    def _set(self, fields: Sequence[str]) -> Statement:
        options = _listed({f: raw(getattr(self, f) or "NONE") for f in fields})
        command = compose("ALTER TYPE {} SET ({}\n)", self.sql_name(), options)
        return Statement(sql=text(command), requirements=self._superuser("alter"))

    def _superuser(self, change: str) -> tuple[Requirement, ...]:
        lacking = f"may not {change} {self.ref}: only superusers may"
        return (Requirement(condition="false", lacking=lacking),)


def _listed(options: Mapping[str, sql.Composable]) -> sql.Composable:
    lines = (compose("\n    {} = {}", raw(_keyword(f)), v) for f, v in options.items())
    return joined(lines, by=",")


def _keyword(field: str) -> str:
    """Return SQL's word for a field."""
    return {"internal_length": "INTERNALLENGTH", "passed_by_value": "PASSEDBYVALUE"}.get(
        field, field.upper()
    )
