"""Derive the JSON Schema of the YAML files from the kinds, for editors."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from reconciler.checks.model import ASSERTED, Assertion
from reconciler.checks.workload import Query
from reconciler.declare.annotations import main_key_of, other_keys_of
from reconciler.declare.check_entries import APPLY, MOMENTS
from reconciler.declare.fields import fields_of, files_of
from reconciler.declare.layout import Kinds, sections_of, short_forms
from reconciler.declare.schema_rules import refused_keys, rules_of
from reconciler.declare.tags import NAME as TAG
from reconciler.kinds import KINDS
from reconciler.model.object import Object
from reconciler.model.owned import Grantable
from reconciler.model.spelling import any_case
from reconciler.model.variables import NAME as VARIABLE

Schema = dict[str, Any]
_SHORT_FORMS: Mapping[str, str] = {"text": "string", "a list": "array"}
_MODE: Literal["validation"] = "validation"


class _DeclaredFields(GenerateJsonSchema):
    """JSON Schema of values in the files: a number or true for text, a single item for a list."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        return super().str_schema(schema) | {"type": ["string", "number", "boolean"]}

    def literal_schema(self, schema: core_schema.LiteralSchema) -> JsonSchemaValue:
        """Accept words in any case, and offer the spelling of the language reference."""
        words = [w for w in schema["expected"] if isinstance(w, str)]
        return (
            _words(words)
            if len(words) == len(schema["expected"])
            else super().literal_schema(schema)
        )

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Accept a list of names for a mapping whose entries may be empty."""
        mapping = super().dict_schema(schema)
        values = schema.get("values_schema", {})
        if not getattr(_model_in(values), "listable", False):
            return mapping
        mapping["additionalProperties"] = {
            "anyOf": [mapping["additionalProperties"], {"type": "null"}]
        }
        name: Schema = {"type": ["string", "number", "boolean"]}
        return {"anyOf": [mapping, name, {"type": "array", "items": name}]}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Accept further keys, and the value of the main key for a mapping within a field."""
        model: type[BaseModel] = schema["cls"]
        mapping = super().model_schema(schema)
        if issubclass(model, Object):
            return mapping
        properties: Schema = mapping.get("properties", {})
        mapping["properties"] = properties | _other_keys(model, properties)
        main = main_key_of(model)
        return {"anyOf": [mapping, properties[main]]} if main else mapping

    def tuple_schema(self, schema: core_schema.TupleSchema) -> JsonSchemaValue:
        array = super().tuple_schema(schema)
        return {"anyOf": [array["items"], array]} if "items" in array else array

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out defaults: an undeclared field keeps the live value."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(kinds: Kinds = KINDS) -> Schema:
    """Return the JSON Schema (draft 2020-12) of the files for `load`."""
    definitions, names = _definitions(kinds)
    check = {"$ref": f"#/$defs/{names[Assertion]}"}
    name = {"type": "string", "pattern": f"^{VARIABLE.pattern}$"}
    tag = {"type": ["string", "number"], "pattern": f"^{TAG.pattern}$"}
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
            "variables": {
                "anyOf": [name, {"type": "array", "items": name}],
                "description": "the target's variables that names and values here use: ${name}",
            },
            "tags": {
                "anyOf": [tag, {"type": "array", "items": tag}],
                "description": "names of parts of the declaration, which --tags selects",
            },
            **_sections(kinds, "", names),
            "checks": _section(
                _check(definitions[names[Assertion]], check), "what `verify` asserts, by name"
            ),
            "workload": _section(
                {"$ref": f"#/$defs/{names[Query]}"}, "queries that `bench` measures, by name"
            ),
        },
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
        "$defs": _used(definitions, names.values()),
    }


def _used(definitions: Schema, names: Iterable[str]) -> Schema:
    """Return the named definitions and what they refer to; fields that nobody declares are out."""
    used: dict[str, None] = {}
    waiting = [*names]
    for name in waiting:
        if name not in used:
            used[name] = None
            waiting += re.findall(r'"#/\$defs/([^"]+)"', json.dumps(definitions[name]))
    return {name: definitions[name] for name in definitions if name in used}


def _words(words: Sequence[str]) -> Schema:
    """Offer words, and accept them in any case."""
    pattern = {"type": "string", "pattern": f"^({any_case(words)})$"}
    return {"anyOf": [{"enum": [*words]}, pattern]}


def _model_in(schema: Any) -> object:
    """Return the model of a core schema, below wrapping schemas."""
    while "cls" not in schema and "schema" in schema:
        schema = schema["schema"]
    return schema.get("cls")


def _other_keys(model: type[BaseModel], properties: Schema) -> Schema:
    """Return the alternative names of properties."""
    return {
        other: {**properties[key], "description": f"another word for {key}"}
        for other, key in other_keys_of(model).items()
    }


def _definitions(kinds: Kinds) -> tuple[Schema, Mapping[type[BaseModel], str]]:
    """Return the schema of every kind and of assertions, and the models' keys in `$defs`."""
    models: list[type[BaseModel]] = [*kinds.values(), Assertion, Query]
    generated, with_definitions = models_json_schema(
        [(m, _MODE) for m in models], schema_generator=_DeclaredFields
    )
    definitions: Schema = with_definitions["$defs"]
    names = {m: str(generated[m, _MODE]["$ref"]).rpartition("/")[2] for m in models}
    for definition in definitions.values():
        definition.pop("title", None)
    for model, name in names.items():
        definitions[name] = _with_files(model, definitions[name])
    for kind in kinds.values():
        sections = _sections(kinds, kind.kind, names)
        definitions[names[kind]] = _entry(kind, definitions[names[kind]], sections)
    definitions[names[Assertion]] |= _one_kind()
    return definitions, names


