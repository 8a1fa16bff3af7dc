"""OPTIONS of foreign data: https://www.postgresql.org/docs/current/sql-createserver.html

Any option may hold a secret, and only wrappers know which do. So the values of well-known options
that hold none are read; of all others only the names. A value that is not read is None in the
fields, and `{secret}` in the files, for the value that the server has: it is neither compared nor
changed nor written, and stays on the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Self, cast

from psycopg import sql
from pydantic import BeforeValidator, WithJsonSchema

from reconciler.model.context import PlanningContext
from reconciler.model.object import Object
from reconciler.model.ref import Ref
from reconciler.model.spelling import Text
from reconciler.model.statement import Hazard, HazardKind, Statement
from reconciler.sql import compose, joined, literal, raw

# Options of libpq (postgres_fdw, dblink), postgres_fdw, file_fdw, oracle_fdw, mysql_fdw, tds_fdw,
# mongo_fdw, sqlite_fdw and others, each without a meaning in another wrapper that could be secret.
_SHOWN = """
    application_name authentication_database channel_binding client_encoding column_name
    connect_timeout database dbname dbserver dbuse fallback_application_name gssdelegation
    gssencmode gsslib host hostaddr keepalives keepalives_count keepalives_idle keepalives_interval
    krbsrvname
    language load_balance_hosts max_protocol_version min_protocol_version port replica_set
    replication require_auth requiressl schema schema_name servername service sslcert sslcertmode
    sslcompression sslcrl sslcrldir sslmode sslnegotiation sslrootcert sslsni
    ssl_max_protocol_version ssl_min_protocol_version ssl_ca ssl_capath ssl_cert ssl_cipher table
    table_name target_session_attrs tcp_user_timeout tds_version user username
    analyze_sampling async_capable batch_size extensions fdw_startup_cost fdw_tuple_cost fetch_size
    keep_connections parallel_abort parallel_commit password_required truncatable updatable
    use_remote_estimate use_scram_passthrough
    default delimiter dirname encoding escape filename force_not_null force_null format header
    log_verbosity null on_error quote reject_limit
    character_set collection column_type debug dialect isolation_level lob_prefetch
    match_column_names max_blob_size max_long nchar prefetch read_preference readonly reconnect
    region row_estimate_method sample_percent secure_auth set_timezone sorted sql_mode strip_zeros
    wrapper
