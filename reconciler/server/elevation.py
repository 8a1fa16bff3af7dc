"""Run statements as an ordinary role on a scratch server started by reconcile.

Declared and cloned objects are made over a connection that has logged in as the target's user, on
scratch an ordinary role: no function can `RESET` its way to more. Few commands need a superuser.
For one of these, the role becomes a superuser inside the transaction, which no other session sees,
and no longer; the command must evaluate nothing that was declared. What allows it is a key
that the administrator's connection puts down for that moment, and that no builder can read.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

from reconciler.errors import StatementFailed
from reconciler.server import base_types
from reconciler.server.connection import Connection, rows, run_sql
from reconciler.sql import compose, joined, literal, text

INSUFFICIENT_PRIVILEGE = "42501"
# an aggregate's state of type internal is refused as an invalid definition to all but superusers
INVALID_DEFINITION, UNDEFINED_FILE = "42P13", "58P01"
# Roles that TEMPLATE makes: the owner of what no builder may call in an extension, and the owner of
# all databases. All owners of objects are members of it, for objects in the schema public.
NO_ONE, OWNERS = "reconcile_no_one", "reconcile_owners"
# Roles that come with PostgreSQL and let their members do nothing but look.
HARMLESS = ("pg_monitor", "pg_read_all_settings", "pg_read_all_stats", "pg_stat_scan_tables")

_NAME = r'(?:"(?:[^"]|"")+"|[a-z_][a-z0-9_$]*)'
_QUALIFIED = rf"{_NAME}(?:\.{_NAME})*"
_OWNER = re.compile(rf" OWNER TO ({_NAME})\Z")
# Owners of these must be superusers, those of publications if they publish all tables.
_OF_SUPERUSERS = re.compile("ALTER (?:EVENT TRIGGER|FOREIGN DATA WRAPPER|PUBLICATION) ")
# Commands of which PostgreSQL evaluates nothing, whatever else they say.
_INERT = re.compile(
    r"(?:CREATE|ALTER|DROP) (?:ACCESS METHOD|CAST|EVENT TRIGGER|EXTENSION|(?:TRUSTED )?LANGUAGE"
    r"|OPERATOR|TEXT SEARCH PARSER|TEXT SEARCH TEMPLATE|TRANSFORM) |CREATE OR REPLACE TRANSFORM "
    r"|COMMENT ON (?:ACCESS METHOD|CAST|EXTENSION|TEXT SEARCH|TRANSFORM) |SECURITY LABEL "
    rf"|CREATE TYPE {_QUALIFIED}(?:\Z| \(\n    INPUT = )|ALTER TYPE {_QUALIFIED} SET \("
    r"|(?:CREATE|ALTER) PUBLICATION (?!(?s:.*) WHERE )"
    r"|CREATE FOREIGN DATA WRAPPER (?!(?s:.*) VALIDATOR )"
    r"|ALTER FOREIGN DATA WRAPPER (?!(?s:.*) OPTIONS )"
    rf"|ALTER [A-Z ]+ {_QUALIFIED}(?: ?\([^']*\))?{_OWNER.pattern}"
)
# Commands with literals, which the input function of a type reads, or for which validators run.
_ANALYSED = re.compile(
    r"(?:CREATE|CREATE OR REPLACE|ALTER) (?:FUNCTION|PROCEDURE|AGGREGATE|PUBLICATION"
    r"|FOREIGN DATA WRAPPER|SERVER|USER MAPPING) "
)
_TEMPLATE = r"""
DROP SCHEMA public;

CREATE SCHEMA pg_reconcile;

GRANT USAGE ON SCHEMA pg_reconcile TO PUBLIC;

CREATE TABLE pg_reconcile.key (secret text NOT NULL);

CREATE ROLE reconcile_no_one;

CREATE ROLE reconcile_owners;

CREATE FUNCTION pg_reconcile.is_member(catalog regclass, object oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_depend
                   WHERE classid = catalog AND objid = object AND deptype = 'e')
$$;

