"""Know the tables in which other tools record their migrations, and leave them alone.

Neither `export` nor `--prune` touches them. A file that declares one manages it all the same.
"""

from __future__ import annotations

from reconciler.model.ref import Ref

TABLES = {
    "__diesel_schema_migrations": "Diesel",
    "__drizzle_migrations": "Drizzle",
    "__EFMigrationsHistory": "Entity Framework",
    "_prisma_migrations": "Prisma",
    "_sqlx_migrations": "SQLx",
    "alembic_version": "Alembic",
    "ar_internal_metadata": "Rails",
    "atlas_schema_revisions": "Atlas",
    "databasechangelog": "Liquibase",
    "databasechangeloglock": "Liquibase",
    "django_migrations": "Django",
    "doctrine_migration_versions": "Doctrine",
    "flyway_schema_history": "Flyway",
    "goose_db_version": "goose",
    "knex_migrations": "Knex",
    "knex_migrations_lock": "Knex",
    "kysely_migration": "Kysely",
    "kysely_migration_lock": "Kysely",
    "mikro_orm_migrations": "MikroORM",
    "pgmigrations": "node-pg-migrate",
    "refinery_schema_history": "Refinery",
    "schema_migrations": "Rails, dbmate or golang-migrate",
    "SequelizeMeta": "Sequelize",
}
SCHEMAS = {
    "drizzle": "Drizzle",
    "graphile_migrate": "Graphile Migrate",
    "sqitch": "Sqitch",
    "supabase_migrations": "Supabase",
}
_SEQUENCES = ("_id_seq", "_index_seq")  # of the tables' numbers
_BY_NAME = {**TABLES, **{f"{t}{s}": tool for t, tool in TABLES.items() for s in _SEQUENCES}}


def other_tool(ref: Ref) -> str:
    """Return the tool to which an object belongs: its table, what is on that, or its schema."""
    while ref.on is not None:
        ref = ref.on
    if ref.schema in SCHEMAS:
        return SCHEMAS[ref.schema]
    if ref == Ref("", ref.name, "").schema_ref:
        return SCHEMAS.get(ref.name, "")
    return _BY_NAME.get(ref.name, "") if ref.schema and ref.arguments is None else ""
