"""Find the live objects that declared SQL names: pg_depend knows nothing of SQL not yet run.

Only PostgreSQL knows what SQL means. A name that means something else adds an object to what is
built on scratch, and a name that is not found here shows when PostgreSQL refuses the SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any, cast

from reconciler.model.object import Object
from reconciler.model.partitioned import PartitionedObject
from reconciler.model.ref import Ref
from reconciler.model.state import State

_NAMES = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')


def named_objects(
    live: State, declared: Mapping[Ref, Object], paths: Mapping[Ref, str]
) -> Set[Ref]:
    """Collect live objects with names in the fields of declared objects, and keys of named tables.

    `paths` maps declared objects to the schema in which names without one are looked up.
    """
    schemas_of: dict[str, set[str]] = {}  # a name → the schemas in which it may be
    for ref, obj in declared.items():
        own = {*names_in(obj)}
        for name in own:
            schemas_of.setdefault(name, {"", paths.get(ref, "")}).update(own)
    found = {r for r in live if r.on is None and r.schema in schemas_of.get(r.name, ())}
    return found | {key for r in found for key in _keys(live, r)}


def names_in(obj: Object) -> Iterator[str]:
    """Yield what may be a name in the SQL of an object's fields."""
    for text in _texts(obj.fields()):
        yield from _identifiers(text)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a dump of an object, and the keys of its mappings."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from (key, *_texts(inner))
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _texts(inner)


def _identifiers(text: str) -> Iterator[str]:
    for quoted, bare in _NAMES.findall(text):
        yield quoted.replace('""', '"') or bare.lower()


def _keys(live: State, table: Ref) -> Iterator[Ref]:
    """Yield what a foreign key may refer to: keys over nothing but columns of the table."""
    for obj in live.objects_on(table):
        own = (table, table.schema_ref)
        if isinstance(obj, PartitionedObject) and all(
            needed in own or needed.on == table for needed in live.needs(obj.ref)
        ):
            yield obj.ref