"""
SHOWN = frozenset(_SHOWN.split())
ALL = "*"  # in place of the names, if the role that connects may not read the options

ForeignOptions = dict[str, str | None]


def _checked(options: object) -> object:
    """Read `{secret}` as None; refuse other values that would have to be hidden."""
    if not isinstance(options, Mapping):
        return options
    return {k: _checked_value(str(k), v) for k, v in cast("Mapping[Any, Any]", options).items()}


def _checked_value(option: str, value: object) -> object:
    is_secret = value in (None, {"secret": None})
    if is_secret and is_shown(option):
        raise ValueError(f"options.{option}: this value is no secret, write it as it should be")
    if isinstance(value, str) and not is_shown(option):
        raise ValueError(
            f"options.{option}: the value may be secret, so it is kept out of files: write"
            " {secret}, which keeps what ALTER … OPTIONS set on the server"
        )
    return None if is_secret else value


_SECRET = {  # `{secret}` in a file
    "type": "object",
    "properties": {
        "secret": {"type": "null", "description": "the value that ALTER … OPTIONS set is kept"}
    },
    "required": ["secret"],
    "additionalProperties": False,
}
_SCHEMA = {
    "type": "object",
    "properties": {
        name: {
            "type": ["string", "number", "boolean"],
            "description": "an option of the foreign-data wrapper",
        }
        for name in sorted(SHOWN)
    },
    "additionalProperties": _SECRET,
}
Options = Annotated[dict[str, Text | None], BeforeValidator(_checked), WithJsonSchema(_SCHEMA)]


def is_shown(option: str) -> bool:
    """Tell whether values of the option are read, shown and compared."""
    return option.lower() in SHOWN


def readable_options(options: str) -> str:
    """Return SQL for the options without hidden values; `options` is a column of `name=value`."""
    shown = ", ".join(f"'{s}'" for s in sorted(SHOWN))
    return (
        f"CASE WHEN {options} IS NOT NULL THEN"
        f" ARRAY(SELECT CASE WHEN lower(split_part(o, '=', 1)) IN ({shown}) THEN o"
        f" ELSE split_part(o, '=', 1) END FROM unnest({options}) AS o) END"
    )


def parse_options(options: Iterable[str] | None) -> ForeignOptions:
    """Parse the list of `name=value`, and of names alone for hidden values."""
    return {name: value if eq else None for name, eq, value in _parts(options or ())}


def _parts(options: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    return (option.partition("=") for option in options)


def keeping_hidden(options: ForeignOptions, live: ForeignOptions) -> ForeignOptions:
    """Return declared options with the hidden options that the live object has, and no others."""
    if ALL in options or ALL in live:
        return live
    hidden = {k: None for k, v in live.items() if v is None}
    return {k: v for k, v in options.items() if v is not None} | hidden


class HasForeignOptions(Object):
    """An object whose field `options` holds options of foreign data."""

    @property
    def hidden_options(self) -> tuple[str, ...]:
        """The names of the options with hidden values."""
        return tuple(k for k, v in _options(self).items() if v is None)

    def over(self, live: Self | None, *, with_defaults: bool = False) -> Self:
        full = super().over(live, with_defaults=with_defaults)
        if live is None:
            return full
        return full.model_copy(update={"options": keeping_hidden(_options(full), _options(live))})

    def remove(self, context: PlanningContext) -> Iterable[Statement]:
        """Drop the object; the values of hidden options are lost."""
        hidden = context.hidden_options.get(self.ref, ())
        for statement in super().remove(context):
            hazards = (*statement.hazards, *lost_options(self.ref, hidden))
            yield statement.model_copy(update={"hazards": hazards})


def _options(obj: HasForeignOptions) -> ForeignOptions:
    return obj.model_dump(include={"options"})["options"]


def lost_options(ref: Ref, hidden: Iterable[str]) -> Iterator[Hazard]:
    """Yield the hazard of dropping an object with hidden options."""
    if not hidden:
        return
    names = "all its options" if ALL in hidden else f"the values of its options {', '.join(hidden)}"
    reason = f"{ref} is dropped with {names}, which no undo brings back"
    yield Hazard(hazard=HazardKind.IRREVERSIBLE, reason=reason)


def unset_options(declared: Iterable[Object], live: Mapping[Ref, Object]) -> Iterator[str]:
    """Yield a note on each object with declared hidden values that the server does not have."""
    for obj in declared:
        if not isinstance(obj, HasForeignOptions):
            continue
        current = live.get(obj.ref)
        found = _options(current) if isinstance(current, HasForeignOptions) else {}
        unset = [k for k in obj.hidden_options if not {k, ALL} & found.keys() and k != ALL]
        if unset:
            yield (
                f"{obj.ref} has no value of {', '.join(unset)}, and the files hold none:"
                " set it with ALTER … OPTIONS (ADD …) on the server"
            )


def options_clause(options: ForeignOptions) -> sql.Composable:
    """Return ` OPTIONS (…)` of a CREATE command, or an empty text if no options are set."""
    listed = listed_options(options)
    return raw("") if listed is None else compose(" {}", listed)


def listed_options(options: ForeignOptions) -> sql.Composable | None:
    """Return `OPTIONS (…)` of a new object; None if no options are set."""
    listed = [compose("{} {}", k, literal(v)) for k, v in options.items() if v is not None]
    return compose("OPTIONS ({})", joined(listed)) if listed else None


def options_change(old: ForeignOptions, new: ForeignOptions) -> sql.Composable | None:
    """Return `OPTIONS (…)` for an ALTER command from `old` to `new`; None if equal."""
    before = {k: v for k, v in old.items() if v is not None}
    after = {k: v for k, v in new.items() if v is not None}
    actions = [compose("DROP {}", k) for k in before if k not in after]
    actions += [
        compose("{} {} {}", raw("SET" if k in before else "ADD"), k, literal(v))
        for k, v in after.items()
        if before.get(k) != v
    ]
    return compose("OPTIONS ({})", joined(actions)) if actions else None
