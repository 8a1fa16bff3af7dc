"""Evaluate a condition in SQL's three-valued logic, as far as that is known without a row."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal

from reconciler.lint.facts import Called
from reconciler.lint.tree import Node

Value = Literal["true", "false", "null", "unknown"]  # unknown: any value that is not null
IS_NULL = 0
_NEGATED: Mapping[Value, Value] = {
    "true": "false",
    "false": "true",
    "null": "null",
    "unknown": "unknown",
}
_LOOKUPS = {  # NULL where the document has no such key
    "jsonb_object_field_text", "json_object_field_text", "jsonb_extract_path_text",
    "json_extract_path_text", "jsonb_object_field", "json_object_field", "jsonb_extract_path",
    "json_extract_path",
}  # fmt: skip


def is_null(
    tree: Node,
    called: Mapping[int, Called],
    nulls: Collection[int] = (),
    *,
    missing: bool = False,
) -> bool:
    """Tell whether a condition is NULL unless another part makes it false.

    `nulls` are columns that are null; with `missing` every lookup of a key finds nothing. Nothing
    is known of conditions that are nested too deeply.
    """
    try:
        return _Evaluation(called, nulls, missing).value(tree) == "null"
    except RecursionError:
        return False


class _Evaluation:
    def __init__(self, called: Mapping[int, Called], nulls: Collection[int], missing: bool) -> None:
        self.called, self.nulls, self.missing = called, nulls, missing

    def value(self, node: Node) -> Value:
        """Evaluate a node."""
        if node.kind == "VAR":
            return "null" if node.number("varattno") in self.nulls else "unknown"
        if node.kind == "BOOLEXPR":
            return self._logic(node)
        if node.kind == "NULLTEST":
            return self._null_test(node)
        if node.kind.startswith("COALESCE"):
            values = [self.value(n) for n in node.children("args")]
            return "null" if all(v == "null" for v in values) else "unknown"
        if node.kind in ("RELABELTYPE", "COERCEVIAIO"):
            argument = node.child("arg")
            return self.value(argument) if argument else "unknown"
        return self._call(node)

    def _logic(self, node: Node) -> Value:
        values: list[Value] = [self.value(n) for n in node.children("args")]
        operator = node.text("boolop")
        if operator == "not":
            return _NEGATED[values[0]]
        # an unknown part of AND may be true, and then the null part decides
        order: tuple[Value, ...] = ("false", "null", "unknown", "true")
        if operator == "or":
            order = ("true", "unknown", "null", "false")
        return next(v for v in order if v in values)

    def _null_test(self, node: Node) -> Value:
        argument = node.child("arg")
        if argument is None or self.value(argument) != "null":
            return "unknown"
        return "true" if node.number("nulltesttype") == IS_NULL else "false"

    def _call(self, node: Node) -> Value:
        """Return null for a strict function of null, and for a lookup that finds nothing."""
        function = self.called.get(node.function)
        if function is None:
            return "unknown"
        if self.missing and function.is_system and function.name in _LOOKUPS:
            return "null"
        arguments = node.children("args")
        first = arguments[:1] if node.kind == "SCALARARRAYOPEXPR" else arguments
        is_null = any(self.value(n) == "null" for n in first)
        return "null" if is_null and function.is_strict else "unknown"
