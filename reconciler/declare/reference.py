"""Write the reference of the language, a page for each kind, from the models and the examples."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from reconciler.declare.annotations import models_in, union_members
from reconciler.declare.examples import (
    CHECK,
    FOLDER,
    TOPICS,
    Example,
    examples,
    uses,
)
from reconciler.declare.fields import fields_of, files_of
from reconciler.declare.layout import sections_of, short_forms
from reconciler.declare.schema_rules import refused_keys
from reconciler.errors import SettingsError
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.owned import Granted, Owned
from reconciler.model.record import Record

FRONT_PAGE = "index.md"  # by the name that programs take for it
OVERVIEW = "README"
Trail = tuple[str, ...]  # keys, from that of an entry to one inside
COMMON = {k for base in (Record, Owned, Granted) for k in fields_of(base)}
_IN_COMMON = {m for f in fields_of(Record).values() for m in models_in(f.annotation)}
_URL = re.compile(r"https://\S+")
_VALUES = {bool: "`true` or `false`", int: "a number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Key:
    """A key of the language: the path below an entry, with NAME where people choose a name."""

    path: Trail
    help: str
    accepts: str
    example: str

    @property
    def name(self) -> str:
        """Return the path as people write it in a sentence."""
        return ".".join(self.path)


def keys_of(topic: str) -> tuple[Key, ...]:
    """Return all keys of a kind or of checks, nested keys after the outer keys."""
    return tuple(_keys(topic, TOPICS[topic], (), ()))


def _keys(topic: str, model: type[BaseModel], above: Trail, shown: Trail) -> Iterator[Key]:
    explained = _explained(TOPICS[topic])
    for key, field in fields_of(model).items():
        if above or not _is_refused(model, key):
            path, name = (*above, key), (*shown, key)
            accepts = _accepted(field, is_sql=_is_sql(model, key))
            inner = models_in(field.annotation)
            elsewhere = [explained[m] for m in inner if explained[m] != path]
            accepts += "".join(f" as of `{'.'.join(p)}`" for p in elsewhere)
            yield Key(name, field.description or "", accepts, _use(topic, model, key))
            named = (*name, "NAME") if _holds_names(field) else name
            for one in inner:
                if explained[one] == path:
                    yield from _keys(topic, one, path, named)


@cache
def _explained(model: type[BaseModel]) -> Mapping[type[BaseModel], Trail]:
    """Map each nested model to the shortest path, the place of the explanation of its keys."""
    found: dict[type[BaseModel], Trail] = {}
    waiting: list[tuple[type[BaseModel], Trail]] = [(model, ())]
    for outer, above in waiting:
        for key, field in fields_of(outer).items():
            for inner in models_in(field.annotation):
                if inner not in found:
                    found[inner] = (*above, key)
                    waiting.append((inner, found[inner]))
    return found


def _is_refused(model: type[BaseModel], key: str) -> bool:
    return issubclass(model, Object) and key in refused_keys(model)


def _is_sql(model: type[BaseModel], key: str) -> bool:
    return key in files_of(model).values()


def _holds_names(field: FieldInfo) -> bool:
    return any(get_origin(m) is dict for m in union_members(field.annotation))


def _use(topic: str, model: type[BaseModel], key: str) -> str:
    """Return the use of a key in an example of the topic, or of another if all have the key."""
    found = uses(topic).get((model, key))
    is_common = model is TOPICS[topic] and key in COMMON
    if found is None and (is_common or model in _IN_COMMON):
        others = (uses(t).get((m if is_common else model, key)) for t, m in TOPICS.items())
        found = next((o for o in others if o is not None), None)
    return found or ""


def _accepted(field: FieldInfo, *, is_sql: bool) -> str:
    members = (m for m in union_members(field.annotation) if m is not NoneType)
    return " or ".join(dict.fromkeys(_value(m, is_sql=is_sql) for m in members))


def _value(member: object, *, is_sql: bool) -> str:
    origin, args = get_origin(member), get_args(member)
    if origin is Literal:
        return _alternatives(args)
    if origin is tuple:
        inner = [m for m in union_members(args[0]) if get_origin(m) is Literal]
        return f"a list of {_alternatives(get_args(inner[0]))}" if inner else "a list"
    if member is str and is_sql:
        return "SQL"
    return _VALUES[member] if isinstance(member, type) and member in _VALUES else "a mapping"


def _alternatives(words: Iterable[Any]) -> str:
    *most, last = (f"`{w}`" for w in words)
    return f"{', '.join(most)} or {last}" if most else last


# -- pages -----------------------------------------------------------------------------------------


def _file(topic: str) -> str:
    """Return the file of a topic's page; FRONT_PAGE would be the first page of the folder."""
    name = f"{topic}.md"
    return f"{topic}_page.md" if name == FRONT_PAGE else name


