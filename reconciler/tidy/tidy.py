"""Spell the SQL of objects as people do, and prove the equality on scratch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias, cast

from pydantic import BaseModel

from reconciler.canonicalise.build import Build, scratch_context
from reconciler.errors import ScratchError
from reconciler.introspect.introspect import Snapshot, introspect
from reconciler.model.clauses import DEFAULT, EXPRESSION, INDEX_KEY, QUERY
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.server.scratch import Scratch
from reconciler.tidy.edits import OF_EXPRESSIONS, OF_QUERIES
from reconciler.tidy.printed import Printer, Text
from reconciler.tidy.search import search_all, simpler

CLAUSES = (EXPRESSION, DEFAULT, INDEX_KEY, QUERY)
MAX_PROOFS = 4  # builds of all objects
Spelling: TypeAlias = Mapping[tuple[str, str], str]  # by field and PostgreSQL's text


def tidied(
    live: Snapshot, refs: Iterable[Ref], scratches: Callable[[], Iterator[Scratch]]
) -> dict[Ref, Spelling]:
    """Return the tidied texts of the fields of objects.

    The objects are built on scratch with the texts of both sorts, and read back equal. Raises
    ScratchError if no server serves.
    """
    refused: list[str] = []
    for scratch in scratches():
        try:
            return _tidied(live, refs, scratch)
        except ScratchError as error:
            refused.append(str(error))
    raise ScratchError("no scratch server serves:\n" + "\n".join(f"  {r}" for r in refused))


def respelled(obj: Object, spelling: Spelling) -> Object:
    """Return an object with other texts in its fields."""
    update: dict[str, object] = {}
    for field in {field for field, _ in spelling}:
        value = getattr(obj, field)
        changed = _changed(value, {old: new for (f, old), new in spelling.items() if f == field})
        if changed != value:
            update[field] = changed
    return obj.model_copy(update=update) if update else obj


def _changed(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return texts.get(value, value)
    if isinstance(value, tuple):
        return tuple(_changed(v, texts) for v in cast("tuple[Any, ...]", value))
    if isinstance(value, dict):
        return {k: _changed(v, texts) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, BaseModel):
        fields = {k: _changed(getattr(value, k), texts) for k in type(value).model_fields}
        return value.model_copy(update=fields)
    return value


def _tidied(live: Snapshot, refs: Iterable[Ref], scratch: Scratch) -> dict[Ref, Spelling]:
    texts = {
        (ref, f.field, f.text): Text(live.state[ref], f)
        for ref in refs
        for f in live.state[ref].fragments()
        if f.clause in CLAUSES and _may_be_shorter(f.text, ref.schema)
    }
    if not texts:
        return {}
    built, shorter = _searched(live, texts, scratch)
    found: dict[Ref, dict[tuple[str, str], str]] = {}
    for (ref, field, old), new in shorter.items():
        if new != old:
            found.setdefault(ref, {})[field, old] = new
    for _ in range(MAX_PROOFS):
        if not (wrong := _unequal(live, built, found, scratch)):
            return {**found}
        found = {ref: spelling for ref, spelling in found.items() if ref not in wrong}
    return {}


def _may_be_shorter(sql: str, schema: str) -> bool:
    return any(sign in sql for sign in ("(", "::", "~~", f"{schema}.", f'"{schema}".'))


def _searched(
    live: Snapshot, texts: Mapping[tuple[Ref, str, str], Text], scratch: Scratch
) -> tuple[State, dict[tuple[Ref, str, str], str]]:
    """Return the live state as printed on scratch, and the shortest spelling of each text."""
    context = live.context
    with scratch.database(live.roles, context.user, context.tablespaces) as connection:
        Build(connection, live.state, scratch_context(context, scratch.server), {}).create_all()
        built = introspect(connection, context.server).state
        printer = Printer(connection)
        with connection.transaction():
            known = {key: t for key, t in texts.items() if printer.can_print(key, t)}
            searches = {
                key: simpler(
                    t.sql,
                    t.owner.ref.schema,
                    OF_QUERIES if t.fragment.clause is QUERY else OF_EXPRESSIONS,
                )
                for key, t in known.items()
            }
            found = search_all(searches, partial(printer.same, known))
            return built, {key: known[key].whole(spelling) for key, spelling in found.items()}


def _unequal(
    live: Snapshot, built: State, found: Mapping[Ref, Spelling], scratch: Scratch
) -> set[Ref]:
    """Build the objects as they are now spelled; return those that are not read back as before.

    That is as scratch has printed them from PostgreSQL's spelling, or as the target prints them.
    """
    context = live.context
    objects = {
        ref: respelled(obj, found[ref]) if ref in found else obj
        for ref, obj in live.state.objects.items()
    }
    paths = {ref: ref.schema for ref in found}
    with scratch.database(live.roles, context.user, context.tablespaces) as connection:
        build = Build(
            connection,
            replace(live.state, objects=objects),
            scratch_context(context, scratch.server),
            paths,
        )
        failed = build.create_all()
        causes = {ref for ref in build.causes(failed) if ref in found} if failed else set[Ref]()
        again = introspect(connection, context.server).state
    different = {
        ref for ref in found if again.get(ref) not in (built.get(ref), live.state.get(ref))
    }
    return causes or different