def _one_kind() -> Schema:
    """Accept one kind of assertion, and a query but for a matrix of access."""
    kinds = [{"anyOf": [{"required": [k]} for k in keys]} for keys in ASSERTED]
    queried = [{"required": [key]} for key in ("query", *files_of(Assertion), "access")]
    return {"oneOf": kinds, "anyOf": queried}


def _sections(kinds: Kinds, parent: str, names: Mapping[type[BaseModel], str]) -> Schema:
    return {
        key: _section({"$ref": f"#/$defs/{names[kind]}"}, _described(kind))
        for key, kind in sections_of(kinds, parent).items()
    }


def _described(kind: type[Object]) -> str:
    """Return the first line of a kind's documentation."""
    return (inspect.getdoc(kind) or "").partition("\n")[0]


def _section(entry: Schema, description: str) -> Schema:
    return {
        "type": ["object", "null"],
        "additionalProperties": entry,
        "description": description,
    }


def _check(alone: Schema, listed: Schema) -> Schema:
    """Accept an assertion, or a list under `all`, each with the moments of `apply`."""
    moment: Schema = {"enum": list(MOMENTS)}
    apply: Schema = {
        "anyOf": [moment, {"type": "array", "items": moment}],
        "description": "when apply runs the check: before the first step, which is not run if the"
        " check does not pass, or after the last one",
    }
    several: Schema = {
        "type": "object",
        "properties": {
            "all": {
                "type": "array",
                "items": listed,
                "minItems": 1,
                "description": "several assertions in one check",
            },
            APPLY: apply,
        },
        "required": ["all"],
        "additionalProperties": False,
    }
    return {"anyOf": [alone | {"properties": alone["properties"] | {APPLY: apply}}, several]}


def _with_files(model: type[BaseModel], definition: Schema) -> Schema:
    """Restrict a model's schema to declared fields, and add the keys for files."""
    fields, files = fields_of(model), files_of(model)
    required = definition.pop("required", [])
    properties = {k: definition["properties"][k] for k in fields}
    for key, field in files.items():
        description = f"a file, relative to this one, that holds {field}"
        properties[key] = {"type": "string", "description": description}
    properties |= _other_keys(model, properties)
    extended = definition | {"properties": properties}
    if always := [k for k in fields if k in required and k not in files.values()]:
        extended["required"] = always
    if files:
        extended["allOf"] = [_field_or_file(k, f, required) for k, f in files.items()]
    return extended


def _field_or_file(key: str, field: str, required: list[str]) -> Schema:
    """Accept a field or the key for a file, never both."""
    if field in required:
        return {"oneOf": [{"required": [field]}, {"required": [key]}]}
    return {"not": {"required": [field, key]}}


def _entry(kind: type[Object], mapping: Schema, sections: Schema) -> Schema:
    """Accept a mapping, with `state`, `exclusive` and child sections, or a short form."""
    state: Schema = _words(["present", "absent"]) | {"description": "absent: it is dropped"}
    absent = {"type": "string", "pattern": f"^{any_case(['absent'])}$"}
    refused = refused_keys(kind)
    declarable = {k: p for k, p in mapping["properties"].items() if k not in refused}
    properties: Schema = declarable | {"state": state}
    if "renamed_from" in properties:  # a name with a dot is quoted
        part = '("([^"]|"")+"|[^".]+)'
        names = f"^{part}$" if kind.parent_kinds or kind.schemaless else rf"^{part}(\.{part})?$"
        properties["renamed_from"] = properties["renamed_from"] | {"pattern": names}
    only_present: list[Schema] = [{"properties": dict.fromkeys(kind.keys_when_absent, False)}]
    lists = [*sections, *(["grants"] if issubclass(kind, Grantable) else [])]
    if lists:
        properties["exclusive"] = _exclusive(lists)
    full = mapping | {
        "properties": properties | sections,
        "if": {"properties": {"state": absent}, "required": ["state"]},
        "then": {"propertyNames": {"enum": ["state", *sorted(kind.keys_when_absent)]}},
        "else": {
            "required": mapping.get("required", []),
            "allOf": [*mapping.get("allOf", []), *rules_of(kind), *only_present],
        },
    }
    full = {k: v for k, v in full.items() if k not in {"required", "allOf"}}
    alternatives: list[Schema] = [
        {"type": _SHORT_FORMS[form], "allOf": [properties[key]]}
        for form, key in short_forms(kind).items()
    ]
    if not (kind.parent_kinds or kind.exactly_one or _needs_keys(mapping)):
        alternatives.append({"type": "null"})
    return {"anyOf": [full, *alternatives]} if alternatives else full


def _needs_keys(mapping: Schema) -> bool:
    """Tell whether a model's schema requires a key, or one of several."""
    return "required" in mapping or any("oneOf" in rule for rule in mapping.get("allOf", []))


def _exclusive(lists: Sequence[str]) -> Schema:
    section = _words(sorted(lists))
    return {
        "anyOf": [section, {"type": "array", "items": section}],
        "description": "what these do not list is dropped, and roles that `grants` does not list"
        " lose their privileges",
    }