CREATE FUNCTION pg_reconcile.open(secret text, owners text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object record;
    silenced text[] := '{}';
BEGIN
    IF NOT EXISTS (SELECT FROM pg_reconcile.key AS k WHERE k.secret = open.secret) THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied for this function';
    END IF;
    FOR object IN SELECT unnest(owners || session_user::text) AS role LOOP
        EXECUTE format('ALTER ROLE %I SUPERUSER', object.role);
    END LOOP;
    -- What disable_event_triggers() set may have been reset since: an ordinary role may RESET ALL.
    FOR object IN SELECT oid, evtname, evtenabled FROM pg_event_trigger
                  WHERE evtenabled <> 'D' LOOP
        EXECUTE format('ALTER EVENT TRIGGER %I DISABLE', object.evtname);
        silenced := silenced || ARRAY[object.oid::text, object.evtenabled::text];
    END LOOP;
    PERFORM set_config('pg_reconcile.silenced', silenced::text, true);
END $$;

CREATE FUNCTION pg_reconcile.close(made_code boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object record;
    silenced text[] := current_setting('pg_reconcile.silenced');
BEGIN
    FOR object IN SELECT rolname FROM pg_roles WHERE rolsuper AND rolname <> current_user LOOP
        EXECUTE format('ALTER ROLE %I NOSUPERUSER', object.rolname);
    END LOOP;
    FOR object IN SELECT e.evtname, silenced[n + 1] AS mode
                  FROM generate_series(1, cardinality(silenced), 2) AS n
                  JOIN pg_event_trigger AS e ON e.oid = silenced[n]::oid
                  WHERE e.evtenabled = 'D' LOOP -- not dropped, nor enabled by the command
        EXECUTE format('ALTER EVENT TRIGGER %I ENABLE%s', object.evtname,
                       CASE object.mode WHEN 'A' THEN ' ALWAYS' WHEN 'R' THEN ' REPLICA' END);
    END LOOP;
    IF made_code THEN
        PERFORM pg_reconcile.confine_extensions();
        PERFORM pg_reconcile.confine_base_types();
        PERFORM pg_reconcile.refuse_foreign_code();
    END IF;
END $$;

-- Nobody calls what an extension reserves for superusers, or what reaches other servers and files;
-- foreign tables can be made, and not be read.
CREATE FUNCTION pg_reconcile.confine_extensions() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object record;
BEGIN
    FOR object IN SELECT p.oid::regprocedure AS routine, e.extname = 'dblink' AS reaches
                  FROM pg_depend AS d
                  JOIN pg_proc AS p ON p.oid = d.objid
                  JOIN pg_extension AS e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
                        AND d.refclassid = 'pg_extension'::regclass
                        AND p.proowner NOT IN ('reconcile_no_one'::regrole, current_user::regrole)
                        AND (e.extname = 'dblink'
                             OR NOT has_function_privilege('public', p.oid, 'EXECUTE')) LOOP
        EXECUTE format('ALTER ROUTINE %s OWNER TO reconcile_no_one', object.routine);
        IF object.reaches THEN
            EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', object.routine);
        END IF;
    END LOOP;
    FOR object IN SELECT w.fdwname, e.extname = 'file_fdw' AS asks_who_names_a_file
                  FROM pg_depend AS d
                  JOIN pg_foreign_data_wrapper AS w ON w.oid = d.objid
                  JOIN pg_extension AS e ON e.oid = d.refobjid
                  WHERE d.classid = 'pg_foreign_data_wrapper'::regclass AND d.deptype = 'e'
                        AND d.refclassid = 'pg_extension'::regclass AND w.fdwhandler <> 0 LOOP
        EXECUTE format('ALTER FOREIGN DATA WRAPPER %I NO HANDLER%s', object.fdwname,
                       CASE WHEN object.asks_who_names_a_file THEN ' NO VALIDATOR' END);
    END LOOP;
END $$;

-- A function in C or internal must be another name of one that everybody may call, and a language
-- must be PL/pgSQL under another name.
CREATE FUNCTION pg_reconcile.refuse_foreign_code() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    object text;
BEGIN
    SELECT p.oid::regprocedure INTO object
    FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND l.lanname IN ('c', 'internal') AND p.prokind <> 'a'
          AND p.pronamespace <> 'pg_reconcile'::regnamespace
          AND NOT pg_reconcile.stands_in(p.oid)
          AND NOT EXISTS (SELECT FROM pg_depend -- of an extension, or the constructor of a range
                          WHERE classid = 'pg_proc'::regclass AND objid = p.oid
                                AND deptype IN ('e', 'i'))
          AND NOT EXISTS (
              SELECT FROM pg_proc AS k
              WHERE (k.oid < 16384 OR pg_reconcile.is_member('pg_proc', k.oid))
                    AND k.prolang = p.prolang AND k.prosrc = p.prosrc
                    AND k.probin IS NOT DISTINCT FROM
                        regexp_replace(p.probin, '\.(so|dylib|dll)$', '')
                    AND has_function_privilege('public', k.oid, 'EXECUTE')
                    AND k.proretset = p.proretset
                    AND (k.prorettype = p.prorettype
                         OR p.prorettype IN ('fdw_handler'::regtype, 'void'::regtype))
                    AND starts_with(p.proargtypes::text || ' ',
                                    CASE k.pronargs WHEN 0 THEN ''
                                         ELSE k.proargtypes::text || ' ' END))
    LIMIT 1;
    IF FOUND THEN
        RAISE insufficient_privilege
            USING MESSAGE = format('%s calls native code that not everybody may call, or with other'
                                   ' types than PostgreSQL', object);
    END IF;
    SELECT l.lanname INTO object
    FROM pg_language AS l JOIN pg_proc AS h ON h.oid = l.lanplcallfoid
    WHERE l.oid >= 16384 AND h.probin !~ '^\$libdir/plpgsql(\.|$)'
          AND NOT pg_reconcile.is_member('pg_language', l.oid)
    LIMIT 1;
    IF FOUND THEN
        RAISE insufficient_privilege
            USING MESSAGE = format('language %I has another handler than that of plpgsql', object);
    END IF;
END $$;

-- Whether a command with literals may run declared code: the CHECK of a domain in a literal, an
-- operator class that compares the bounds of a range, a validator, an untrusted language
CREATE FUNCTION pg_reconcile.evaluates() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_constraint AS c
                   JOIN pg_depend AS d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
                   WHERE c.contypid <> 0
                         AND d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass))
        OR EXISTS (SELECT FROM pg_opclass AS o
                   WHERE o.oid >= 16384 AND NOT pg_reconcile.is_member('pg_opclass', o.oid))
           AND EXISTS (SELECT FROM pg_range AS r WHERE r.rngtypid >= 16384)
        OR EXISTS (SELECT FROM pg_language AS l
                   JOIN pg_proc AS h ON h.oid = l.lanplcallfoid
                   WHERE NOT l.lanpltrusted AND h.probin !~ '^\$libdir/plpgsql(\.|$)')
        OR EXISTS (SELECT FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
                   WHERE l.lanname NOT IN ('c', 'internal')
                         AND (p.proargtypes::text = '1009 26' -- text[], oid: of options
                              OR EXISTS (SELECT FROM pg_language AS v
                                         WHERE v.lanvalidator = p.oid)))