def pages() -> Mapping[str, str]:
    """Return all pages of the reference by file name."""
    overview = (FOLDER / "overview.md").read_text(encoding="utf-8")
    listed = "\n".join(f"- [{_title(t)}]({_file(t)}): {_summary(t)}" for t in sorted(TOPICS))
    return {f"{OVERVIEW}.md": overview.replace("{kinds}", listed)} | {
        _file(topic): page(topic) for topic in TOPICS
    }


def explanation(topic: str) -> str:
    """Return what the reference says of a kind, `table`, or of a key, `table.options`."""
    if topic == OVERVIEW:
        return pages()[f"{OVERVIEW}.md"]
    name, _, key = topic.partition(".")
    kind = _known(name.replace(" ", "_"), sections(), "kind or section")
    if not key:
        return page(kind)
    keys = {k.name: k for k in keys_of(kind)}
    return "\n".join(_key_lines(keys[_known(key, {k: k for k in keys}, f"key of {kind}")])) + "\n"


def sections() -> dict[str, str]:
    """Map the names of kinds and sections that are explained to the kinds."""
    sections = {k.section: k.kind for k in KINDS.values()}
    return {**sections, "checks": CHECK, **{t: t for t in TOPICS}}


def _known(name: str, known: Mapping[str, str], what: str) -> str:
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, 1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(sorted(known))}"
    raise SettingsError(f"{name} is no {what}; {hint}")


def page(topic: str) -> str:
    """Return the page of a kind, or of checks."""
    keys = keys_of(topic)
    common = [k for k in keys if topic != CHECK and k.path[0] in COMMON]
    own = [k for k in keys if k not in common]
    lines = [f"# {_title(topic)}", "", *_introduction(topic), ""]
    lines += [line for example in examples(topic) for line in _example_lines(example)]
    lines += ["## Keys", ""]
    lines += [line for key in own for line in _key_lines(key)]
    lines += [*_file_lines(topic)]
    if common:
        names = ", ".join(f"`{k.name}`" for k in common)
        lines += ["", f"As of other kinds ([common keys]({OVERVIEW}.md#common-keys)): {names}."]
    return "\n".join(lines).rstrip() + "\n"


def _title(topic: str) -> str:
    return topic.replace("_", " ")


def _summary(topic: str) -> str:
    return (inspect.getdoc(TOPICS[topic]) or "").partition("\n")[0]


def _introduction(topic: str) -> Iterator[str]:
    yield inspect.getdoc(TOPICS[topic]) or ""
    yield ""
    if topic == CHECK:
        yield "Section `checks`, at the top of a file. `all` lists several assertions in one check."
        yield "With `apply: before`, `after` or a list of both, `apply` runs the check too."
        return
    kind = KINDS[topic]
    parents = ", ".join(f"`{KINDS[p].section}`" for p in kind.parent_kinds)
    yield f"Section `{kind.section}`, {f'under {parents}' if parents else 'at the top of a file'}."
    yield from (f"{f.capitalize()} instead of a mapping is `{k}`." for f, k in _forms(kind))
    if inner := sections_of(KINDS, topic):
        listed = ", ".join(f"[`{s}`]({_file(k.kind)})" for s, k in inner.items())
        yield f"Under an entry: {listed}."
    module = inspect.getmodule(kind)
    if found := _URL.search((module.__doc__ or "") if module else ""):
        yield f"PostgreSQL's manual: {found[0]}"


def _forms(kind: type[Object]) -> Iterable[tuple[str, str]]:
    return short_forms(kind).items()


def _example_lines(example: Example) -> Iterator[str]:
    yield from (f"{example.title}:", "", "```yaml", *example.declaration.splitlines(), "```", "")


def _key_lines(key: Key) -> Iterator[str]:
    indent = "  " * (sum(p != "NAME" for p in key.path) - 1)
    sentence = f"**`{key.name}`**: {key.help}. {key.accepts[:1].upper()}{key.accepts[1:]}"
    lines = key.example.splitlines()
    if len(lines) == 1 and "`" not in key.example:
        yield f"{indent}- {sentence}: `{key.example}`"
        return
    yield f"{indent}- {sentence}:"
    yield from (f"{indent}  {line}".rstrip() for line in ("```yaml", *lines, "```"))


def _file_lines(topic: str) -> Iterator[str]:
    for key, field in files_of(TOPICS[topic]).items():
        yield f"- **`{key}`**: the path of a file with `{field}`, relative to the YAML file."
