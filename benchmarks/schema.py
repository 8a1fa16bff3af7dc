"""Generate a schema of any number of tables as SQL, the same for the same seed.

A table has 9 to 15 columns with an identity, two foreign keys, checks, three or four indexes, a
policy, a trigger, comments, and grants to three roles. A tenth of the tables has a view, a
function, and an enum.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

ROLES = ("bench_reader", "bench_writer", "bench_owner")
SCHEMAS = ("public", "sales", "stock", "staff")
TYPES = ("text", "integer", "bigint", "numeric(12,2)", "timestamp with time zone", "boolean")
DEFAULTS = {
    "text": "''",
    "integer": "0",
    "bigint": "0",
    "numeric(12,2)": "0.00",
    "timestamp with time zone": "now()",
    "boolean": "false",
}


def roles() -> str:
    """Return a script to create the roles where they are missing; others may create them too."""
    return "\n".join(
        f"DO $$ BEGIN CREATE ROLE {role};"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;"
        for role in ROLES
    )


def schema(tables: int, seed: int = 1) -> str:
    """Return a script to create the schema in an empty database; the roles must exist."""
    random = Random(seed)  # noqa: S311 - the same schema every time
    lines = ["SET check_function_bodies = off;"]
    lines += [f"CREATE SCHEMA {name};" for name in SCHEMAS if name != "public"]
    lines += [f"GRANT USAGE ON SCHEMA {s} TO {', '.join(ROLES)};" for s in SCHEMAS]
    lines += _function(
        "public", "touch", "trigger", "BEGIN NEW.changed_at := now(); RETURN NEW; END"
    )
    for number in range(tables):
        lines += _table(number, random)
    return "\n".join(lines) + "\n"


def table_name(number: int) -> str:
    """Return the qualified name of a table."""
    return f"{SCHEMAS[number % len(SCHEMAS)]}.t{number:05d}"


def _table(number: int, random: Random) -> Iterator[str]:
    schema_name, own = table_name(number).split(".")
    table, data = table_name(number), [f"c{i:02d}" for i in range(random.randint(5, 11))]
    kinds = {column: random.choice(TYPES) for column in data}
    parents = sorted({random.randrange(number) for _ in range(2)}) if number else []
    if number % 10 == 0:
        yield f"CREATE TYPE {table}_state AS ENUM ('new', 'open', 'done');"
    yield f"CREATE TABLE {table} ("
    yield "  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    yield "  changed_at timestamp with time zone NOT NULL DEFAULT now(),"
    yield "  tenant integer NOT NULL,"
    if number % 10 == 0:
        yield f"  state {table}_state NOT NULL DEFAULT 'new',"
    for parent in parents:
        name = f"p{parent:05d}"
        yield f"  {name} bigint CONSTRAINT {own}_{name}_fkey REFERENCES {table_name(parent)},"
    for column, kind in kinds.items():
        default = f" DEFAULT {DEFAULTS[kind]}" if random.random() < 0.5 else ""
        yield f"  {column} {kind}{default}{' NOT NULL' if random.random() < 0.5 else ''},"
    yield f"  CONSTRAINT {own}_tenant_check CHECK (tenant > 0),"
    yield f"  CONSTRAINT {own}_id_tenant_key UNIQUE (id, tenant)"
    yield ");"
    yield f"CREATE INDEX {own}_tenant_idx ON {table} (tenant, changed_at DESC);"
    yield f"CREATE INDEX {own}_first_idx ON {table} ({data[0]}) WHERE {data[1]} IS NOT NULL;"
    if number % 2:
        yield f"CREATE INDEX {own}_expression_idx ON {table} ((tenant + 1));"
    yield from (f"CREATE INDEX {own}_p{p:05d}_idx ON {table} (p{p:05d});" for p in parents)
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
    yield f"CREATE POLICY {own}_tenant ON {table} FOR SELECT TO bench_reader"
    yield "  USING (tenant = (current_setting('bench.tenant', true))::integer);"
    yield f"CREATE TRIGGER touch BEFORE UPDATE ON {table}"
    yield "  FOR EACH ROW EXECUTE FUNCTION public.touch();"
    yield f"COMMENT ON TABLE {table} IS 'Table number {number}';"
    yield f"COMMENT ON COLUMN {table}.tenant IS 'Who owns the row';"
    yield f"GRANT SELECT ON {table} TO bench_reader;"
    yield f"GRANT SELECT, INSERT, UPDATE ON {table} TO bench_writer;"
    yield f"GRANT ALL ON {table} TO bench_owner;"
    if number % 10 == 0:
        yield f"CREATE VIEW {table}_view WITH (security_invoker) AS"
        yield f"  SELECT id, tenant, {data[0]} FROM {table} WHERE tenant > 1;"
        yield f"GRANT SELECT ON {table}_view TO bench_reader;"
        yield from _function(
            schema_name,
            f"{own}_count(wanted integer, since timestamp with time zone)",
            "bigint",
            f"BEGIN RETURN (SELECT count(*) FROM {table} WHERE tenant = wanted); END",
        )


def _function(schema_name: str, signature: str, returns: str, body: str) -> Iterator[str]:
    arguments = "" if "(" in signature else "()"
    yield f"CREATE FUNCTION {schema_name}.{signature}{arguments} RETURNS {returns}"
    yield f"  LANGUAGE plpgsql STABLE AS $body${body}$body$;".replace(
        " STABLE", "" if returns == "trigger" else " STABLE"
    )