$$;

CREATE FUNCTION pg_reconcile.disable_event_triggers() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('event_triggers', true) IS NULL THEN
        PERFORM set_config('session_replication_role', 'replica', false);
    ELSE
        PERFORM set_config('event_triggers', 'off', false);
    END IF;
END $$;

-- PostgreSQL's own shows the options of other roles' mappings to superusers alone.
CREATE OR REPLACE VIEW pg_catalog.pg_user_mappings AS
    SELECT u.oid AS umid, s.oid AS srvid, s.srvname, u.umuser,
           CASE WHEN u.umuser = 0 THEN 'public' ELSE a.rolname END AS usename,
           coalesce(u.umoptions, '{}') AS umoptions
    FROM pg_catalog.pg_user_mapping AS u
    JOIN pg_catalog.pg_foreign_server AS s ON u.umserver = s.oid
    LEFT JOIN pg_catalog.pg_authid AS a ON a.oid = u.umuser;

"""
# Made in template1, by a superuser that nobody knows, before the server has run for the first time.
TEMPLATE = _TEMPLATE + base_types.TEMPLATE
EVALUATES = "SELECT pg_reconcile.evaluates()"
_MAKES_CODE = re.compile("EXTENSION|FUNCTION|PROCEDURE|LANGUAGE|TYPE")
WOULD_EVALUATE = (
    "only a superuser may execute this, and declared functions could run meanwhile; --scratch URL"
    " names a server of yours to try it out on"
)


Administrator = Callable[[], Connection]  # connects when first called
_ADMINISTRATORS: WeakKeyDictionary[Connection, Administrator] = WeakKeyDictionary()  # by builder


@base_types.explained()
def run_statement(connection: Connection, statement: str) -> None:
    """Execute one command on a scratch server; raises StatementFailed.

    What is refused to a role that is no superuser runs as a superuser, where the connection has
    one and the command may pass.
    """
    inert = _INERT.match(statement) is not None
    analysed = not inert and _ANALYSED.match(statement) is not None
    if connection not in _ADMINISTRATORS or not (inert or analysed):
        run_sql(connection, statement)
        return
    try:
        with connection.transaction():
            run_sql(connection, statement)
    except StatementFailed as error:
        if error.sqlstate not in (INSUFFICIENT_PRIVILEGE, INVALID_DEFINITION):
            raise
        _run_elevated(connection, statement, analysed=analysed, refusal=error)


def _run_elevated(
    connection: Connection, statement: str, *, analysed: bool, refusal: StatementFailed
) -> None:
    """Run a command as a superuser, or make a stand-in for native code that may not run here."""
    stand_in = base_types.stand_in_function(statement)
    if stand_in is None:
        statement = base_types.with_stand_in(connection, statement)
        return _run_as_superuser(connection, statement, analysed=analysed, refusal=refusal)
    with base_types.shells_not_made(connection):
        try:
            _run_as_superuser(connection, statement, analysed=analysed, refusal=refusal)
        except StatementFailed as error:
            if error.sqlstate not in (INSUFFICIENT_PRIVILEGE, UNDEFINED_FILE):
                raise
            try:
                _run_as_superuser(connection, stand_in, analysed=analysed, refusal=refusal)
            except StatementFailed:
                raise error from None


def _run_as_superuser(
    connection: Connection, statement: str, *, analysed: bool, refusal: StatementFailed
) -> None:
    owner = _OWNER.search(statement) if _OF_SUPERUSERS.match(statement) else None
    owners = [_unquoted(owner[1])] if owner else []
    with connection.transaction():
        if analysed and rows(connection, EVALUATES)[0]["evaluates"]:
            raise StatementFailed(
                refusal.message,
                sqlstate=refusal.sqlstate,
                detail=refusal.detail,
                hint=WOULD_EVALUATE,
                sql=statement,
            ) from refusal
        _open(connection, [o for o in owners if not o.startswith("pg_")])
        run_sql(connection, statement)
        made_code = _MAKES_CODE.search(statement) is not None
        rows(connection, "SELECT pg_reconcile.close(%s)", [made_code])


def _open(connection: Connection, owners: Sequence[str]) -> None:
    """Make the connection's role, and `owners`, superusers until `close` or the rollback."""
    administrator, key = _ADMINISTRATORS[connection](), secrets.token_urlsafe(24)
    rows(administrator, "INSERT INTO pg_reconcile.key VALUES (%s)", [key])
    try:
        rows(connection, "SELECT pg_reconcile.open(%s, %s::pg_catalog.text[])", [key, [*owners]])
    finally:
        run_sql(administrator, "DELETE FROM pg_reconcile.key")


