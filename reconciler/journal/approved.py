"""Count how often the recorded runs have used an approval."""

from __future__ import annotations

from reconciler.journal.journal import in_schema
from reconciler.journal.ownership import Place, assert_trusted
from reconciler.server.connection import Connection, rows

# An approval is used once all steps with its hazard were done: a run that stopped before may be
# run again.
USES = """
    SELECT a.hazard, a.object, a.digest, count(*)::int4 AS uses
    FROM {schema}.approval AS a JOIN {schema}.run AS r ON r.id = a.run_id
    WHERE r.status = 'done' OR NOT EXISTS (
        SELECT FROM unnest(a.steps) AS n(step_id)
        WHERE NOT EXISTS (SELECT FROM {schema}.step AS s
                          WHERE s.run_id = a.run_id AND s.step_id = n.step_id
                                AND s.status = 'done'))
    GROUP BY 1, 2, 3"""
EXISTS = """
    SELECT to_regclass(quote_ident(%s) || '.approval') IS NOT NULL AS found"""


def uses_of_approvals(connection: Connection, place: Place) -> dict[tuple[str, str, str], int]:
    """Count the uses of approvals by hazard, object and digest.

    Raises PlanRefused if the journal must not be trusted, StatementFailed if it cannot be read.
    """
    assert_trusted(connection, place)
    if not rows(connection, EXISTS, [place.schema])[0]["found"]:
        return {}
    found = rows(connection, in_schema(USES, place.schema))
    return {(row["hazard"], row["object"], row["digest"]): row["uses"] for row in found}
