"""PostgreSQL stores an empty comment as none, and so does a declaration."""

from __future__ import annotations

from pathlib import Path

from reconciler import pipeline
from reconciler.declare.load import load
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet

DECLARED = """
schemas: {s: {comment: ""}}
extensions: {pg_trgm: {comment: ""}}
enums: {en: {values: [a], comment: ""}}
types: {ct: {attributes: {a: {type: int, comment: ""}}, comment: ""}}
domains:
  d:
    type: int
    constraints: {c: {check: VALUE > 0, comment: ""}}
    comment: ""
sequences: {sq: {comment: ""}}
functions: {f(): {returns: int, language: sql, body: SELECT 1, comment: ""}}
tables:
  t:
    comment: ""
    columns:
      i: {type: int, comment: ""}
      j: {type: int, identity: {comment: ""}}
    constraints: {k: {unique: i, comment: "", index_comment: ""}}
    indexes: {ti: {on: j, comment: ""}}
views: {v: {query: SELECT i FROM t, comment: "", columns: {i: {comment: ""}}}}
"""
COMMENTS = """
    COMMENT ON TABLE t IS 'a';
    COMMENT ON COLUMN t.i IS 'a';
    COMMENT ON COLUMN v.i IS 'a';
    COMMENT ON COLUMN ct.a IS 'a';
    COMMENT ON CONSTRAINT c ON DOMAIN d IS 'a';
    COMMENT ON SEQUENCE t_j_seq IS 'a';
    COMMENT ON INDEX k IS 'a';"""
REMAINING = """
    SELECT string_agg(pg_describe_object(classoid, objoid, objsubid), ', ')
    FROM pg_description
    WHERE objoid >= 16384 AND objoid <> to_regclass('reconcile.run')"""  # not those of initdb


def test_an_empty_comment_is_none(database: Database, tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(DECLARED)
    declaration = load(tmp_path)
    job = Job(database.url, declaration, Scope(declaration.schemas))
    for comments in ("", COMMENTS):
        database.run(comments)
        plan = pipeline.plan_changes(job)
        done = pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), ["all"])
        assert (done.failed, done.left) == (0, ()), done
        assert pipeline.plan_changes(job).in_sync
        assert database.value(REMAINING) is None
