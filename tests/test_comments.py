"""SQL that a YAML comment cuts is refused; comments behind other values stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from reconciler.declare.load import load
from reconciler.errors import DeclarationError

TABLE = "tables:\n  t:\n    "
CUT = {
    TABLE + "columns:\n      g:\n        type: int\n        generated: a # b\n": "generated",
    TABLE + "columns:\n      g: {type: int, default: a # b\n       }\n": "default",
    TABLE + "columns:\n      g: {backfill: a # b\n       }\n": "backfill",
    TABLE + "columns:\n      g:\n        backfill:\n          value: a # b\n": "backfill",
    TABLE + "constraints:\n      c:\n        check: a # b > 0\n": "check",
    TABLE + "indexes:\n      i:\n        on:\n          - (j #> '{a}')\n": "on",
    TABLE + "indexes:\n      i:\n        on: a\n        where: a # b > 0\n": "where",
    TABLE + "policies:\n      p:\n        using: a # b > 0\n": "using",
    "views:\n  v:\n    query: SELECT j #>> '{a}'\n": "query",
    "functions:\n  f():\n    returns: int\n    body: SELECT a # b\n": "body",
    "checks:\n  c:\n    query: SELECT j #>> '{a}'\n    equals: 1\n": "query",
}
KEPT = """
tables:
  t:
    row_level_security: true # on
    columns:
      a: int # a number
      b:
        type: int     # another
        default: "1"  # quoted
        generated: |  # a block
          a # b
        comment: text # here
    constraints:
      c: {foreign_key: a, references: u(a)} # brackets
    indexes:
      i:
        on:
          - a # a column
          - lower(b) # a call
functions:
  f(): # no arguments
    returns: int # a number
    language: sql # SQL
    body: SELECT 1
"""


@pytest.mark.parametrize("parser", ["libyaml", "python"])
@pytest.mark.parametrize("declared", CUT)
def test_a_comment_that_cuts_sql_is_refused(
    declared: str, parser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if parser == "python":
        monkeypatch.setattr(yaml, "__with_libyaml__", False)
    file = tmp_path / "state.yml"
    file.write_text(declared)
    key = CUT[declared]
    with pytest.raises(DeclarationError) as refused:
        load(file)
    (problem,) = refused.value.problems
    assert problem.message.startswith(f"{key}: a blank and # begin a comment")
    assert problem.position is not None
    assert "#" in problem.position.text


def test_a_comment_behind_another_value_is_none_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "state.yml"
    file.write_text(KEPT)
    found = load(file).objects
    assert [o.fields()["comment"] for r, o in found.items() if r.name == "b"] == ["text"]