def _unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def furnish(builder: Connection, administrator: Administrator) -> None:
    """Let a builder's connection run commands of superusers, without event triggers."""
    _ADMINISTRATORS[builder] = administrator
    run_sql(builder, "SELECT pg_reconcile.disable_event_triggers()")


def is_builder(connection: Connection) -> bool:
    """Tell whether a connection is one of a server that this program has started for itself."""
    return connection in _ADMINISTRATORS


def administrator_of(builder: Connection) -> Connection | None:
    """Return a superuser's connection to a builder's database; None where it has none."""
    return _ADMINISTRATORS[builder]() if builder in _ADMINISTRATORS else None


def add_builder(admin: Connection, roles: Iterable[str], user: str) -> str:
    """Create missing roles, make `user` a member of all possible owners; return a password.

    `user` can log in with that password, once more only after the next call, and is no superuser.
    """
    present = {r["name"] for r in rows(admin, "SELECT rolname::text AS name FROM pg_roles")}
    named = {*roles, user} - {admin.info.user, NO_ONE, OWNERS}
    for role in sorted(named - present):
        with suppress(StatementFailed):  # a role of a newer version of PostgreSQL: pg_…
            run_sql(admin, text(compose("CREATE ROLE {}", role)))
            present.add(role)
    password = secrets.token_urlsafe(24)
    login = "ALTER ROLE {} LOGIN NOSUPERUSER INHERIT PASSWORD {}"
    run_sql(admin, text(compose(login, user, literal(password))))
    run_sql(admin, text(compose("ALTER ROLE {} RESET ALL", user)))
    owners = [r for r in sorted(named & present) if r != user and _may_own(r)]
    _leave_circles(admin, user)
    run_sql(admin, text(compose("GRANT {} TO {}", joined([OWNERS, *owners]), user)))
    if ordinary := [r for r in owners if not r.startswith("pg_")]:
        run_sql(admin, text(compose("GRANT {} TO {}", OWNERS, joined(ordinary))))
    return password


def _may_own(role: str) -> bool:
    return not role.startswith("pg_") or role in HARMLESS


def _leave_circles(admin: Connection, user: str) -> None:
    """Revoke `user` from builders of earlier calls: no two roles can be members of each other."""
    members = rows(
        admin,
        "SELECT pg_get_userbyid(member)::text AS name FROM pg_auth_members"
        " WHERE pg_get_userbyid(roleid) = %s",
        [user],
    )
    for member in members:
        run_sql(admin, text(compose("REVOKE {} FROM {}", user, member["name"])))
