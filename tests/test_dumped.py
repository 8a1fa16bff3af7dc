"""Everything that pg_dump dumps is managed by a kind, or is named here with the reason."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.kinds import KINDS
from tests.conftest import Database
from tests.test_cases import need
from tests.test_drift import sample_of

# The entries of pg_dump's table of contents: the kind, or the field of kinds that holds it.
MANAGED = {
    "ACCESS METHOD": "access_method",
    "ACL": "grants",
    "AGGREGATE": "aggregate",
    "CAST": "cast",
    "CHECK CONSTRAINT": "constraint",
    "COLLATION": "collation",
    "COMMENT": "comment",
    "CONSTRAINT": "constraint",
    "CONVERSION": "conversion",
    "DEFAULT": "default",
    "DEFAULT ACL": "default_privilege",
    "DOMAIN": "domain",
    "EVENT TRIGGER": "event_trigger",
    "EXTENSION": "extension",
    "FK CONSTRAINT": "constraint",
    "FOREIGN DATA WRAPPER": "foreign_data_wrapper",
    "FOREIGN TABLE": "foreign_table",
    "FUNCTION": "function",
    "INDEX": "index",
    "INDEX ATTACH": "index",
    "MATERIALIZED VIEW": "materialized_view",
    "OPERATOR": "operator",
    "OPERATOR CLASS": "operator_class",
    "OPERATOR FAMILY": "operator_family",
    "POLICY": "policy",
    "PROCEDURAL LANGUAGE": "language",
    "PROCEDURE": "procedure",
    "PUBLICATION": "publication",
    "PUBLICATION TABLE": "publication",
    "PUBLICATION TABLES IN SCHEMA": "publication",
    "ROW SECURITY": "row_level_security",
    "RULE": "rule",
    "SCHEMA": "schema",
    "SECURITY LABEL": "security_label",
    "SEQUENCE": "sequence",
    "SEQUENCE OWNED BY": "owned_by",
    "SERVER": "foreign_server",
    "SHELL TYPE": "base_type",
    "STATISTICS": "statistics",
    "SUBSCRIPTION": "subscription",
    "TABLE": "table",
    "TABLE ATTACH": "partition_of",
    "TEXT SEARCH CONFIGURATION": "text_search_configuration",
    "TEXT SEARCH DICTIONARY": "text_search_dictionary",
    "TEXT SEARCH PARSER": "text_search_parser",
    "TEXT SEARCH TEMPLATE": "text_search_template",
    "TRANSFORM": "transform",
    "TRIGGER": "trigger",
    "TYPE": "composite_type",
    "USER MAPPING": "user_mapping",
    "VIEW": "view",
}
NOT_MANAGED = {
    "BLOB METADATA": "rows of users; those with privileges are named as not managed",
    "BLOBS": "rows of users",
    "MATERIALIZED VIEW DATA": "rows of users",
    "SEQUENCE SET": "rows of users",
    "TABLE DATA": "rows of users",
}
# Dumped entries of which no sample of tests/drift has one.
FURTHER = """
    CREATE TABLE public.numbered (id serial, part int) PARTITION BY LIST (part);
    CREATE TABLE public.numbered_1 PARTITION OF public.numbered FOR VALUES IN (1);
    CREATE INDEX ON public.numbered (part);
    ALTER TABLE public.numbered_1 ADD CHECK (part > 0) NOT VALID;
    ALTER TABLE public.numbered ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON public.numbered TO PUBLIC;
    CREATE PUBLICATION whole FOR TABLES IN SCHEMA public;
    SELECT lo_create(1234567);
"""
_DESCRIPTIONS = sorted({*MANAGED, *NOT_MANAGED}, key=len, reverse=True)


def entries(database: Database, folder: Path) -> set[str]:
    """Return the descriptions in pg_dump's table of contents, such as FK CONSTRAINT."""
    dump = folder / "dump"
    command = [database.tools / "pg_dump", "-Fc", "-f", dump]
    subprocess.run([*command, "-d", database.url], check=True)
    listed = subprocess.run(
        [database.tools / "pg_restore", "-l", dump], check=True, text=True, capture_output=True
    ).stdout
    found = re.findall(r"^\d+; \d+ \d+ (.*)", listed, re.MULTILINE)
    return {next((d for d in _DESCRIPTIONS if f.startswith(f"{d} ")), f) for f in found}


def test_every_entry_of_the_table_of_contents_is_known(
    new_database: Callable[..., Database], tmp_path: Path
) -> None:
    seen = set[str]()
    for kind in KINDS:
        sample = sample_of(kind)
        try:
            need(sample.flags, 18)
        except pytest.skip.Exception:
            continue
        seen |= entries(new_database(sample.before), tmp_path)
    seen |= entries(new_database(FURTHER), tmp_path)
    assert seen <= {*MANAGED, *NOT_MANAGED}
    assert {*MANAGED, *NOT_MANAGED} - seen <= {"SECURITY LABEL"}  # it needs a provider


def test_what_is_managed_is_a_kind_or_a_field_of_one() -> None:
    fields = {f for kind in KINDS.values() for f in kind.model_fields}
    assert {*MANAGED.values()} <= {*KINDS, *fields}
