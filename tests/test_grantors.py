"""Test that privileges are granted by the owner where another role has the grant option.

PostgreSQL records a GRANT of a role that is no superuser as one of any role of which it is a
member and which has the grant option; on scratch, the role that builds is a member of all.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from psycopg import conninfo

from tests.conftest import Database
from tests.test_three_way import declare, folder, run

__all__ = ["folder"]

START = """
    CREATE ROLE {app}; CREATE ROLE {owner}; CREATE ROLE {reporting}; CREATE ROLE {other};
    GRANT USAGE, CREATE ON SCHEMA public TO {app}, {owner};
    CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, v int);
    ALTER TABLE t OWNER TO {owner};
"""
COLUMN = """
    GRANT SELECT ON t TO {app} WITH GRANT OPTION; GRANT SELECT (id) ON t TO {reporting};
"""
TABLE = "GRANT ALL ON t TO {app} WITH GRANT OPTION; GRANT SELECT ON t TO {reporting};"
VIEW = """
    CREATE VIEW v AS SELECT 1 AS a; ALTER VIEW v OWNER TO {owner};
    GRANT SELECT ON v TO {app} WITH GRANT OPTION; GRANT SELECT (a) ON v TO {reporting};
"""
SEQUENCE = """
    GRANT ALL ON SEQUENCE t_id_seq TO {app} WITH GRANT OPTION;
    GRANT USAGE ON SEQUENCE t_id_seq TO {reporting};
"""
FUNCTION = """
    CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; ALTER FUNCTION f() OWNER TO {owner};
    GRANT EXECUTE ON FUNCTION f() TO {app} WITH GRANT OPTION;
"""
CHANGES = {
    "another change of the column": (
        COLUMN,
        """{t: {owner: {owner}, grants: {{app}: [select with grant option]}, columns: {id: {
            type: int, identity: by default, grants: {{reporting}: [select]}}}}}""",
    ),
    "a comment on the column": (COLUMN, "{t: {columns: {id: {comment: number}}}}"),
    "a new column": (
        COLUMN,
        "{t: {columns: {n: {type: int, grants: {{reporting}: [select], {other}: [update]}}}}}",
    ),
    "a grant on the column": (COLUMN, "{t: {columns: {v: {grants: {{reporting}: [select]}}}}}"),
    "a column dropped": (COLUMN, "{t: {columns: {id: {state: absent}}}}"),
    "a table dropped": (TABLE + COLUMN, "{t: {state: absent}}"),
    "grants on the table": (TABLE, "{t: {grants: {{other}: [select], {reporting}: [insert]}}}"),
    "the grant option, lost": (TABLE, "{t: {grants: {{app}: [select], {other}: [select]}}}"),
    "the grant option of the column": (
        "GRANT SELECT (v) ON t TO {app} WITH GRANT OPTION; GRANT SELECT (v) ON t TO {other};",
        "{t: {columns: {v: {grants: {{app}: [], {reporting}: [select]}}}}}",
    ),
    "several new grant options": (
        "",
        """{t: {grants: {{app}: [all with grant option], {other}: [select with grant option],
                         {reporting}: [insert]}}}""",
    ),
    "another owner": (TABLE + COLUMN, "{t: {owner: {other}, columns: {v: {type: bigint}}}}"),
    "grants on the sequence": (
        SEQUENCE,
        """{t: {columns: {id: {identity: {generated: always, grants: {{app}: [all with grant
            option], {other}: [select], {reporting}: [usage]}}}}}}""",
    ),
    "a comment beside the sequence": (SEQUENCE, "{t: {columns: {id: {comment: number}}}}"),
    "a comment on the view": (VIEW, "{}\nviews: {v: {comment: one}}"),
    "a grant on the view": (
        VIEW,
        "{}\nviews: {v: {columns: {a: {grants: {{reporting}: [select], {other}: [select]}}}}}",
    ),
    "a grant on the function": (FUNCTION, "{}\nfunctions: {f(): {grants: {{other}: [execute]}}}"),
}


def filled(template: str, prefix: str) -> str:
    for role in ("app", "owner", "reporting", "other", "deployer"):
        template = template.replace("{" + role + "}", prefix + role)
    return template


def changed(
    database: Database, folder: Path, prefix: str, tables: str
) -> tuple[list[str], list[str]]:
    """Apply a change and undo it; return the database with and without it."""
    declared = declare(folder, filled(f"tables: {tables}", prefix))
    options = ("--target", database.url, *declared)
    before = database.dump()
    applied = run("apply", *options, "--yes", "--allow", "all")
    assert applied.exit_code == 0, applied.output
    after = database.dump()
    assert run("plan", *options).exit_code == 0
    back = run("rollback", "--target", database.url, "--yes", "--allow", "all")
    assert back.exit_code == 0, back.output
    undone = database.dump()
    assert undone == before
    return after, undone


@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_grants(
    change: str,
    prefix: str,
    new_database: Callable[..., Database],
    each_major: int,
    folder: Path,
) -> None:
    start, tables = CHANGES[change]
    database = new_database(filled(START + start, prefix), each_major)
    after, _ = changed(database, folder, prefix, tables)
    assert "SET SESSION AUTHORIZATION" not in after
    assert "granted by" not in run("export", "--target", database.url).output


@pytest.mark.parametrize("user", ["a superuser", "a member of the owner"])
def test_the_other_role_needs_no_access(
    user: str,
    prefix: str,
    new_database: Callable[..., Database],
    each_major: int,
    folder: Path,
) -> None:
    script = """
        CREATE ROLE {deployer} LOGIN; GRANT {owner} TO {deployer};
        CREATE SCHEMA private; GRANT USAGE, CREATE ON SCHEMA private TO {owner}, {deployer};
        ALTER TABLE t SET SCHEMA private;
        GRANT SELECT ON private.t TO {app} WITH GRANT OPTION;
        GRANT SELECT (id) ON private.t TO {reporting};
    """
    database = new_database(filled(START + script, prefix), each_major)
    target = database.url
    if user != "a superuser":
        own = conninfo.conninfo_to_dict(database.url)["dbname"]
        database.run(filled(f"ALTER DATABASE {own} OWNER TO {{deployer}}", prefix))
        target = conninfo.make_conninfo(target, user=filled("{deployer}", prefix))
    tables = "{private.t: {columns: {id: {comment: number}, v: {grants: {{other}: [select]}}}}}"
    declared = declare(folder, filled(f"tables: {tables}", prefix))
    applied = run("apply", "--target", target, *declared, "--yes")
    assert applied.exit_code == 0, applied.output
    assert "SET SESSION AUTHORIZATION" not in database.dump()
