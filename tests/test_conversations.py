"""Test the conversations example: the command line, and the data as its tenants see it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import jsonschema
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import sql

from reconciler.cli import main
from reconciler.plan.plan import Plan
from reconciler.server.connection import connect
from tests.conftest import EXAMPLE, ROOT, Database, starting_point, verify_options

STATE = str(ROOT / "desired_state")
COUNTS = "SELECT (SELECT count(*) FROM conversations) AS c, (SELECT count(*) FROM messages) AS m"


def reconcile(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def before(new_database: Callable[..., Database], each_major: int) -> Database:
    return new_database(starting_point(1), each_major)


@pytest.fixture
def applied(conversations: Database) -> Database:
    done = reconcile("apply", "--target", conversations.url, "--state", STATE, "--yes")
    assert done.exit_code == 0, done.output
    return conversations


def test_apply_reaches_the_declared_state(before: Database) -> None:
    target = ("--target", before.url, "--state", STATE)
    rows = before.rows(COUNTS)
    assert reconcile("plan", *target).exit_code == 2
    applied = reconcile("apply", *target, "--yes")
    assert applied.exit_code == 0, applied.output
    assert applied.stdout == "ok=3 changed=39 failed=0 skipped=0\n"

    assert before.rows(COUNTS) == rows
    assert (
        before.value(
            "SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef"
        )
        == 2
    )
    assert before.rows(
        "SELECT tablename, count(*) FROM pg_policies WHERE tablename IN ('conversations', "
        "'messages') GROUP BY 1 ORDER BY 1"
    ) == [
        ("conversations", 4),
        ("messages", 4),
    ]
    indexes = """SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_index
                 JOIN pg_class AS c ON c.oid = indexrelid
                 WHERE indrelid IN ('conversations'::regclass, 'messages'::regclass)
                 AND indisvalid AND indisready AND NOT indisunique"""
    assert before.value(indexes) == (
        "idx_conversations_domain_hour idx_conversations_domain_language "
        "idx_conversations_domain_metadata_status idx_conversations_domain_started_at "
        "idx_conversations_org_started_at idx_conversations_organization_id "
        "idx_conversations_session_id idx_conversations_started_at "
        "idx_messages_conversation_created idx_messages_conversation_role idx_messages_org_created"
    )
    assert before.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0
    assert before.value("SELECT count(*) FROM pg_constraint WHERE NOT convalidated") == 0
    assert (
        before.value(
            "SELECT count(*) FROM pg_constraint WHERE conname LIKE '%metadata_schema' AND "
            "contype = 'c'"
        )
        == 2
    )
    assert before.value("SELECT count(*) FROM pg_constraint WHERE conname LIKE 'reconcile%'") == 0
    not_null = """SELECT count(*) FROM pg_attribute WHERE attname = 'organization_id' AND attnotnull
                  AND attrelid IN ('conversations'::regclass, 'messages'::regclass)"""
    assert before.value(not_null) == 2

    second_plan = reconcile("plan", *target)
    assert second_plan.exit_code == 0
    assert "nothing to do" in second_plan.stdout
    second = reconcile("apply", *target, "--yes")
    assert second.exit_code == 0
    assert "changed=0" in second.stdout
    assert reconcile("drift", *target).exit_code == 0
    verified = reconcile("verify", *target, *verify_options(before))
    assert verified.exit_code == 0, verified.output
    assert "16/16 checks passed" in verified.stdout


def test_the_script_reaches_the_same_state_in_psql(
    conversations: Database, new_database: Callable[..., Database]
) -> None:
    script = reconcile(
        "plan", "--target", conversations.url, "--state", STATE, "--format", "sql"
    ).stdout
    by_psql = new_database(starting_point(0.05))
    done = by_psql.psql(script)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        reconcile("apply", "--target", conversations.url, "--state", STATE, "--yes").exit_code == 0
    )
    assert by_psql.dump() == conversations.dump()
    rows = "SELECT md5(string_agg(c::text, '' ORDER BY id)) FROM {} AS c"
    for table in ("conversations", "messages"):
        assert by_psql.value(rows.format(table)) == conversations.value(rows.format(table))


def test_the_recorded_undo_restores_the_start(conversations: Database) -> None:
    start = conversations.dump()
    assert (
        reconcile("apply", "--target", conversations.url, "--state", STATE, "--yes").exit_code == 0
    )
    run = conversations.rows("SELECT status, plan::text FROM reconcile.run")
    assert [status for status, _ in run] == ["done"]
    plan = Plan.model_validate_json(str(run[0][1]))
    assert conversations.value("SELECT count(*) FROM reconcile.step WHERE status = 'done'") == len(
        plan.steps
    )
    with connect(conversations.url) as connection:
        connection.execute("SET search_path TO ''")
        for step in reversed(plan.steps):
            for undo in step.undo:
                connection.execute(undo.encode())
    assert conversations.dump() == start


def test_json_matches_the_published_schema(conversations: Database) -> None:
    shown = reconcile("plan", "--target", conversations.url, "--state", STATE, "--format", "json")
    document = json.loads(shown.stdout)
    published = json.loads(reconcile("schema", "plan").stdout)
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(document, published)
    assert {"version", "target", "in_sync", "changes", "steps"} <= document.keys()
    assert (document["version"], document["in_sync"]) == (1, False)
    assert {"action", "kind", "identity", "differences"} <= document["changes"][0].keys()
    assert {
        "id",
        "sql",
        "transactional",
        "lock",
        "relation",
        "hazards",
        "undo",
        "depends_on",
    } <= document["steps"][0].keys()
    broken = document | {"steps": [{**document["steps"][0], "transactional": "perhaps"}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, published)


def test_markdown_names_every_change(conversations: Database) -> None:
    shown = reconcile(
        "plan", "--target", conversations.url, "--state", STATE, "--format", "markdown"
    ).stdout
    document = json.loads(
        reconcile(
            "plan", "--target", conversations.url, "--state", STATE, "--format", "json"
        ).stdout
    )
    assert all(f"`{c['identity']}`" in shown for c in document["changes"])
    assert shown.count("```") % 2 == 0


def test_manual_changes_are_drift_and_are_repaired(applied: Database) -> None:
    target = ("--target", applied.url, "--state", STATE)
    applied.run(
        "DROP INDEX idx_messages_org_created; ALTER POLICY messages_select_optimized ON "
        "messages "
        "USING (true)"
    )
    drift = reconcile("drift", *target, "--format", "json")
    assert drift.exit_code == 2
    found = json.loads(drift.stdout)["drift"]
    assert [(d["kind"], d["class"]) for d in found] == [("policy", "drifted"), ("index", "missing")]
    assert found[0]["differences"][0]["live"] == "true"
    healed = reconcile("apply", *target, "--yes")
    assert "changed=2 failed=0" in healed.stdout
    assert reconcile("drift", *target).exit_code == 0


def test_orphans_stop_only_dependent_steps(conversations: Database) -> None:
    target = ("--target", conversations.url, "--state", STATE)
    conversations.run("""
        INSERT INTO domains (id, domain) VALUES ('00000000-0000-0000-0000-00000000000d',
            'orphan.example');
        INSERT INTO conversations (id, domain_id, session_id)
        VALUES ('00000000-0000-0000-0000-00000000000c', '00000000-0000-0000-0000-00000000000d', 's')
    """)
    nulls = "SELECT count(*) FROM conversations WHERE organization_id IS NULL"
    assert conversations.value(nulls) != 1
    stopped = reconcile("apply", *target, "--yes")
    assert stopped.exit_code == 1
    assert "00000000-0000-0000-0000-00000000000c" in stopped.stdout
    assert conversations.value(nulls) == 1
    assert (
        conversations.value(
            "SELECT count(*) FROM pg_constraint WHERE conname ~ 'not_null' AND NOT convalidated"
        )
        == 0
    )
    assert not conversations.value(
        "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'conversations'::regclass AND "
        "attname = 'organization_id'"
    )
    # independent steps are done; policies that use the column are skipped
    assert conversations.value("SELECT to_regclass('idx_messages_conversation_role') IS NOT NULL")
    assert conversations.value("SELECT count(*) FROM pg_proc WHERE proname LIKE 'get_user_%'") == 2
    assert (
        conversations.value(
            "SELECT count(*) FROM pg_policies WHERE policyname = 'Domain isolation'"
        )
        == 1
    )
    assert conversations.value("SELECT status FROM reconcile.run") == "failed"

    conversations.run(
        "UPDATE domains SET organization_id = (SELECT id FROM organizations ORDER BY id "
        "LIMIT 1) "
        "WHERE domain = 'orphan.example'"
    )
    repaired = reconcile("apply", *target, "--yes")
    assert repaired.exit_code == 0, repaired.output
    assert reconcile("plan", *target).exit_code == 0


# -- the tenants' view -----------------------------------------------------------------------------


def as_tenant(database: Database, user: object, *statements: str) -> Sequence[tuple[object, ...]]:
    """Run statements as `authenticated` with a user's claims; return the last result; roll back."""
    with psycopg.connect(database.url) as connection:
        connection.execute(
            "SELECT set_config('request.jwt.claims', %s, true)",
            [json.dumps({"sub": str(user), "role": "authenticated"})],
        )
        connection.execute("SET LOCAL ROLE authenticated")
        for statement in statements[:-1]:
            connection.execute(statement.encode())
        cursor = connection.execute(statements[-1].encode())
        found = cursor.fetchall() if cursor.description else [(cursor.rowcount,)]
        connection.rollback()
        return found


