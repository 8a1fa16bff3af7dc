"""Take a fingerprint of the system catalogs and of all settings of a read, in one query.

A row of a catalog is changed by a new version, which has another `ctid` or another `xmin`, and
freezing keeps `xmin`. PostgreSQL changes in place only what no kind reads: estimates, the age of
relations, and hints such as `relhasindex`.
https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from reconciler.server.capabilities import Server
from reconciler.server.connection import Connection, fix_parameters, rows, server_of

# Catalogs of which every row counts.
CATALOGS = (
    *("pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_auth_members", "pg_cast"),
    *("pg_class", "pg_collation", "pg_constraint", "pg_conversion", "pg_default_acl", "pg_depend"),
    *("pg_description", "pg_enum", "pg_event_trigger", "pg_extension", "pg_foreign_data_wrapper"),
    *("pg_foreign_server", "pg_foreign_table", "pg_index", "pg_inherits", "pg_init_privs"),
    *("pg_language", "pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily"),
    *("pg_partitioned_table", "pg_policy", "pg_proc", "pg_publication", "pg_publication_rel"),
    *("pg_range", "pg_rewrite", "pg_seclabel", "pg_sequence", "pg_shdescription", "pg_shseclabel"),
    *("pg_statistic_ext", "pg_tablespace", "pg_transform", "pg_trigger", "pg_ts_config"),
    *("pg_ts_config_map", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type"),
    "pg_subscription_rel",
)
SINCE_15 = ("pg_parameter_acl", "pg_publication_namespace")
# Catalogs of which some rows count: a condition.
PARTS = {
    "pg_attribute": "attnum > 0",
    "pg_database": "datname = current_database()",
    "pg_db_role_setting": """
        setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))""",
    "pg_largeobject_metadata": "lomacl IS NOT NULL",
}
# Catalogs that only superusers read, by what everybody sees of them.
VISIBLE = {
    "pg_authid": "SELECT r::text FROM pg_roles AS r",
    "pg_subscription": "SELECT ROW({columns})::text FROM pg_subscription",
}
# All columns but the connection string, and what the server itself notes down, by version.
_OF_SUBSCRIPTIONS = {
    14: "oid, subdbid, subname, subowner, subenabled, subpublications, subbinary, substream,"
    " subslotname, subsynccommit",
    15: "subtwophasestate, subdisableonerr",
    16: "subpasswordrequired, subrunasowner, suborigin",
    17: "subfailover",
}
# Catalogs that no query for a plan without a step reads, and why.
IGNORED = {
    "pg_largeobject": "rows of users",
    "pg_replication_origin": "progress of replication",
    "pg_shdepend": "what the other catalogs say already, for all databases",
    "pg_statistic": "estimates",
    "pg_statistic_ext_data": "estimates",
    "pg_user_mapping": "it holds passwords; a database with a user mapping has no fingerprint",
}
_ROWS = "SELECT '{0}', count(*), bit_xor(hash_record_extended(ROW(ctid, xmin), 0)) FROM {0}{1}"
_VISIBLE = "SELECT '{0}', count(*), bit_xor(hashtextextended(v::text, 0)) FROM ({1}) AS v"
# What is in no catalog. The files of extensions matter to who has one.
_BESIDE = {
    "settings": "SELECT s::text FROM pg_settings AS s",
    "available extensions": """
        SELECT e::text FROM pg_available_extensions AS e
        WHERE EXISTS (SELECT FROM pg_extension WHERE extname <> 'plpgsql')""",
}
_FACTS = """
    SELECT concat_ws(' ', version(), current_user, session_user, current_database(),
                     (SELECT system_identifier FROM pg_control_system()),
                     (SELECT timeline_id FROM pg_control_checkpoint()),
                     pg_postmaster_start_time(), pg_is_in_recovery(),
                     (SELECT string_agg(pid::text, ' ' ORDER BY pid) FROM pg_stat_get_activity(NULL)
                      WHERE datid IS NULL AND usesysid IS NULL)) AS facts,
           EXISTS (SELECT FROM pg_user_mappings) AS is_secret,
           pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS transaction,
           (SELECT string_agg(c::text, ' ' ORDER BY c.catalog)
            FROM ({counts}) AS c(catalog, count, hash)) AS rows"""
# A number of a transaction is used again after 2^32 others.
MAX_TRANSACTIONS = 1 << 31
_SETTINGS = {"lock_timeout": "10s", "jit": "off"}


@dataclass(frozen=True)
class CatalogFingerprint:
    """A fingerprint, and the number of the next transaction at that time."""

    digest: str
    transaction: int

    def is_same(self, later: CatalogFingerprint) -> bool:
        """Tell whether a later fingerprint proves the catalogs unchanged."""
        passed = later.transaction - self.transaction
        return self.digest == later.digest and 0 <= passed < MAX_TRANSACTIONS


def counts_of(server: Server) -> dict[str, str]:
    """Return a query for the number and the versions of the rows of each catalog."""
    catalogs = (*CATALOGS, *(SINCE_15 if server.has_publication_details else ()))
    columns = ", ".join(c for since, c in _OF_SUBSCRIPTIONS.items() if since <= server.major)
    return {
        **{c: _ROWS.format(c, "") for c in catalogs},
        **{c: _ROWS.format(c, f" WHERE {condition}") for c, condition in PARTS.items()},
        **{c: _VISIBLE.format(c, query.format(columns=columns)) for c, query in VISIBLE.items()},
        **{what: _VISIBLE.format(what, query) for what, query in _BESIDE.items()},
    }


def catalog_fingerprint(connection: Connection) -> CatalogFingerprint | None:
    """Return the fingerprint of the database, and of the reading role and settings.

    None where the rows that decide cannot be seen. Raises StatementFailed.

    The start of the server and the processes of its own are part of it: a server that was set back
    to an earlier state, or lost the last transactions in a crash, gives their numbers to others.
    """
    counts = " UNION ALL ".join(counts_of(server_of(connection)).values())
    with connection.transaction():
        fix_parameters(connection, _SETTINGS)
        (found,) = rows(connection, _FACTS.format(counts=counts))
    if found["is_secret"]:
        return None
    digest = sha256(f"{found['facts']}\n{found['rows']}".encode()).hexdigest()
    return CatalogFingerprint(digest, found["transaction"])
