"""Rules about functions."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.database import Database
from reconciler.lint.facts import PUBLIC, Routine, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.words import words

ANONYMOUS = "anon"  # the role of requests without a user
_TRIGGERS = (2279, 3838)  # trigger and event_trigger: nobody can call such functions
_COMPILED = {"c", "internal"}  # languages whose routines have no text with names
_IDENTITY = {"current_user", "session_user", "current_setting", "user"}
_PERSON = {"user", "person", "member", "owner", "account", "profile", "customer", "uid", "actor"}


def _callable(db: Database) -> Iterator[Routine]:
    """Yield the functions that can be called by name."""
    return (r for r in db.routines.values() if r.returns not in _TRIGGERS)


def _path(routine: Routine) -> str:
    return f"ALTER {routine.sql} SET search_path = pg_catalog, {quoted(routine.schema)}, pg_temp;"


@rule(
    "definer-without-search-path",
    "error",
    """Such a function runs with its owner's rights, and looks names up on the caller's
    search_path: who may create a table or function in a schema of that path decides what the owner
    executes.""",
    "0011 function_search_path_mutable",
)
def definer_without_search_path(db: Database) -> Iterator[Found]:
    """Find a SECURITY DEFINER function without a fixed search_path."""
    for routine in db.routines.values():
        if routine.is_definer and not routine.fixes_search_path:
            yield Found(
                ("pg_proc", routine.oid, 0),
                "runs with its owner's rights on the search_path of whoever calls it",
                _path(routine),
                "security",
            )


@rule(
    "function-without-search-path",
    "note",
    """The same function reads other tables in a session with another search_path, in pg_restore,
    and in VACUUM, which empties the path. A function in SQL with SET is not inlined: leave the rule
    off where that matters, or write a SQL-standard body, whose names are resolved when it is
    created.""",
    "0011 function_search_path_mutable",
)
def function_without_search_path(db: Database) -> Iterator[Found]:
    """Find a function whose names mean what the caller's search_path says."""
    for routine in db.routines.values():
        is_text = routine.language not in _COMPILED and routine.tree is None
        if is_text and not routine.is_definer and not routine.fixes_search_path:
            yield Found(
                ("pg_proc", routine.oid, 0),
                "has no fixed search_path, so its names depend on the session",
                _path(routine),
            )


@rule(
    "definer-executable-by-public",
    "error",
    """PostgreSQL grants EXECUTE on new functions to PUBLIC. A SECURITY DEFINER function bypasses
    row level security for whoever calls it, visitors without an account included: of the original
    design, one tenant could list the domains of another.""",
    "0028 anon_security_definer_function_executable",
)
def definer_executable_by_public(db: Database) -> Iterator[Found]:
    """Find a SECURITY DEFINER function that everybody may execute."""
    for routine in _callable(db):
        callers = sorted(routine.callers & {PUBLIC, ANONYMOUS})
        if routine.is_definer and callers:
            roles = ", ".join(quoted(r) if r else "PUBLIC" for r in callers)
            yield Found(
                ("pg_proc", routine.oid, 0),
                f"bypasses row level security, and {roles} may execute it",
                f"REVOKE EXECUTE ON {routine.sql} FROM {roles};",
                "grants",
            )


@rule(
    "definer-executable-by-api-role",
    "note",
    """Where requests may call functions by name, this one answers with its owner's rights. A
    policy needs the privilege, because its functions run as the user of the query: then the
    function must check by itself what it tells to whom, and a reason in the file says that it
    does.""",
    "0029 authenticated_security_definer_function_executable",
)
def definer_executable_by_api_role(db: Database) -> Iterator[Found]:
    """Find a SECURITY DEFINER function that a role of requests may execute."""
    for routine in _callable(db):
        roles = db.exposed(routine.callers - {PUBLIC}, routine.schema)
        roles = [quoted(r) for r in roles if r != ANONYMOUS]
        if routine.is_definer and roles:
            yield Found(
                ("pg_proc", routine.oid, 0),
                f"bypasses row level security, and {', '.join(roles)} may call it by name",
                f"REVOKE EXECUTE ON {routine.sql} FROM {', '.join(roles)};",
                "grants",
            )


@rule(
    "definer-trusts-argument",
    "warning",
    """Such a function takes the id of a person, bypasses row level security, and never compares the
    id with the caller's: anyone who may execute it may ask about anyone. Compare it with the
    caller, or drop the argument.""",
)
def definer_trusts_argument(db: Database) -> Iterator[Found]:
    """Find a SECURITY DEFINER function that answers about any person it is asked about."""
    identities = _IDENTITY | {r.name for r in db.routines.values() if _reads_caller(r)}
    public = {PUBLIC, *db.api_roles}
    for routine in _callable(db):
        persons = _persons(routine) if routine.is_definer and routine.callers & public else []
        if persons and not routine.tree and not words(routine.body) & identities:
            roles = ", ".join(["PUBLIC", *map(quoted, db.api_roles)])
            yield Found(
                ("pg_proc", routine.oid, 0),
                f"bypasses row level security for the {persons[0]} it is given, whoever calls it",
                f"REVOKE EXECUTE ON {routine.sql} FROM {roles};",
                "body",
            )


def _persons(routine: Routine) -> list[str]:
    """Return the arguments that are named like the key of a person."""
    names = routine.names if routine.takes_only else routine.names[: len(routine.types)]
    return [name for name in names if _PERSON & {*name.lower().split("_")}]


def _reads_caller(routine: Routine) -> bool:
    """Tell whether a function without arguments tells who calls."""
    no_arguments = not routine.types and not routine.returns_set
    return no_arguments and bool(words(routine.body) & _IDENTITY)
