"""Recognise SQL that a YAML comment has cut: `generated: a # b`, `query: SELECT j #>> '{a}'`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.declare.commas import open_brackets
from reconciler.declare.fields import FieldValue, key_of
from reconciler.declare.nodes import Items, Node, Scalar, shortened
from reconciler.errors import Problem
from reconciler.model.clauses import WITHOUT_OPERATORS
from reconciler.model.object import Object


def cut_by_comment(obj: Object, fields: Mapping[str, FieldValue]) -> Iterator[Problem]:
    """Report plain values of SQL with operators that are followed by a comment."""
    commented = [(k, s) for k, v in fields.items() for s in _commented(v.node)]
    if not commented:
        return
    fragments = [*obj.fragments()]
    texts = {
        (f.field, f.text)
        for f in fragments
        if f.clause not in WITHOUT_OPERATORS or open_brackets(f.text)
    }
    others = {*obj.sql_fields} - {f.field for f in fragments}
    texts |= {(f, text) for f in others if isinstance(text := getattr(obj, f), str)}
    by_key = {(key_of(type(obj), field), text) for field, text in texts}
    for key, scalar in commented:
        if (key, scalar.source) in by_key:
            yield _problem(key, scalar)


def cut_query(fields: Mapping[str, FieldValue]) -> Iterator[Problem]:
    """Report the plain query of a check that is followed by a comment."""
    found = [(k, s) for k, v in fields.items() if k == "query" for s in _commented(v.node)]
    yield from (_problem(key, scalar) for key, scalar in found)


def _commented(node: Node) -> Iterable[Scalar]:
    """Return the scalars that are followed by a comment; most values are one scalar."""
    if isinstance(node, Scalar):
        return (node,) if node.comment else ()
    return (scalar for scalar in _scalars(node) if scalar.comment)


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from _scalars(item)
    else:
        for entry in node.entries.values():
            yield from _scalars(entry.node)


def _problem(key: str, scalar: Scalar) -> Problem:
    value, comment = shortened(scalar.source), shortened(scalar.comment)
    return Problem(
        f"{key}: a blank and # begin a comment, so this is {value!r} without {comment!r}",
        scalar.position,
        "quote the value, or put it in a block below a |, if # belongs to the SQL; "
        "a comment stands on a line of its own",
        "cut-by-comment",
    )
