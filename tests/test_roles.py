"""Test roles: what is declared of them, their passwords, and databases that share them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import conninfo

from reconciler import pipeline
from reconciler.checks.access import USER
from reconciler.cli import main
from reconciler.declare.load import load
from reconciler.errors import DeclarationError, PlanRefused
from reconciler.journal.ownership import DEFAULT_PLACE
from reconciler.model.state import Scope
from reconciler.pipeline import Job
from reconciler.plan.plan import Plan
from reconciler.report import sql, text
from reconciler.server.locks import LockPolicy
from tests.conftest import Database
from tests.test_cases import quiet
from tests.test_execute import RecordingWatcher

VARIABLE = "RECONCILE_ROLE_APP"
NewDatabase = Callable[..., Database]


@pytest.fixture
def database(prefix: str, new_database: NewDatabase, each_major: int) -> Database:
    """Return an empty database of the major version, on a server without roles of the prefix."""
    del prefix
    return new_database(major=each_major)


def job_of(database: Database, declared: str, folder: Path, url: str = "") -> Job:
    folder.mkdir(exist_ok=True)
    (folder / "state.yml").write_text(declared)
    declaration = load(folder)
    return Job(url or database.url, declaration, Scope(declaration.schemas))


def apply(job: Job, allow: tuple[str, ...] = ("all",)) -> Plan:
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, job.target, quiet(), LockPolicy(), [*allow])
    assert (outcome.failed, outcome.skipped, outcome.left) == (0, 0, ())
    assert pipeline.plan_changes(job).in_sync
    return plan


def dumped(database: Database, prefix: str) -> list[str]:
    """Return pg_dumpall's lines about the test's roles, sorted, without passwords."""
    command = [database.tools / "pg_dumpall", "--roles-only", "--no-role-passwords"]
    done = subprocess.run(
        [*command, "-d", database.url], text=True, capture_output=True, check=True
    )
    others = f" TO {USER} "  # other tests make the user of checks a member of every role
    return sorted(x for x in done.stdout.splitlines() if prefix in x and others not in x)


COMPLETE = """
roles:
  {p}readers: {{}}
  {p}writers: {{inherit: false}}
  {p}app:
    login: true
    createdb: true
    connection_limit: 7
    valid_until: 2031-02-03 04:05+00
    member_of: [{p}readers, {{role: {p}writers, admin: true}}]
    set: {{statement_timeout: 5s, search_path: [a, '"B"']}}
    comment: it's an app
