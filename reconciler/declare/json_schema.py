"""Derive the JSON Schema of the YAML files from the kinds."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal, cast

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from reconciler.checks.model import ASSERTED, Assertion
from reconciler.declare.models import fields_of, files_of
from reconciler.kinds import KINDS
from reconciler.model.object import Object

Kinds = Mapping[str, type[Object]]


def sections_of(kinds: Kinds, parent: str = "") -> dict[str, type[Object]]:
    """The sections that stand under an entry of a kind, "" being the top level of a file."""
    return {
        k.section: k
        for k in kinds.values()
        if (parent in k.parent_kinds if parent else not k.parent_kinds)
    }


def described_by(kind: type[Object]) -> str:
    return kind.kind.replace("_", " ")


def short_forms(kind: type[Object]) -> dict[str, str]:
    """What may stand instead of a mapping → the field it gives: learnt by trying, for only the kind knows."""
    found: dict[str, str] = {}
    for form, probe in (("text", "probe"), ("a list", ["probe"])):
        for key in ("probe", "probe()"):
            with suppress(ValueError):
                _, fields = kind.entry(key, probe)
                given = (
                    cast("dict[str, object]", fields).items() if isinstance(fields, dict) else ()
                )
                found.update((form, k) for k, v in given if v == probe and k in fields_of(kind))
    return found


class _AsWritten(GenerateJsonSchema):
    """JSON Schema of what people may write: a number or true for text, one item for a list of it."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        return super().str_schema(schema) | {"type": ["string", "number", "boolean"]}

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        array = super().tuple_schema(schema)
        return {"anyOf": [array["items"], array]} if "items" in array else array

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(
            schema["schema"]
        )  # what a key left out means depends on what is live

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(kinds: Kinds = KINDS) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the files that `load` reads, for editors that complete and check them."""
    mode: Literal["validation"] = "validation"
    models: list[type[BaseModel]] = [*kinds.values(), Assertion]
    names, made = models_json_schema([(m, mode) for m in models], schema_generator=_AsWritten)
    definitions: dict[str, Any] = made["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
    keys = {m: str(names[m, mode]["$ref"]).rpartition("/")[2] for m in models}

    def sections(parent: str) -> dict[str, Any]:
        return {
            s: _section_schema({"$ref": f"#/$defs/{keys[k]}"})
            for s, k in sections_of(kinds, parent).items()
        }

    for model, key in keys.items():
        definitions[key] = _mapping_schema(model, definitions[key])
    for kind in kinds.values():
        definitions[keys[kind]] = _entry_schema(kind, definitions[keys[kind]], sections(kind.kind))
    assertion = {"$ref": f"#/$defs/{keys[Assertion]}"}
    definitions[keys[Assertion]]["oneOf"] = [{"required": [k]} for k in ASSERTED]
    several = {"type": "array", "items": assertion, "minItems": 1}
    check = {
        "anyOf": [
            assertion,
            {
                "type": "object",
                "properties": {"all": several},
                "required": ["all"],
                "additionalProperties": False,
            },
        ]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The declared state of a PostgreSQL database, as reconcile reads it",
        "type": ["object", "null"],
        "properties": {
            "schema": {
                "type": "string",
                "description": "for names that have none; public where it is left out",
            },
            "owner": {
                "type": "string",
                "description": "the role that owns what is declared here and gives no owner",
            },
            **sections(""),
            "checks": _section_schema(check),
        },
        "additionalProperties": False,
        "$defs": definitions,
    }


def _section_schema(entry: dict[str, Any]) -> dict[str, Any]:
    return {"type": ["object", "null"], "additionalProperties": entry}


def _mapping_schema(model: type[BaseModel], definition: dict[str, Any]) -> dict[str, Any]:
    """A model's own keys, and those that name files."""
    files, required = files_of(model), definition.pop("required", [])
    properties = {k: definition["properties"][k] for k in fields_of(model)}
    properties |= {
        k: {"type": "string", "description": f"a file, relative to this one, that holds {f}"}
        for k, f in files.items()
    }
    either: list[dict[str, Any]] = []
    for key, named in files.items():
        one_of = {"oneOf": [{"required": [named]}, {"required": [key]}]}
        either.append(one_of if named in required else {"not": {"required": [named, key]}})
    needed = [k for k in fields_of(model) if k in required and k not in files.values()]
    return (
        definition
        | {"properties": properties}
        | ({"required": needed} if needed else {})
        | ({"allOf": either} if either else {})
    )


def _entry_schema(
    kind: type[Object], mapping: dict[str, Any], sections: dict[str, Any]
) -> dict[str, Any]:
    """An object as an entry: its mapping with state, exclusive and the sections under it, or one of its short forms."""
    more: dict[str, Any] = {
        "state": {"enum": ["present", "absent"], "description": "absent: it is dropped"}
    }
    if sections:
        one = {"enum": sorted(sections)}
        more["exclusive"] = {
            "anyOf": [one, {"type": "array", "items": one}],
            "description": "what these do not list is dropped",
        }
    absent = {"properties": {"state": {"const": "absent"}}, "required": ["state"]}
    whole = mapping | {
        "properties": mapping["properties"] | more | sections,
        "if": absent,
        "then": {"maxProperties": 1},
    }
    shorts = {"text": {"type": "string"}, "a list": {"type": "array"}}
    others = [shorts[form] for form in short_forms(kind)] + (
        [] if kind.parent_kinds else [{"type": "null"}]
    )
    return {"anyOf": [whole, *others]} if others else whole
