"""Name the differences between server versions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.errors import Unsupported


@dataclass(frozen=True)
class Server:
    """A server's version and capabilities; one property for each difference between versions.

    `version` is server_version_num: 180004 is 18.4. With `stands_for`, a major version, the
    server has only the capabilities of that older version.
    """

    version: int
    stands_for: int | None = None

    @property
    def major(self) -> int:
        """The major version, such as 18, by capabilities."""
        return self.stands_for or self._catalogs

    @property
    def _catalogs(self) -> int:
        """The major version by the layout of its catalogs."""
        return self.version // 10000

    def standing_for(self, other: Server) -> Server:
        """Return this server with the capabilities of the older of both."""
        return replace(self, stands_for=min(self.major, other.major))

    @property
    def has_security_invoker(self) -> bool:
        """Views with the privileges of the querying role (15)."""
        return self.major >= 15

    @property
    def has_two_phase_subscriptions(self) -> bool:
        """Subscriptions with two_phase and disable_on_error (15)."""
        return self.major >= 15

    @property
    def has_parallel_subscriptions(self) -> bool:
        """Subscriptions with streaming = parallel, origin and passwords that are required (16)."""
        return self.major >= 16

    @property
    def has_failover_subscriptions(self) -> bool:
        """Subscriptions whose slots are kept on standbys of the publisher (17)."""
        return self.major >= 17

    @property
    def has_copy_strategies(self) -> bool:
        """CREATE DATABASE … STRATEGY (15)."""
        return self._catalogs >= 15

    @property
    def has_not_null_constraints(self) -> bool:
        """NOT NULL as a constraint with a name, which may be NOT VALID (18)."""
        return self.major >= 18

    @property
    def event_triggers_off(self) -> str:
        """Arguments of set_config that disable event triggers (17), or most of them."""
        return (
            "'event_triggers', 'off'"
            if self.major >= 17
            else "'session_replication_role', 'replica'"
        )

    @property
    def may_set(self) -> str:
        """SQL true if the role may set a superuser-only parameter; {} is the parameter's name."""
        return (
            "has_parameter_privilege({}, 'SET')"
            if self.major >= 15
            else "current_setting('is_superuser')::boolean"
        )

    @property
    def has_transaction_timeout(self) -> bool:
        """The parameter transaction_timeout (17)."""
        return self.major >= 17

    @property
    def has_statistics_flush(self) -> bool:
        """The function pg_stat_force_next_flush (15)."""
        return self._catalogs >= 15

    @property
    def has_safe_maintenance(self) -> bool:
        """Index builds and REFRESH on a search_path of PostgreSQL's own (17)."""
        return self.major >= 17

    @property
    def has_nulls_not_distinct(self) -> bool:
        """UNIQUE NULLS NOT DISTINCT (15)."""
        return self.major >= 15

    @property
    def has_plain_not_valid_everywhere(self) -> bool:
        """Foreign keys NOT VALID on partitioned tables (18)."""
        return self.major >= 18

    @property
    def has_publication_details(self) -> bool:
        """Publications of schemas, column lists and row filters (15)."""
        return self.major >= 15

    @property
    def has_published_generated_columns(self) -> bool:
        """Publications of generated columns (18)."""
        return self.major >= 18

    @property
    def has_maintain(self) -> bool:
        """The privilege MAINTAIN on tables (17)."""
        return self.major >= 17

    @property
    def has_unlogged_sequences(self) -> bool:
        """UNLOGGED sequences (15)."""
        return self.major >= 15

    @property
    def has_input_check(self) -> bool:
        """The function pg_input_is_valid (16)."""
        return self.major >= 16

    @property
    def has_membership_options(self) -> bool:
        """Memberships in roles with INHERIT, SET and a grantor, CREATEROLE with less power (16)."""
        return self.major >= 16

    @property
    def has_parameter_privileges(self) -> bool:
        """GRANT SET ON PARAMETER (15)."""
        return self.major >= 15

    @property
    def has_default_storage(self) -> bool:
        """SET STORAGE DEFAULT (16)."""
        return self.major >= 16

    @property
    def has_set_expression(self) -> bool:
        """ALTER COLUMN … SET EXPRESSION of stored generated columns (17)."""
        return self.major >= 17

    @property
    def has_virtual_columns(self) -> bool:
        """Virtual generated columns (18)."""
        return self.major >= 18

    @property
    def has_set_access_method(self) -> bool:
        """ALTER TABLE … SET ACCESS METHOD (15)."""
        return self.major >= 15

    @property
    def has_temporal_keys(self) -> bool:
        """WITHOUT OVERLAPS, PERIOD and NOT ENFORCED (18)."""
        return self.major >= 18

    @property
    def has_set_null_columns(self) -> bool:
        """ON DELETE SET NULL (columns) (15)."""
        return self.major >= 15

    @property
    def has_domain_not_null_constraints(self) -> bool:
        """NOT NULL of domains as a constraint with a name (17)."""
        return self.major >= 17

    @property
    def has_collation_rules(self) -> bool:
        """ICU collations with custom rules (16)."""
        return self.major >= 16

    @property
    def collation_locale(self) -> str:
        """The column of pg_collation with the ICU locale (15; renamed in 17); "" before 15."""
        if self._catalogs >= 17:
            return "c.colllocale"
        return "c.colliculocale" if self._catalogs >= 15 else ""

    def require(self, capable: bool, feature: str, since: int) -> None:
        """Raise Unsupported unless `capable`."""
        if not capable:
            raise Unsupported(f"{feature} needs PostgreSQL {since}; this server is {self.major}")
