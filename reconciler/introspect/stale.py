"""Find functions whose bodies do not compile, as before an export.

PostgreSQL's validators parse and analyse a body without running it. Still, reading a literal of a
composite type or a range may run a domain's CHECK or the code of an operator class: where such a
thing exists, and for functions of other owners, nothing is looked at.
"""

from __future__ import annotations

from reconciler.introspect.introspect import Snapshot
from reconciler.model.ref import Ref
from reconciler.model.reserved_names import SETTING_PREFIX
from reconciler.server.connection import Connection, fix_parameters, rows, run_sql, translated
from reconciler.sql import compose, literal, text

_FOUND = f"{SETTING_PREFIX}stale"  # the setting, local to the transaction, with messages as JSON
_RUNS_CODE = """
    SELECT EXISTS (SELECT FROM pg_constraint AS c
                   JOIN pg_depend AS d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
                   WHERE c.contypid <> 0
                         AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))
           OR EXISTS (SELECT FROM pg_range AS r JOIN pg_opclass AS o ON o.oid = r.rngsubopc
                      WHERE o.oid >= 16384) AS found"""
# A subtransaction for each function, which also resets search_path after a failure.
_BLOCK = """DECLARE
  f record;
  found pg_catalog.jsonb := '{{}}';
BEGIN
  FOR f IN
    SELECT p.oid, p.oid::pg_catalog.text AS number, l.lanname = 'sql' AS is_sql,
           coalesce((SELECT pg_catalog.substr(s.line, 13) FROM pg_catalog.unnest(p.proconfig)
                     AS s (line) WHERE s.line LIKE 'search_path=%'), {path}) AS path
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    JOIN pg_catalog.pg_roles AS r ON r.oid = p.proowner
    WHERE l.lanname IN ('sql', 'plpgsql') AND p.prosqlbody IS NULL AND p.oid >= 16384
          AND (r.rolsuper OR r.rolname = current_user)
          AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                          WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                                AND d.objid = p.oid AND d.deptype = 'e')
  LOOP
    CONTINUE WHEN f.path IS NULL;
    BEGIN
      PERFORM pg_catalog.set_config('check_function_bodies', 'on', true);
      PERFORM pg_catalog.set_config('search_path', f.path, true);
      IF f.is_sql THEN
        PERFORM pg_catalog.fmgr_sql_validator(f.oid);
      ELSE
        PERFORM pg_catalog.plpgsql_validator(f.oid);
      END IF;
    EXCEPTION WHEN insufficient_privilege THEN
      NULL;
    WHEN OTHERS THEN
      found := found OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(f.number, SQLERRM);
    END;
  END LOOP;
  PERFORM pg_catalog.set_config({setting}, found::pg_catalog.text, true);
END"""


def stale_bodies(connection: Connection, live: Snapshot) -> dict[Ref, str]:
    """Return PostgreSQL's messages about the bodies that do not compile.

    Without a search_path of its own, a body is looked at on the default one, if others cannot
    create objects there.
    """
    path = live.context.default_path
    block = compose(
        _BLOCK,
        path=literal(path.setting if path.is_closed else None),
        setting=literal(_FOUND),
    )
    routine = rows(connection, "SELECT 'pg_proc'::regclass::oid::int8 AS catalog")[0]["catalog"]
    with translated(), connection.transaction(force_rollback=True):
        fix_parameters(connection)
        run_sql(connection, "SET TRANSACTION READ ONLY")
        if rows(connection, _RUNS_CODE)[0]["found"]:
            return {}
        run_sql(connection, f"DO {text(literal(text(block)))}")
        fix_parameters(connection)
        found = rows(connection, f"SELECT current_setting('{_FOUND}')::jsonb AS found")[0]["found"]
    addresses = ((live.addresses.get((routine, int(oid), 0)), why) for oid, why in found.items())
    return {ref: why for ref, why in addresses if ref is not None}