"""
BY_HAND = """
CREATE ROLE {p}readers;
CREATE ROLE {p}writers NOINHERIT;
CREATE ROLE {p}app LOGIN CREATEDB CONNECTION LIMIT 7 VALID UNTIL '2031-02-03 04:05+00';
GRANT {p}readers TO {p}app;
GRANT {p}writers TO {p}app WITH ADMIN OPTION;
ALTER ROLE {p}app SET statement_timeout = '5s';
ALTER ROLE {p}app SET search_path = a, "B";
COMMENT ON ROLE {p}app IS 'it''s an app';
"""
OTHERWISE = """
CREATE ROLE {p}readers;
CREATE ROLE {p}others;
CREATE ROLE {p}app SUPERUSER NOINHERIT CONNECTION LIMIT 3 VALID UNTIL '2001-01-01 00:00+00';
GRANT {p}others TO {p}app;
GRANT {p}readers TO {p}app WITH ADMIN OPTION;
ALTER ROLE {p}app SET work_mem = '5MB';
"""


def by_hand(database: Database, prefix: str) -> list[str]:
    """Return what pg_dumpall says of roles made by hand, and drop them."""
    database.run(BY_HAND.format(p=prefix))
    found = dumped(database, prefix)
    database.run("; ".join(f"DROP ROLE {prefix}{r}" for r in ("app", "readers", "writers")))
    return found


def test_roles_from_nothing_equal_those_made_by_hand(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    database = new_database(major=each_major)
    expected = by_hand(database, prefix)
    apply(job_of(database, COMPLETE.format(p=prefix), tmp_path))
    assert dumped(database, prefix) == expected


def test_roles_from_another_state_equal_those_made_by_hand(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    database = new_database(major=each_major)
    expected = by_hand(database, prefix)
    database.run(OTHERWISE.format(p=prefix))
    declared = COMPLETE.format(p=prefix)
    apply(job_of(database, f"{declared}  {prefix}others: {{state: absent}}\n", tmp_path))
    assert dumped(database, prefix) == expected


def test_what_is_left_out_stays(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    database = new_database(major=each_major)
    database.run(BY_HAND.format(p=prefix))
    before = dumped(database, prefix)
    declared = "login: true, createdb: true, connection_limit: 7, valid_until: 2031-02-03 04:05Z"
    job = job_of(database, f"roles: {{{prefix}app: {{{declared}}}}}", tmp_path)
    assert pipeline.plan_changes(job).in_sync
    apply(job_of(database, f"roles: {{{prefix}app: {{{declared}, comment: x}}}}", tmp_path))
    assert [line.replace("'x'", "'it''s an app'") for line in dumped(database, prefix)] == before


# -- passwords -------------------------------------------------------------------------------------


def test_a_password_is_sent_as_a_verifier_and_shown_nowhere(
    prefix: str,
    new_database: NewDatabase,
    each_major: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database, password = new_database(major=each_major), "open sesame'\\é"
    monkeypatch.setenv(VARIABLE, password)
    declared = f"roles: {{{prefix}app: {{login: true, password: {{env: {VARIABLE}}}}}}}"
    job, watcher = job_of(database, declared, tmp_path), RecordingWatcher()
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, database.url, watcher, LockPolicy(), [])
    assert (outcome.failed, outcome.left) == (0, ())
    query = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{prefix}app'"
    verifier = str(database.value(query))
    assert _fits(verifier, password)
    journal = "SELECT string_agg(t::text, ' ') FROM reconcile.{} AS t"
    shown = [plan.model_dump_json(), str(text.plan(plan)), str(sql.plan(plan))]
    shown += [str(database.value(journal.format(t))) for t in ("run", "step", "touched")]
    shown += [str(watcher.__dict__)]
    assert not [s for s in shown if "sesame" in s or verifier in s]
    monkeypatch.setenv(VARIABLE, "another")
    assert pipeline.plan_changes(job).in_sync  # it is neither read nor set again


def _fits(verifier: str, password: str) -> bool:
    """Check a verifier as RFC 5803 describes it."""
    head, iterations, salt, stored, _ = verifier.replace("$", ":").split(":")
    salted = hashlib.pbkdf2_hmac(
        "sha256", password.encode(), base64.b64decode(salt), int(iterations)
    )
    client = hmac.new(salted, b"Client Key", "sha256").digest()
    return head == "SCRAM-SHA-256" and base64.b64decode(stored) == hashlib.sha256(client).digest()


@pytest.mark.parametrize(
    ("value", "said"),
    [("", "is not set: it holds a password"), ("md5" + "a" * 32, "holds an MD5 hash")],
)
def test_an_unusable_password_is_refused_before_the_first_step(
    value: str,
    said: str,
    prefix: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    job = job_of(database, f"roles: {{{prefix}a: {{password: {{env: {VARIABLE}}}}}}}", tmp_path)
    plan = pipeline.plan_changes(job)
    with pytest.raises(PlanRefused, match=said):
        pipeline.apply_plan(plan, job, database.url, quiet(), LockPolicy(), [])
    assert not dumped(database, prefix)


def test_a_verifier_is_sent_as_it_is(
    prefix: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verifier = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + ":".join(["A" * 43 + "="] * 2)
    monkeypatch.setenv(VARIABLE, verifier)
    apply(job_of(database, f"roles: {{{prefix}a: {{password: {{env: {VARIABLE}}}}}}}", tmp_path))
    found = database.value(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{prefix}a'")
    assert found == verifier


# -- declarations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ("pg_reader: {}", "predefined role"),
        ("public: {}", "reserved"),
        ("a: {password: sesame}", "expected a mapping"),
        ("a: {password: {env: HOME}}", "kept out of files"),
        ("a: {valid_until: 2030-01-01 10:00}", "no offset"),
        ("a: {valid_until: tomorrow}", "expected a date"),
        ("a: {member_of: [a]}", "no member of itself"),
        ("a: {member_of: [b, b]}", "listed twice"),
        ("a: {renamed_from: b}", "not renamed here"),
        ("a: {reassign_owned_to: b}", "state: absent"),
        ("a: {state: absent, login: true}", "login together with state: absent"),
    ],
)
def test_a_mistake_is_refused(declared: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "state.yml").write_text(f"roles:\n  {declared}\n")
    with pytest.raises(DeclarationError, match=said):
        load(tmp_path)


def test_a_role_that_nobody_declares_is_missing(
    prefix: str, database: Database, tmp_path: Path
) -> None:
    table = f"tables: {{public.t: {{owner: {prefix}a, columns: {{id: int}}}}}}"
    with pytest.raises(DeclarationError, match=f"role {prefix}a does not exist") as raised:
        pipeline.plan_changes(job_of(database, table, tmp_path))
    assert f"roles: {{{prefix}a: {{}}}} would create it" in str(raised.value)


def test_a_role_declared_absent_is_named_by_nothing(
    prefix: str, database: Database, tmp_path: Path
) -> None:
    database.run(f"CREATE ROLE {prefix}a")
    declared = f"""
        tables: {{public.t: {{owner: {prefix}a, columns: {{id: int}}}}}}
        roles: {{{prefix}a: {{state: absent}}}}"""
    with pytest.raises(DeclarationError, match=f"role {prefix}a is declared absent"):
        pipeline.plan_changes(job_of(database, declared, tmp_path))


def test_options_of_memberships_need_16(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    database = new_database(f"CREATE ROLE {prefix}b", each_major)
    declared = f"roles: {{{prefix}a: {{member_of: [{{role: {prefix}b, set: false}}]}}}}"
    job = job_of(database, declared, tmp_path)
    if each_major >= 16:
        apply(job)
    else:
        with pytest.raises(DeclarationError, match="member_of needs PostgreSQL 16"):
            pipeline.plan_changes(job)


@pytest.mark.pg(">= 16")
def test_memberships_of_several_grantors(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    p = prefix
    database = new_database(
        f"""CREATE ROLE {p}boss; CREATE ROLE {p}group; CREATE ROLE {p}m;
            GRANT {p}group TO {p}boss WITH ADMIN OPTION;
            GRANT {p}group TO {p}m; GRANT {p}group TO {p}m GRANTED BY {p}boss""",
        each_major,
    )
    member = f"roles: {{{p}m: {{member_of: [{{}}]}}}}"
    alike = job_of(
        database, member.replace("[{}]", f"[{{role: {p}group, inherit: true}}]"), tmp_path
    )
    assert pipeline.plan_changes(alike).in_sync
    one = f"{{role: {p}group, granted_by: {p}boss, set: false}}"
    apply(job_of(database, member.replace("[{}]", f"[{one}]"), tmp_path))
    found = database.rows(
        f"""SELECT grantor::regrole::text, set_option FROM pg_auth_members
            WHERE member = '{p}m'::regrole"""
    )
    assert found == [(f"{p}boss", False)]
    bootstrap = database.value("SELECT rolname::text FROM pg_roles WHERE oid = 10")
    other = f"{{role: {p}group, granted_by: {bootstrap}}}"
    apply(job_of(database, member.replace("[{}]", f"[{other}, {one}]"), tmp_path))


# -- several databases -----------------------------------------------------------------------------


def test_a_role_goes_from_all_databases(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    p = prefix
    one, two = new_database(major=each_major), new_database(major=each_major)
    one.run(f"CREATE ROLE {p}heir; CREATE ROLE {p}gone; CREATE TABLE public.t (id int)")
    one.run(f"ALTER TABLE public.t OWNER TO {p}gone")
    two.run(f"CREATE TABLE public.u (id int); ALTER TABLE public.u OWNER TO {p}gone")
    two.run(f"CREATE TABLE public.v (id int); GRANT SELECT ON public.v TO {p}gone")
    absent = f"roles: {{{p}gone: {{state: absent}}}}"
    with pytest.raises(DeclarationError, match="it owns objects in database") as raised:
        pipeline.plan_changes(job_of(one, absent, tmp_path))
    other = str(conninfo.conninfo_to_dict(two.url)["dbname"])
    assert other in str(raised.value)
    given = absent.replace("absent}", f"absent, reassign_owned_to: {p}heir}}")
    job = job_of(one, given, tmp_path)
    plan = pipeline.plan_changes(job)
    with pytest.raises(PlanRefused, match=f"database {other} belongs to {p}heir"):
        pipeline.apply_plan(plan, job, one.url, quiet(), LockPolicy(), [])
    plan = apply(job)
    assert {s.database for s in plan.steps} == {"", other}
    for database, table in ((one, "t"), (two, "u")):
        query = f"SELECT relowner::regrole::text FROM pg_class WHERE relname = '{table}'"
        assert database.value(query) == f"{p}heir"


def test_a_role_stays_where_a_database_cannot_be_connected_to(
    prefix: str, new_database: NewDatabase, tmp_path: Path, each_major: int
) -> None:
    one, two = new_database(major=each_major), new_database(major=each_major)
    one.run(f"CREATE ROLE {prefix}gone")
    two.run(f"CREATE TABLE public.v (id int); GRANT SELECT ON public.v TO {prefix}gone")
    other = str(conninfo.conninfo_to_dict(two.url)["dbname"])
    one.run(f"ALTER DATABASE {other} ALLOW_CONNECTIONS false")
    try:
        job = job_of(one, f"roles: {{{prefix}gone: {{state: absent}}}}", tmp_path)
        plan = pipeline.plan_changes(job)
        with pytest.raises(PlanRefused, match=f"nothing can be done in database {other}"):
            pipeline.apply_plan(plan, job, one.url, quiet(), LockPolicy(), ["all"])
        assert dumped(one, prefix)
    finally:
        one.run(f"ALTER DATABASE {other} ALLOW_CONNECTIONS true")


def test_runs_for_several_databases_make_the_same_roles(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    declared = COMPLETE.format(p=prefix) + "    set_in_database: {lock_timeout: 1s}\n"
    expected = by_hand(new_database(major=each_major), prefix)
    databases = [new_database(major=each_major) for _ in range(4)]
    jobs = [job_of(d, declared, tmp_path / str(n)) for n, d in enumerate(databases)]
    for change in ("", "    createrole: true\n"):
        for n, database in enumerate(databases):
            jobs[n] = job_of(database, declared + change, tmp_path / str(n))
        plans = [pipeline.plan_changes(job) for job in jobs]
        with ThreadPoolExecutor(len(jobs)) as pool:
            run = pipeline.apply_plan
            outcomes = [
                pool.submit(run, plan, job, job.target, quiet(), LockPolicy(), ["all"])
                for plan, job in zip(plans, jobs, strict=True)
            ]
            found = [(o.result().failed, o.result().left) for o in outcomes]
        assert found == [(0, ())] * len(jobs)
        assert all(pipeline.plan_changes(job).in_sync for job in jobs)
    here = "IN DATABASE"
    lines = [x.replace(" CREATEROLE", " NOCREATEROLE") for x in dumped(databases[0], prefix)]
    assert [x for x in lines if here not in x] == [x for x in expected if here not in x]


# -- what a role that is no superuser may do -------------------------------------------------------


def test_a_role_with_createrole_alone(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    p = prefix
    database = new_database(f"CREATE ROLE {p}boss LOGIN CREATEROLE; CREATE ROLE {p}old", each_major)
    url = conninfo.make_conninfo(database.url, user=f"{p}boss")
    declared = f"""
