"""Write names without the schema of the file, and read such names.

PostgreSQL looks a name up in pg_catalog first, so a name there keeps its schema. What nobody
declares is left to PostgreSQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Self

from reconciler.declare.annotations import annotation_of, taken_by
from reconciler.model.object import Object
from reconciler.sql import name, text

# of pg_catalog, without the names that begin with pg_ or an underscore, and what a column's type
# may be besides
_TYPES = """
    aclitem any anyarray anycompatible anycompatiblearray anycompatiblemultirange
    anycompatiblenonarray anycompatiblerange anyelement anyenum anymultirange anynonarray
    anyrange bigserial bit bool box bpchar bytea char cid cidr circle cstring date
    datemultirange daterange event_trigger fdw_handler float4 float8 gtsvector
    index_am_handler inet int2 int2vector int4 int4multirange int4range int8 int8multirange
    int8range internal interval json jsonb jsonpath language_handler line lseg macaddr
    macaddr8 money name numeric nummultirange numrange oid oidvector path point polygon
    record refcursor regclass regcollation regconfig regdictionary regnamespace regoper
    regoperator regproc regprocedure regrole regtype serial serial2 serial4 serial8
    smallserial table_am_handler text tid time timestamp timestamptz timetz trigger
    tsm_handler tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector txid_snapshot
    unknown uuid varbit varchar void xid xid8 xml"""
_ROUTINES = """
    clock_timestamp count cume_dist current_database current_query current_schema
    current_user datemultirange dense_rank gen_random_uuid get_current_ts_config
    getdatabaseencoding getpgusername icu_unicode_version inet_client_addr inet_client_port
    inet_server_addr inet_server_port int4multirange int8multirange json_build_array
    json_build_object jsonb_build_array jsonb_build_object lastval now nummultirange
    percent_rank pi plpgsql_call_handler random rank row_number session_user
    statement_timestamp suppress_redundant_updates_trigger system_user timeofday
    transaction_timestamp tsmultirange tstzmultirange tsvector_update_trigger
    tsvector_update_trigger_column txid_current txid_current_if_assigned
    txid_current_snapshot unicode_version unique_key_recheck uuidv4 uuidv7 version"""
TYPES = frozenset(_TYPES.split())
ROUTINES = frozenset(_ROUTINES.split())  # without arguments
_TAKEN = {"type": TYPES, "routine": ROUTINES}
_LEADING = re.compile(r'(?:SETOF )?(?P<name>"(?:[^"]|"")+"|[^\W\d][\w$]*)(?=\Z|\[\]\Z|\()')


@dataclass(frozen=True)
class HomeNames:
    """The declared names, each with its schema and its namespace, as SQL."""

    known: frozenset[tuple[str, str, str]]
    _qualified_before: dict[tuple[str, str, str], str] = field(
        default_factory=dict[tuple[str, str, str], str], compare=False
    )

    @classmethod
    def of(cls, objects: Iterable[Object]) -> Self:
        """Collect the names that mean the object in its schema wherever that is searched."""
        return cls(
            frozenset(
                (obj.ref.schema, namespace, text(name(obj.ref.name)))
                for obj in objects
                if obj.ref.on is None and obj.ref.schema and not obj.ref.arguments
                for namespace in type(obj).namespaces()
                if not _is_taken(obj.ref.name, namespace)
            )
        )

    def with_schema(self, obj: Object, schema: str) -> Object:
        """Return an object with `schema` before the names without a schema."""
        return _changed(obj, self._qualified, schema)

    def without_schema(self, obj: Object) -> Object:
        """Return an object without its schema before names, where the same is read."""
        schema = obj.ref.schema
        prefix = f"{text(name(schema))}."

        def shortened(value: str, sort: str, schema: str) -> str:
            shown = value.replace(prefix, "", 1)
            return shown if self._qualified(shown, sort, schema) == value else value

        return _changed(obj, shortened, schema) if schema else obj

    def _qualified(self, value: str, sort: str, schema: str) -> str:
        """Return a text that begins with a name; most objects name one of a few types."""
        key = value, sort, schema
        known = self._qualified_before.get(key)
        if known is None:
            known = self._qualified_before[key] = self._with_schema(value, sort, schema)
        return known

    def _with_schema(self, value: str, sort: str, schema: str) -> str:
        found = _LEADING.match(value)
        if found is None or (schema, sort, found["name"]) not in self.known:
            return value
        at = found.start("name")
        return f"{value[:at]}{text(name(schema))}.{value[at:]}"


def _changed(obj: Object, change: Callable[[str, str, str], str], schema: str) -> Object:
    """Return an object with its names changed, each by its namespace and the schema of the file."""
    update: dict[str, str] = {}
    for own, sort in _naming_fields(type(obj)).items():
        value = getattr(obj, own)
        if value and (changed := change(value, sort, schema)) != value:
            update[own] = changed
    return obj.model_copy(update=update) if update else obj


@cache
def _naming_fields(kind: type[Object]) -> Mapping[str, str]:
    """Map the fields whose text begins with a name to the namespace of the name."""
    spellings = {n: taken_by(annotation_of(f)).spelling for n, f in kind.model_fields.items()}
    return {n: s.names for n, s in spellings.items() if s is not None and s.names}


def _is_taken(own: str, namespace: str) -> bool:
    """Tell whether PostgreSQL may find the name in pg_catalog."""
    is_array = namespace == "type" and own.startswith("_")
    return is_array or own.startswith(("pg_", "RI_FKey_")) or own in _TAKEN.get(namespace, ())
