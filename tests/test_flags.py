"""Compare the flags of every kind with PostgreSQL: a flag that is left out or wrong fails here."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from reconciler.kinds import KINDS
from reconciler.model.context import PlanningContext
from reconciler.model.object import InlinePart, Object
from reconciler.server.capabilities import Server
from reconciler.server.connection import connect
from reconciler.server.syntax import syntax_errors
from tests.conftest import Database
from tests.test_drift import sample_of
from tests.test_fragments import declared_objects

ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=lambda k: k.kind)
SERVER = Server(180000)
ALTERED_LATER = {"access_method", "provider"}  # SET ACCESS METHOD came later; so did `builtin`
NAMESPACES = {"pg_proc": "routine", "pg_type": "type"}  # shared by several kinds


def _refused(database: Database, statements: Mapping[str, str]) -> set[str]:
    """Return the kinds whose statement PostgreSQL's grammar does not have."""
    with connect(database.url) as connection:
        return {[*statements][n] for n in syntax_errors(connection, [*statements.values()])}


def test_a_kind_can_be_renamed_if_postgres_has_a_command(database: Database) -> None:
    renamed = {k: declared_objects(k, 1)[0].renamed_to("x").sql for k in KINDS}
    assert _refused(database, renamed) == {
        k for k, c in KINDS.items() if not c.renamable or c.only_moved
    }


def test_a_kind_has_comments_if_postgres_has_a_command(database: Database) -> None:
    commented = {
        k: [s.sql for s in o.model_copy(update={"comment": "x"}).attach(None, _context())][-1]
        for k, o in ((k, declared_objects(k, 1)[0]) for k in KINDS)
    }
    assert all(sql.startswith("COMMENT ON ") for sql in commented.values())
    assert _refused(database, commented) == {k for k, c in KINDS.items() if not c.commentable}


def _context() -> PlanningContext:
    return PlanningContext(SERVER)


@ALL
def test_the_namespace_of_a_kind_is_that_of_its_catalog(kind: type[Object]) -> None:
    found = re.search(r"(pg_\w+)'::regclass", kind.catalog(SERVER).split("ARRAY[", 1)[1])
    assert found is not None
    is_part = issubclass(kind, InlinePart)
    assert kind.relation == (found[1] == "pg_class" and not is_part)
    assert kind.shared_namespace == NAMESPACES.get(found[1], "")


@ALL
def test_a_kind_with_parents_reads_them(kind: type[Object]) -> None:
    has_parent = re.search(r"\bAS on_name\b", kind.catalog(SERVER)) is not None
    assert has_parent == bool(kind.parent_kinds)


@ALL
def test_fields_have_the_first_version_of_their_alteration(kind: type[Object]) -> None:
    """A field that a test alters on newer servers only is refused on older ones."""
    altered = sample_of(kind.kind).fields
    since = {f: a.since for f, a in altered.items() if a.since > 14 and f not in ALTERED_LATER}
    declared = {kind.model_fields[f].alias or f: v for f, v in kind.first_version.items()}
    assert since == {f: v for f, v in declared.items() if f in altered}
