"""Members of an operator class that PostgreSQL stores in the family are looked at in every plan."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from reconciler.cli.group import main
from tests.conftest import Database

LISTED = """operator_classes:
  points(gist):
    type: point
    storage: box
    members:
      OPERATOR 11: "|>>(point, point)"
      FUNCTION 1: gist_point_consistent(internal, point, smallint, oid, internal)
      FUNCTION 2: gist_box_union(internal, internal)
      FUNCTION 3: gist_point_compress(internal)
      FUNCTION 5: gist_box_penalty(internal, internal, internal)
      FUNCTION 6: gist_box_picksplit(internal, internal)
      FUNCTION 7: gist_box_same(box, box, internal)
"""


def test_a_further_member_is_planned_until_it_is_there(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "state.yml"
    arguments = ("-t", database.url, "-s", str(file))
    file.write_text(LISTED)
    for _ in range(2):
        applied = CliRunner().invoke(main, ["apply", *arguments, "--yes"])
        assert applied.exit_code == 0, applied.output
    file.write_text(LISTED + '      OPERATOR 10: "<<|(point, point)"\n')
    for _ in range(2):
        planned = CliRunner().invoke(main, ["plan", *arguments])
        assert "OPERATOR 10 <<|(point,point)" in planned.output
    file.write_text(LISTED)
    database.run("ALTER OPERATOR FAMILY public.points USING gist DROP OPERATOR 11 (point, point)")
    planned = CliRunner().invoke(main, ["plan", *arguments])
    assert "OPERATOR 11 |>>(point,point)" in planned.output
