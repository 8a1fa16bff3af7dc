"""Name what differs between server versions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from reconciler.errors import Unsupported


@dataclass(frozen=True)
class Server:
    """A server's version and what it can do; one property for each gate.

    `version` is `server_version_num`: 180004 is 18.4. One that stands for an older server has no more features than that.
    """

    version: int
    stands_for: int | None = None

    @property
    def major(self) -> int:
        """The major version, 18, by its features."""
        return self.stands_for or self._catalogs

    @property
    def _catalogs(self) -> int:
        """The major version by the layout of its catalogs."""
        return self.version // 10000

    def standing_for(self, other: Server) -> Server:
        """The same server, as the older one would see what it holds."""
        return replace(self, stands_for=min(self.major, other.major))

    @property
    def has_security_invoker(self) -> bool:
        """Views that read as the one who asks (15)."""
        return self.major >= 15

    @property
    def has_not_null_constraints(self) -> bool:
        """NOT NULL as a constraint that can be NOT VALID (18)."""
        return self.major >= 18

    @property
    def silence(self) -> str:
        """The setting, and its value, with which no event trigger fires (17), or few do."""
        return (
            "'event_triggers', 'off'"
            if self.major >= 17
            else "'session_replication_role', 'replica'"
        )

    @property
    def may_set(self) -> str:
        """Whether the role may set a parameter that is not for everybody, as SQL over its name."""
        return (
            "has_parameter_privilege({}, 'SET')"
            if self.major >= 15
            else "current_setting('is_superuser')::boolean"
        )

    @property
    def has_transaction_timeout(self) -> bool:
        """transaction_timeout, which would end long steps too (17)."""
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
        """Publications of schemas, with column lists and row filters (15)."""
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
        """Sequences that begin anew after a crash (15)."""
        return self.major >= 15

    @property
    def has_default_storage(self) -> bool:
        """SET STORAGE DEFAULT (16)."""
        return self.major >= 16

    @property
    def has_set_expression(self) -> bool:
        """Another expression for a stored generated column (17)."""
        return self.major >= 17

    @property
    def has_virtual_columns(self) -> bool:
        """Generated columns that are computed when read (18)."""
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
        """NOT NULL of a domain as a constraint with a name (17)."""
        return self.major >= 17

    @property
    def has_collation_rules(self) -> bool:
        """ICU collations with rules of their own (16)."""
        return self.major >= 16

    @property
    def collation_locale(self) -> str:
        """The column that holds the locale of an ICU collation (15; renamed in 17), before that it is no column of its own."""
        return (
            "c.colllocale"
            if self._catalogs >= 17
            else "c.colliculocale"
            if self._catalogs >= 15
            else ""
        )

    def require(self, capable: bool, feature: str, since: int) -> None:
        """Raise Unsupported unless `capable`."""
        if not capable:
            raise Unsupported(f"{feature} needs PostgreSQL {since}; this server is {self.major}")