def member(database: Database) -> tuple[object, object]:
    """Return a user who belongs to one organization, and the organization."""
    found = database.rows(
        "SELECT user_id, (array_agg(organization_id))[1] FROM organization_members GROUP BY "
        "user_id HAVING count(*) = 1 ORDER BY 1 LIMIT 1"
    )
    return found[0][0], found[0][1]


@pytest.mark.parametrize("relation", ["conversations", "messages", "conversations_with_stats"])
def test_a_tenant_sees_its_own_rows_only(applied: Database, relation: str) -> None:
    user, organization = member(applied)
    own = applied.value(f"SELECT count(*) FROM {relation} WHERE organization_id = '{organization}'")
    every = applied.value(f"SELECT count(*) FROM {relation}")
    assert isinstance(own, int)
    assert isinstance(every, int)
    assert 0 < own < every
    assert as_tenant(
        applied, user, f"SELECT count(*), count(DISTINCT organization_id) FROM {relation}"
    ) == [(own, 1)]


def test_a_tenant_writes_its_own_rows_only(applied: Database) -> None:
    user, organization = member(applied)
    own = f"organization_id = '{organization}'"
    domain = applied.value(f"SELECT id FROM domains WHERE {own} ORDER BY id LIMIT 1")
    theirs = applied.value(
        f"SELECT id FROM domains WHERE organization_id <> '{organization}' ORDER BY id LIMIT 1"
    )
    foreign = applied.value(f"SELECT organization_id FROM domains WHERE id = '{theirs}'")
    insert = (
        "INSERT INTO conversations (domain_id, organization_id, session_id) VALUES ('{}', "
        "'{}', 's')"
    )
    assert as_tenant(applied, user, insert.format(domain, organization)) == [(1,)]
    for domain_id in (theirs, domain):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_tenant(applied, user, insert.format(domain_id, foreign))
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        as_tenant(applied, user, insert.format(theirs, organization))

    count = applied.value(f"SELECT count(*) FROM conversations WHERE {own}")
    assert as_tenant(applied, user, "UPDATE conversations SET ended_at = now()") == [(count,)]
    assert as_tenant(
        applied,
        user,
        f"UPDATE conversations SET ended_at = now() WHERE organization_id = '{foreign}'",
    ) == [(0,)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_tenant(applied, user, f"UPDATE conversations SET organization_id = '{foreign}'")
    assert as_tenant(applied, user, "DELETE FROM conversations") == [(count,)]
    assert as_tenant(
        applied, user, f"DELETE FROM messages WHERE organization_id = '{foreign}'"
    ) == [(0,)]

    conversation = applied.value(
        f"SELECT id FROM conversations WHERE organization_id = '{foreign}' ORDER BY id LIMIT 1"
    )
    say = (
        "INSERT INTO messages (conversation_id, organization_id, role, content) "
        f"VALUES ('{conversation}', '{{}}', 'user', 'x')"
    )
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        as_tenant(applied, user, say.format(organization))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_tenant(applied, user, say.format(foreign))


MIXED = """
    SELECT (SELECT count(*) FROM conversations AS c JOIN domains AS d ON d.id = c.domain_id
            WHERE c.organization_id IS DISTINCT FROM d.organization_id)
         + (SELECT count(*) FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id
            WHERE m.organization_id IS DISTINCT FROM c.organization_id)"""


def as_service(database: Database, *statements: str) -> Sequence[tuple[object, ...]]:
    """Run statements as the backend, which no policy binds; return the last result; roll back."""
    with psycopg.connect(database.url) as connection:
        connection.execute("SET LOCAL ROLE service_role")
        for statement in statements[:-1]:
            connection.execute(statement.encode())
        found = connection.execute(statements[-1].encode()).fetchall()
        connection.rollback()
        return found


def test_nobody_mixes_tenants(applied: Database) -> None:
    ((user, one, two),) = applied.rows("""
        SELECT user_id, min(organization_id::text) AS one, max(organization_id::text) AS two
        FROM organization_members GROUP BY user_id HAVING count(*) = 2 ORDER BY 1 LIMIT 1""")
    found = """SELECT c.domain_id, c.id FROM conversations AS c WHERE organization_id = '{}'
               AND EXISTS (SELECT FROM messages AS m WHERE m.conversation_id = c.id)
               ORDER BY id LIMIT 1"""
    ((domain, conversation),) = applied.rows(found.format(one))
    ((other_domain, other_conversation),) = applied.rows(found.format(two))
    # The policy that hides a domain from its tenants makes no difference.
    applied.run("DROP POLICY domains_members ON domains")
    mixing = (
        "INSERT INTO conversations (domain_id, organization_id, session_id) "
        f"VALUES ('{domain}', '{two}', 's')",
        f"UPDATE conversations SET organization_id = '{two}' WHERE id = '{conversation}'",
        f"UPDATE conversations SET domain_id = '{other_domain}' WHERE id = '{conversation}'",
        "INSERT INTO messages (conversation_id, organization_id, role, content) "
        f"VALUES ('{conversation}', '{two}', 'user', 'x')",
        f"UPDATE messages SET organization_id = '{two}' WHERE conversation_id = '{conversation}'",
        f"UPDATE messages SET conversation_id = '{other_conversation}' "
        f"WHERE conversation_id = '{conversation}'",
    )
    for statement in mixing:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            as_tenant(applied, user, statement)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            as_service(applied, statement)

    # What moves takes along what belongs to it.
    count = f"SELECT count(*) FROM messages WHERE organization_id = '{two}'"
    belonging = applied.value(
        f"SELECT count(*) FROM messages WHERE conversation_id = '{conversation}'"
    )
    moved = (
        f"UPDATE conversations SET domain_id = '{other_domain}', organization_id = '{two}' "
        f"WHERE id = '{conversation}'"
    )
    before = as_tenant(applied, user, count)[0][0]
    assert isinstance(before, int)
    assert isinstance(belonging, int)
    assert as_tenant(applied, user, moved, count) == [(before + belonging,)]
    assert as_service(applied, moved, MIXED) == [(0,)]
    of_domain = (
        "SELECT count(*) FROM conversations WHERE domain_id = '{}' AND organization_id = '{}'"
    )
    ((before,),) = as_service(applied, of_domain.format(domain, one))
    move = f"UPDATE domains SET organization_id = '{two}' WHERE id = '{domain}'"
    assert as_service(applied, move, of_domain.format(domain, two)) == [(before,)]
    assert as_service(applied, move, MIXED) == [(0,)]
    with pytest.raises(psycopg.errors.NotNullViolation):
        as_service(applied, move.replace(f"'{two}'", "NULL"))


COLUMNS = "SELECT count(*) FROM conversations WHERE domain_id = '{}' AND {}"


def test_columns_repeat_the_metadata_and_are_indexed(applied: Database) -> None:
    """Behind a policy an index on an expression is not used; one on a column is, and alone."""
    user, organization = member(applied)
    domain = applied.value(
        f"SELECT domain_id FROM conversations WHERE organization_id = '{organization}' LIMIT 1"
    )
    written = as_tenant(
        applied,
        user,
        "UPDATE conversations SET status = 'x', language = 'x', started_hour = '2000-01-01', "
        'metadata = metadata || \'{"status": "closed", "language": "it"}\', '
        "started_at = '2025-02-03 04:05:06+00'",
        "SELECT DISTINCT status, language, started_hour::text FROM conversations",
    )
    assert written == [("closed", "it", "2025-02-03 04:00:00")]
    applied.run("VACUUM conversations")
    for condition in ("status = 'active'", "language = 'en'", "started_hour = '2025-08-01 10:00'"):
        plan = as_tenant(
            applied,
            user,
            "SET LOCAL enable_seqscan TO off",
            "EXPLAIN " + COLUMNS.format(domain, condition),
        )
        plan_text = "\n".join(str(line[0]) for line in plan)
        assert "Index Only Scan using idx_conversations_domain" in plan_text
        column = condition.split(" =", maxsplit=1)[0]
        assert f"{column} =" in plan_text.split("Index Cond:", 1)[1].splitlines()[0]


def test_functions_reveal_nothing_about_other_users(applied: Database) -> None:
    user, _ = member(applied)
    other = applied.value(
        f"SELECT user_id FROM organization_members WHERE user_id <> '{user}' ORDER BY user_id "
        "LIMIT 1"
    )
    for function in ("get_user_organization_ids", "get_user_domain_ids"):
        assert as_tenant(applied, user, f"SELECT cardinality({function}('{user}')) > 0") == [
            (True,)
        ]
        assert as_tenant(applied, user, f"SELECT cardinality({function}('{other}'))") == [(0,)]
        assert applied.rows(
            f"""SELECT r, has_function_privilege(r, '{function}(uuid)', 'execute')
                FROM unnest('{{anon,authenticated,service_role}}'::text[]) AS r"""
        ) == [("anon", False), ("authenticated", True), ("service_role", True)]


def test_policies_are_one_lookup_and_one_index_condition(applied: Database) -> None:
    user, _ = member(applied)
    plan = as_tenant(
        applied,
        user,
        "SET LOCAL enable_seqscan TO off",
        "EXPLAIN SELECT * FROM messages ORDER BY created_at DESC LIMIT 1",
    )
    plan_text = "\n".join(str(line[0]) for line in plan)
    assert "InitPlan" in plan_text
    assert "organization_id = ANY" in plan_text.split("Index Cond:", 1)[1]
    assert not applied.rows(
        """SELECT policyname FROM pg_policies WHERE tablename IN ('conversations', 'messages')
           AND replace(coalesce(qual, '') || coalesce(with_check, ''),
                       '( SELECT auth.uid() AS uid)', '') LIKE '%auth.uid()%'"""
    )


def test_the_view_runs_as_its_caller(applied: Database) -> None:
    options = applied.value(
        "SELECT reloptions FROM pg_class WHERE relname = 'conversations_with_stats'"
    )
    assert options == ["security_invoker=true"]


def test_invalid_metadata_is_a_check_violation(applied: Database) -> None:
    statement = sql.SQL(
        "UPDATE messages SET metadata = %s WHERE id = (SELECT id FROM messages LIMIT 1)"
    )
    for value in ('{"response_time_ms": "abc"}', '{"sentiment": "angry"}', "[]", None):
        with (
            psycopg.connect(applied.url) as connection,
            pytest.raises(psycopg.errors.CheckViolation),
        ):
            connection.execute(statement, [value])


def test_the_example_is_at_its_real_size_by_default(new_database: Callable[..., Database]) -> None:
    database = new_database(
        (EXAMPLE / "before.sql").read_text() + (EXAMPLE / "data.sql").read_text()
    )
    assert database.rows(COUNTS) == [(2132, 5998)]
    assert database.value("SELECT count(*) FROM organization_members") == 250
