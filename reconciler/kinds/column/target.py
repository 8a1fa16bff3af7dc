"""A column as ALTER TABLE names it, and as the catalog describes it (https://www.postgresql.org/docs/current/catalog-pg-attribute.html)."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from reconciler.model.catalog_sql import (
    RELATION_KIND,
    acl_grants,
    address,
    managed,
    object_grants,
    settable_options,
)
from reconciler.model.context import PlanningContext
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import (
    UNFILLED_COMMENT,
    is_fill_trigger,
    is_shadow_column,
    is_shadow_trigger,
)
from reconciler.model.sequence_options import COLUMNS
from reconciler.model.statement import Hazard, HazardKind, Statement, TypeConversion
from reconciler.server.capabilities import Server
from reconciler.sql import compose, literal, raw, text
from reconciler.sql import name as qualified


@dataclass(frozen=True)
class Target:
    """Where a column stands."""

    on: Ref
    column: str

    @property
    def schema(self) -> str:
        """The table's schema."""
        return self.on.schema

    @property
    def name(self) -> str:
        """The table's own name."""
        return self.on.name

    @property
    def relation(self) -> str:
        """The table, for people to read."""
        return self.on.identity

    def turned(self, turn: TypeConversion, context: PlanningContext) -> Statement:
        """Give every row its value in the type that replaces the one of the same name."""
        own = qualified(self.column)
        forth = compose("TYPE {} USING {}", raw(turn.type), turn.convert(own))
        back = compose("TYPE {} USING {}", raw(turn.old_name), turn.convert_back(own))
        return self.alter_column(forth, back, hazards=(self.rewritten(context),))

    def remark(self, comment: str | None) -> Statement:
        """Say that of the column."""
        words = compose("COMMENT ON COLUMN {}.{} IS {}", self.table, self.column, literal(comment))
        return Statement(
            sql=text(words), lock="SHARE UPDATE EXCLUSIVE", relation=self.relation, undo=()
        )

    def rewritten(self, context: PlanningContext) -> Hazard:
        """What it means that every row is written anew."""
        why = f"{self.relation} ({context.size(self.on).bytes:,} bytes) is rewritten while nobody can read or write it"
        return Hazard(hazard=HazardKind.TABLE_REWRITE, reason=why)

    @property
    def foreign(self) -> bool:
        """Whether the rows are another server's."""
        return self.on.kind == "foreign_table"

    @property
    def table(self) -> sql.Composable:
        """The table's qualified name."""
        return qualified(self.schema, self.name)

    def table_action(self, action: sql.Composable, *, only: bool = False) -> str:
        """ALTER TABLE … with that action; `only` leaves the table's children as they are."""
        return text(
            compose("ALTER TABLE ONLY {} {}" if only else "ALTER TABLE {} {}", self.table, action)
        )

    def column_action(self, action: sql.Composable, *, only: bool = False) -> str:
        """ALTER TABLE … ALTER COLUMN … with that action."""
        return self.table_action(compose("ALTER COLUMN {} {}", self.column, action), only=only)

    def alter(
        self,
        action: sql.Composable,
        back: sql.Composable | None = None,
        *,
        undo: tuple[str, ...] | None = None,
        own_transaction: bool = False,
        only: bool = False,
        lock: str = "ACCESS EXCLUSIVE",
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        """The statement that alters the table so; `back` is the action that takes it back."""
        return Statement(
            sql=self.table_action(action, only=only),
            lock=lock,
            relation=self.relation,
            undo=undo if back is None else (self.table_action(back, only=only),),
            own_transaction=own_transaction,
            hazards=hazards,
        )

    def alter_column(
        self,
        action: sql.Composable,
        back: sql.Composable | None = None,
        *,
        undo: tuple[str, ...] | None = None,
        own_transaction: bool = False,
        only: bool = False,
        lock: str = "ACCESS EXCLUSIVE",
        hazards: tuple[Hazard, ...] = (),
    ) -> Statement:
        """The statement that alters the column so."""
        words = [
            None if a is None else compose("ALTER COLUMN {} {}", self.column, a)
            for a in (action, back)
        ]
        assert words[0] is not None
        return self.alter(
            words[0],
            words[1],
            undo=undo,
            own_transaction=own_transaction,
            only=only,
            lock=lock,
            hazards=hazards,
        )

    def default(self, value: str | None, *, before: str | None) -> Statement:
        """Give it that default, or none."""
        words = [
            raw("DROP DEFAULT") if e is None else compose("SET DEFAULT {}", raw(e))
            for e in (value, before)
        ]
        return self.alter_column(words[0], words[1])


def query(server: Server) -> str:
    """Every column, but those of children that are as their parent's; what stands on these stands on the parent's."""
    forbidden, named, local = (
        "NULL::jsonb",
        "",
        "a.attnotnull AND (a.attislocal OR NOT p.attnotnull)",
    )
    if server.has_not_null_constraints:  # one that is as the parent's, by name too, is the parent's
        named = """LEFT JOIN pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'n' AND k.conkey[1] = a.attnum
                   AND NOT (k.coninhcount > 0 AND (c.relispartition OR NOT k.conislocal) AND EXISTS (
                       SELECT FROM pg_inherits AS h JOIN pg_constraint AS y ON y.conrelid = h.inhparent
                       WHERE h.inhrelid = c.oid AND y.contype = 'n' AND y.conname = k.conname AND NOT y.connoinherit))"""
        local = "k.oid IS NOT NULL"
        forbidden = """CASE WHEN k.oid IS NOT NULL THEN jsonb_build_object('name', k.conname, 'no_inherit', k.connoinherit,
                                'not_valid', NOT k.convalidated, 'comment', obj_description(k.oid, 'pg_constraint')) END"""
    return f"""
        {_HEIRS}
        SELECT {RELATION_KIND} AS on_kind, n.nspname AS schema, c.relname AS on_name, a.attname AS name,
               ARRAY[{address("pg_class", "c.oid", "a.attnum")}, {address("pg_attrdef", "coalesce(d.oid, 0)")},
                     {address("pg_class", "coalesce(i.oid, 0)")}, {address("pg_trigger", "coalesce(w.trigger_oid, 0)")},
                     {address("pg_proc", "coalesce(w.function_oid, 0)")}]
                   || ARRAY(SELECT {address("pg_class", "x.attrelid", "x.attnum")} FROM heirs AS e
                            JOIN pg_attribute AS x ON x.attrelid = e.heir AND x.attname = a.attname
                            WHERE e.parent = c.oid AND NOT x.attislocal AND a.attislocal
                                  AND NOT EXISTS (SELECT FROM pg_partitioned_table AS q WHERE q.partrelid = e.heir)) AS addresses,
               CASE WHEN a.attislocal THEN format_type(a.atttypid, a.atttypmod) ELSE '' END AS type,
               {local} AS not_null, {forbidden} AS not_null_constraint,
               a.attinhcount > 0 AS inherited, {is_shadow_column("a.attname")} AS leftover, true AS sound, {_OWED} AS owed,
               CASE WHEN a.attgenerated <> '' THEN NULL WHEN d.oid IS NULL AND p.expression IS NOT NULL THEN 'NULL'
                    ELSE pg_get_expr(d.adbin, d.adrelid) END AS default,
               CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS generated, a.attgenerated = 'v' AS virtual,
               coalesce(d.adbin::text ~ ':(func|opfunc)id ' AND EXISTS (
                   SELECT FROM regexp_matches(d.adbin::text, ':(?:func|opfunc)id ([0-9]+)', 'g') AS m
                   JOIN pg_proc AS f ON f.oid = m[1]::oid WHERE f.provolatile = 'v'), false) AS volatile,
               t.typtype = 'd' AND (t.typnotnull OR EXISTS (SELECT FROM pg_constraint AS o WHERE o.contypid = t.oid)) AS constrained,
               i.identity, w.fill_trigger, CASE WHEN a.attcollation <> t.typcollation
                                THEN (SELECT ARRAY[m.nspname, l.collname] FROM pg_collation AS l
                                      JOIN pg_namespace AS m ON m.oid = l.collnamespace WHERE l.oid = a.attcollation) END AS collation,
               CASE WHEN a.attstorage <> t.typstorage
                    THEN CASE a.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END END
                   AS storage,
               CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
               nullif(a.attstattarget, -1) AS statistics, {settable_options("a.attoptions")} AS attribute_options, a.attfdwoptions AS options,
               {acl_grants("coalesce(a.attacl, '{}')", "'{}'::aclitem[]", "'{}'::aclitem[]", "c.relowner")} AS grants
        FROM pg_attribute AS a
        JOIN pg_class AS c ON c.oid = a.attrelid
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_type AS t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        {named}
        LEFT JOIN LATERAL ({_sequence(server)}) AS i ON a.attidentity <> ''
        LEFT JOIN LATERAL ({_KEEPER}) AS w ON true
        LEFT JOIN LATERAL (
            SELECT x.*, pg_get_expr(y.adbin, y.adrelid) AS expression
            FROM pg_inherits AS h
            JOIN pg_attribute AS x ON x.attrelid = h.inhparent AND x.attname = a.attname AND x.attnum > 0 AND NOT x.attisdropped
            LEFT JOIN pg_attrdef AS y ON y.adrelid = x.attrelid AND y.adnum = x.attnum
            WHERE h.inhrelid = c.oid ORDER BY h.inhseqno LIMIT 1) AS p ON NOT a.attislocal
        WHERE c.relkind IN ('r', 'p', 'f') AND a.attnum > 0 AND NOT a.attisdropped AND {managed("pg_class", "c.oid", "n.nspname")}
              AND (a.attislocal OR pg_get_expr(d.adbin, d.adrelid) IS DISTINCT FROM p.expression OR {local}
                   OR a.attstorage <> p.attstorage OR a.attcompression <> p.attcompression OR coalesce(a.attstattarget, -1) <> -1
                   OR {settable_options("a.attoptions")} IS NOT NULL OR a.attfdwoptions IS NOT NULL OR a.attacl IS NOT NULL
                   OR col_description(c.oid, a.attnum) IS NOT NULL)
        ORDER BY n.nspname, c.relname, a.attnum"""


_OWED = f"""(c.oid, a.attnum) IN (
                   SELECT objoid, objsubid FROM pg_description
                   WHERE classoid = 'pg_class'::regclass AND starts_with(description, '{UNFILLED_COMMENT}'))"""
_HEIRS = """WITH RECURSIVE heirs (parent, heir) AS (
            SELECT inhparent, inhrelid FROM pg_inherits
            UNION SELECT e.parent, h.inhrelid FROM heirs AS e JOIN pg_inherits AS h ON h.inhparent = e.heir)"""
_KEEPER = f"""
        SELECT t.oid AS trigger_oid, f.oid AS function_oid, jsonb_build_object(
                   'trigger', t.tgname, 'function', f.proname, 'source', CASE t.tgenabled WHEN 'O' THEN f.prosrc ELSE '' END) AS fill_trigger
        FROM pg_trigger AS t
        JOIN pg_proc AS f ON f.oid = t.tgfoid AND f.pronamespace = c.relnamespace
        JOIN pg_depend AS g ON g.classid = 'pg_trigger'::regclass AND g.objid = t.oid
                               AND g.refclassid = 'pg_class'::regclass AND g.refobjid = c.oid AND g.refobjsubid = a.attnum
        WHERE t.tgrelid = c.oid AND t.tgparentid = 0 AND {is_fill_trigger("t", "f")}
        UNION ALL
        SELECT t.oid, f.oid, jsonb_build_object(
                   'trigger', t.tgname, 'function', f.proname, 'source', CASE t.tgenabled WHEN 'A' THEN f.prosrc ELSE '' END)
        FROM pg_trigger AS t JOIN pg_proc AS f ON f.oid = t.tgfoid AND f.pronamespace = c.relnamespace AND f.proname = a.attname
        WHERE t.tgrelid = c.oid AND {is_shadow_trigger("t", "f")} LIMIT 1"""


def _sequence(server: Server) -> str:
    """The sequence of an identity column."""
    unlogged = (
        "CASE WHEN s.relpersistence <> c.relpersistence THEN s.relpersistence = 'u' END"
        if server.has_unlogged_sequences
        else "NULL"
    )
    options = ", ".join(f"'{key}', {value}" for key, value in COLUMNS.items())
    return f"""
        SELECT s.oid, jsonb_build_object(
                   'generated', CASE a.attidentity WHEN 'a' THEN 'always' ELSE 'by default' END, 'sequence', s.relname, {options},
                   'unlogged', {unlogged},
                   'grants', {object_grants("s.relacl", "s", "s.relowner")}, 'comment', obj_description(s.oid, 'pg_class')) AS identity
        FROM pg_depend AS e
        JOIN pg_class AS s ON s.oid = e.objid AND s.relkind = 'S'
        JOIN pg_sequence AS q ON q.seqrelid = s.oid
        WHERE e.classid = 'pg_class'::regclass AND e.refclassid = 'pg_class'::regclass AND e.refobjid = c.oid
              AND e.refobjsubid = a.attnum AND e.deptype = 'i'"""