roles:
  {p}readers: {{comment: x}}
  {p}app:
    login: true
    connection_limit: 3
    member_of: [{p}readers]
    set: {{statement_timeout: 5s}}
"""
    job = job_of(database, declared, tmp_path, url)
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, url, quiet(), LockPolicy(), [], journal=None)
    assert (outcome.failed, outcome.left) == (0, ())

    refused = {
        f"{p}app: {{superuser: true}}": "only superusers may",
        f"{p}app: {{set: {{session_preload_libraries: x}}}}": "the parameter session_preload",
        f"{p}new: {{bypassrls: true}}": "may not set BYPASSRLS",
        f"{p}new: {{replication: true}}": "may not set REPLICATION",
    }
    if each_major >= 16:
        refused |= {
            f"{p}old: {{login: true}}": f"has no ADMIN OPTION on role {p}old",
            f"{p}app: {{member_of: [{p}old]}}": f"has no ADMIN OPTION on role {p}old",
            f"{p}new: {{createdb: true}}": "may not set CREATEDB",
        }
    else:
        apply_as(database, f"roles: {{{p}old: {{login: true, createdb: true}}}}", tmp_path, url)
    for entry, said in refused.items():
        job = job_of(database, f"roles: {{{entry}}}", tmp_path, url)
        plan = pipeline.plan_changes(job)
        with pytest.raises(PlanRefused) as raised:
            pipeline.apply_plan(plan, job, url, quiet(), LockPolicy(), ["all"], journal=None)
        assert said in str(raised.value)
        _assert_postgres_refuses(database, plan, url)


def apply_as(database: Database, declared: str, folder: Path, url: str) -> None:
    job = job_of(database, declared, folder, url)
    plan = pipeline.plan_changes(job)
    outcome = pipeline.apply_plan(plan, job, url, quiet(), LockPolicy(), ["all"], journal=None)
    assert (outcome.failed, outcome.left) == (0, ())


def _assert_postgres_refuses(database: Database, plan: Plan, url: str) -> None:
    """Check that what is refused beforehand would have failed."""
    script = "BEGIN;\n" + ";\n".join(s.sql for s in plan.steps) + ";\nROLLBACK;"
    done = Database(url, database.tools).psql("\\set ON_ERROR_STOP on\n" + script)
    assert done.returncode != 0


@pytest.mark.pg(">= 16")
def test_owners_made_by_createrole_alone_are_assignable_with_a_membership(
    prefix: str, new_database: NewDatabase, each_major: int, tmp_path: Path
) -> None:
    p = prefix
    database = new_database(f"CREATE ROLE {p}boss LOGIN CREATEROLE", each_major)
    database.run(f"GRANT ALL ON SCHEMA public TO {p}boss")
    url = conninfo.make_conninfo(database.url, user=f"{p}boss")
    declared = f"""
