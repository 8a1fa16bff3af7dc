"""A role that plans and only reads, and a role that owns the objects and applies."""

from __future__ import annotations

from psycopg import conninfo

from tests.conftest import Database

READER, DEPLOYER = "planning_reader", "applying_owner"


def create_roles(database: Database) -> None:
    """Create both roles, or find those of another test; give the database to DEPLOYER."""
    for role in (READER, DEPLOYER):
        database.run(
            f"DO $$ BEGIN CREATE ROLE {role} LOGIN;"
            " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        )
    own = conninfo.conninfo_to_dict(database.url)["dbname"]
    database.run(
        f"GRANT pg_read_all_data TO {READER}; GRANT CREATE ON SCHEMA public TO {DEPLOYER};"
        f" ALTER DATABASE {own} OWNER TO {DEPLOYER}"
    )


def url_of(database: Database, role: str) -> str:
    """Return the URL of a database for a role."""
    return conninfo.make_conninfo(database.url, user=role)
