"""Ask about values of a data type, in every table that holds some of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.model.declared import RowExpressions
from reconciler.model.ref import Ref
from reconciler.model.state import State
from reconciler.model.statement import Question
from reconciler.sql import compose, name, text

_VALUE = re.compile(r"""(?P<quoted>'(?:''|[^'])*'|"(?:""|[^"])*")|\bVALUE\b""")


def question_of_values(
    template: Question, type_: Ref, live: State, desired: State
) -> Question | None:
    """Return the question about the columns of a type, those that keep it; None without any.

    Columns of types that are made of it are left out: their values are not of that type alone.
    """
    asked = [_about(template, ref) for ref in sorted(_columns(type_, live, desired), key=str)]
    if not asked:
        return None
    return asked[0].model_copy(update={"more": tuple(asked[1:])})


def _columns(type_: Ref, live: State, desired: State) -> Iterator[Ref]:
    spelled = text(name(type_.schema, type_.name))
    for ref in live.dependents.get(type_, ()):
        states = [o for o in (live.get(ref), desired.get(ref)) if isinstance(o, RowExpressions)]
        if states and all(o.value_type == spelled for o in states):
            yield ref


def _about(template: Question, column: Ref) -> Question:
    table = column.on
    assert table is not None
    value = text(compose("asked.{}", column.name))
    return Question(
        relation=text(name(table.schema, table.name)),
        columns=(column.name,),
        condition=_VALUE.sub(lambda m: m["quoted"] or value, template.condition),
        built_in=(column.name,) if template.built_in else (),
        meaning=f"rows of {table.identity} have {template.meaning} in {column.name}",
    )