roles: {{{p}owner: {{}}}}
tables: {{public.t: {{owner: {p}owner, columns: {{id: int}}}}}}
"""
    job = job_of(database, declared, tmp_path, url)
    plan = pipeline.plan_changes(job)
    with pytest.raises(PlanRefused, match="can give it nothing to own"):
        pipeline.apply_plan(plan, job, url, quiet(), LockPolicy(), ["all"], journal=None)


# -- other commands --------------------------------------------------------------------------------


def test_a_rollback_drops_what_a_run_made_and_restores_what_it_altered(
    prefix: str, new_database: NewDatabase, tmp_path: Path, each_major: int
) -> None:
    p = prefix
    database = new_database(BY_HAND.format(p=prefix), each_major)
    before = dumped(database, prefix)
    declared = f"""
roles:
  {p}new: {{login: true, member_of: [{p}readers]}}
  {p}app: {{connection_limit: 1, member_of: [], set: {{work_mem: 8MB}}, comment: y}}
"""
    apply(job_of(database, declared, tmp_path))
    assert dumped(database, prefix) != before
    back, job = pipeline.plan_rollback(database.url, DEFAULT_PLACE, None)
    outcome = pipeline.apply_plan(back, job, database.url, quiet(), LockPolicy(), ["all"])
    assert (outcome.failed, outcome.left) == (0, ())
    assert dumped(database, prefix) == before


def test_an_export_has_roles_if_asked(
    prefix: str, new_database: NewDatabase, tmp_path: Path, each_major: int
) -> None:
    database = new_database(BY_HAND.format(p=prefix), each_major)
    database.run(f"CREATE TABLE public.t (id int); ALTER TABLE public.t OWNER TO {prefix}writers")
    expected = {"a": set[str](), "b": {"writers"}, "c": {"app", "readers"}}
    asked = {"a": [], "b": ["--roles"], "c": [f"--roles={prefix}app", f"--roles={prefix}readers"]}
    for folder, options in asked.items():
        command = ["export", "--target", database.url, "--out", str(tmp_path / folder), *options]
        done = CliRunner().invoke(main, command)
        assert done.exit_code == 0, done.output
        declaration = load(tmp_path / folder)
        names = {r.name.removeprefix(prefix) for r in declaration.objects if r.kind == "role"}
        assert names == expected[folder]
        everything = Scope(frozenset({"*"}), prune=True, everything=True)
        assert pipeline.plan_changes(Job(database.url, declaration, everything)).in_sync
    again = [line for line in dumped(database, prefix) if "TABLE" not in line]
    database.run(f"REASSIGN OWNED BY {prefix}writers TO CURRENT_USER")
    database.run("; ".join(f"DROP ROLE {prefix}{r}" for r in ("app", "readers")))
    apply(Job(database.url, load(tmp_path / "c"), Scope()))
    assert dumped(database, prefix) == again


def test_the_program_says_what_is_unproven(prefix: str, database: Database, tmp_path: Path) -> None:
    plan = pipeline.plan_changes(job_of(database, f"roles: {{{prefix}a: {{}}}}", tmp_path))
    assert [u for u in plan.unproven if f"role {prefix}a" in u]
