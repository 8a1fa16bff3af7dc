"""Change a declaration as people do: the scenarios of the benchmark and of the test that counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.schema import table_name

ONE_INDEX = """schema: public
tables:
  t00000:
    indexes:
      t00000_tenant_idx: {on: [tenant, changed_at, id]}
"""
ONE_TABLE = """schema: public
tables:
  added:
    columns:
      id: {type: bigint, primary_key: true}
      parent: {type: bigint, references: t00000(id)}
      said: {type: text, not_null: true, default: "''"}
    indexes:
      added_parent_idx: {on: [parent]}
"""
ONE_POLICY = """schema: public
tables:
  t00000:
    policies:
      t00000_more: {for: select, to: [bench_writer], using: tenant = 7}
"""


def a_percent(tables: int) -> str:
    """Return the declaration of one more column in every hundredth table, and one at least."""
    lines: list[str] = []
    for number in range(0, tables, 100):
        schema, name = table_name(number).split(".")
        lines += [f"  {schema}.{name}:", "    columns:", "      more: {type: text}"]
    return "\n".join(["tables:", *lines, ""])


SCENARIOS: dict[str, Callable[[int], str]] = {
    "nothing": lambda _: "",
    "one index": lambda _: ONE_INDEX,
    "one policy": lambda _: ONE_POLICY,
    "one table": lambda _: ONE_TABLE,
    "1 % of tables": a_percent,
}


def write_change(folder: Path, scenario: str, tables: int) -> Path:
    """Write the declaration of a change into a folder, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "change.yml"
    file.write_text(SCENARIOS[scenario](tables))
    return file
