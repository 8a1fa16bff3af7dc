"""Test `lint`: each rule on a failing and a passing schema, and what the fix leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reconciler.cli import main
from reconciler.escape import workflow_document
from reconciler.introspect.introspect import introspect
from reconciler.lint.database import Database as Facts
from reconciler.lint.document import document
from reconciler.lint.look import look, measured_of
from reconciler.lint.rule import Finding
from reconciler.lint.rules import all_rules, rules
from reconciler.server.connection import connect_to_read
from tests.conftest import ROOT, Database

CASES = Path(__file__).parent / "lint" / "rules"
API_ROLES = ("anon", "authenticated")
ROLES = "".join(
    f"DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation"
    " THEN NULL; END $$;"
    for role in (*API_ROLES, "backend")
)
FOUND = re.compile("-- found: (.*)\n")  # all objects that the rule finds in a failing case
WEEKS = 30 * 86_400.0
NO_SCHEMA = {
    "extension-in-public": ("extension citext", "extension pg_trgm"),
    "role-bypasses-policies": ("role f_", "role p_bypassing_"),
}
NO_SQL = {  # rules whose fix is another design, which only a person can write
    "policy-reads-secured-table",
    "view-not-limitable",
}
OF_DECLARATIONS = {"not-null-without-backfill", "unused-suppression"}
WITH_EXTENSIONS = {18}  # the embedded PostgreSQL 16 has but one that can be moved
SPLINTER = {1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 16, 20, 24, 28, 29}


class Structure(Facts):
    """The facts without those that change although no catalog does."""

    @property
    def _none(self) -> Any:
        raise AssertionError("a rule that is not measured reads statistics")

    observed = unused = sizes = last = _none  # pyright: ignore[reportAssignmentType]


def _found(database: Database) -> list[Finding]:
    with connect_to_read(database.url) as connection:
        addresses = introspect(connection).addresses
        facts = Facts(connection, API_ROLES)
        vars(facts)["observed"] = WEEKS
        found = look(facts, addresses)
        assert look(facts) == found  # named by PostgreSQL
        measured = measured_of(found)
        assert look(Structure(connection, API_ROLES), rules=rules(is_measured=False)) == [
            f for f in found if f not in measured
        ]
        return found


def _of(findings: list[Finding], rule: str, place: str) -> list[Finding]:
    """Return a rule's findings in the failing ("f") or passing ("p") schema."""
    wanted = NO_SCHEMA.get(rule, (f"f_{rule}.", f"p_{rule}."))["fp".index(place)]
    return [f for f in findings if f.rule == rule and wanted in f.identity]


@pytest.mark.parametrize("major", [18, 16])
def test_each_rule_finds_its_failing_case_until_it_is_mended(
    new_database: Callable[..., Database], major: int
) -> None:
    database = new_database(ROLES, major=major)
    rules = [r for r in all_rules() if r not in OF_DECLARATIONS]
    assert sorted(rules) == sorted(p.stem for p in CASES.iterdir())
    if major not in WITH_EXTENSIONS:
        rules.remove("extension-in-public")
    for rule in rules:
        failing, passing = (CASES / f"{rule}.sql").read_text().split("-- passing\n")
        for place, script in (("f", failing), ("p", passing)):
            schema = f'"{place}_{rule}"'
            database.run(
                f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC;"
                f"SET search_path = {schema}; {script}"
            )
    database.psql("VACUUM")
    findings = _found(database)
    assert [r for r in rules if not _of(findings, r, "f")] == []
    assert [f for r in rules for f in _of(findings, r, "p")] == []
    for rule in rules:
        if expected := FOUND.match((CASES / f"{rule}.sql").read_text()):
            names = {f.ref.name for f in _of(findings, rule, "f") if f.ref}
            assert names == {*expected[1].split(", ")}, rule
    without_sql = {f.rule for f in findings if f.fix.startswith("-- ")}
    assert without_sql >= NO_SQL
    fixes = [f for r in rules if r not in NO_SQL for f in _of(findings, r, "f")]
    assert [f for f in fixes if f.fix.startswith("-- ")] == []
    script = "\n".join(f"\\echo {f.rule} {f.identity}\n{f.fix}" for f in fixes)
    done = database.psql(f"\\set ON_ERROR_STOP 1\n{script}")
    assert done.returncode == 0, f"{done.stdout.splitlines()[-1]}\n{done.stderr}"
    findings = _found(database)
    assert [f for r in rules for f in _of(findings, r, "f") if r not in NO_SQL] == []


SEVERAL = """
CREATE TABLE tenant (id int PRIMARY KEY);
CREATE TABLE o (id int PRIMARY KEY, tenant_id int REFERENCES tenant);
CREATE TABLE t (id int PRIMARY KEY, tenant_id int REFERENCES tenant, a int REFERENCES o,
                b int REFERENCES o);
CREATE TABLE j (a jsonb NOT NULL DEFAULT '{}', b jsonb NOT NULL DEFAULT '[1]',
                c jsonb NOT NULL DEFAULT '"{}"', d json DEFAULT '"[]"', e jsonb DEFAULT 'null',
                f jsonb DEFAULT '"it''s"', g jsonb DEFAULT '1', h jsonb DEFAULT 'true',
                k jsonb DEFAULT '"{not so"',
                i jsonb DEFAULT to_jsonb('{}'::text[]), j jsonb);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (tenant_id = 1);
"""


def test_mends_of_one_rule_fit_each_other_and_the_defaults(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(ROLES + SEVERAL)
    rules = ("foreign-key-without-tenant", "jsonb-without-check")
    found = [f for f in _found(database) if f.rule in rules]
    assert [f.rule for f in found] == [rules[0]] * 2 + [rules[1]] * 11
    script = "\n".join(finding.fix for finding in found)
    done = database.psql(f"\\set ON_ERROR_STOP 1\n{script}")
    assert done.returncode == 0, done.stderr
    assert [f for f in _found(database) if f.rule in rules] == []
    unique = "SELECT count(*) FROM pg_index WHERE indrelid = 'o'::regclass"
    assert database.psql(f"\\pset tuples_only\n{unique}").stdout.split()[-1] == "2"
    database.run("INSERT INTO j DEFAULT VALUES")
    database.run("INSERT INTO j (c, d) VALUES ('{}', '[]')")


def test_rules_cover_the_rules_of_splinter_that_are_promised() -> None:
    covered = {int(r.covers[:4]) for r in all_rules().values() if r.covers}
    assert covered >= SPLINTER


def test_each_case_of_a_rule_of_splinter_is_found_by_the_rule_that_covers_it(
    new_database: Callable[..., Database],
) -> None:
    database = new_database(ROLES)
    cases = sorted((CASES.parent / "splinter").iterdir())
    assert {int(case.name[:4]) for case in cases} == SPLINTER
    for case in cases:
        schema = f"s{case.name[:4]}"
        database.run(
            f"CREATE SCHEMA {schema}; GRANT USAGE ON SCHEMA {schema} TO PUBLIC;"
            f"SET search_path = {schema}; {case.read_text()}"
        )
    database.psql("VACUUM")
    covers = {r.name: r.covers.replace(" ", "_") for r in all_rules().values()}
    found = {(covers[f.rule], f.ref.schema) for f in _found(database) if f.ref}
    assert [c.stem for c in cases if (c.stem, f"s{c.name[:4]}") not in found] == []


def test_the_documentation_is_that_of_the_rules() -> None:
    assert (ROOT / "docs" / "lint.md").read_text() == document()


def test_rules_say_why_in_words() -> None:
    for rule in all_rules().values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)+", rule.name)
        assert rule.summary
        assert rule.why.endswith(".")


# -- the example, the design that it replaced, and the command -------------------------------------

DEFECTS = {  # of the original design, by the rule that finds each
    "definer without search_path": "definer-without-search-path",
    "executable by PUBLIC and anon": "definer-executable-by-public",
    "a person's id is never compared with the caller": "definer-trusts-argument",
    "default rows of a set-returning helper": "policy-function-default-rows",
    "policies for PUBLIC": "policy-for-public",
    "a helper in a sub-select that no index serves": "policy-set-not-indexable",
    "a policy reads a table under row level security": "policy-reads-secured-table",
    "a view over such tables without security_invoker": "view-without-security-invoker",
    "an aggregate view that cannot be limited": "view-not-limitable",
    "a prefix index": "index-prefix",
    "a duplicate index": "index-duplicate",
    "a predicate implied by NOT NULL": "index-predicate-implied",
    "an expression that is not immutable": "index-not-immutable",
    "an expression index behind a policy": "index-behind-policy",
    "a check that NULL passes": "check-passes-null",
    "a check that a cast breaks": "check-casts",
    "a copied key without a composite foreign key": "foreign-key-without-tenant",
    "TRUNCATE for roles of requests": "privilege-beyond-policies",
    "NOT EXISTS over a table under policies": "policy-not-exists-under-policies",
    "auth.uid() is parallel unsafe": "policy-function-parallel-unsafe",
}


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["lint", *map(str, arguments)])


def test_every_defect_of_the_original_design_is_found_in_its_line() -> None:
    done = _run("--state", CASES.parent / "original", "--format", "json")
    assert done.exit_code == 2, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["findings"]
    assert {defect for defect, rule in DEFECTS.items() if rule in {f["rule"] for f in found}} == {
        *DEFECTS
    }
    assert all(f["file"] and f["line"] for f in found)
    for finding in found:
        if finding["rule"] == "definer-without-search-path":
            lines = Path(str(finding["file"])).read_text().splitlines()
            assert "security: definer" in lines[int(finding["line"]) - 1]


def test_nothing_is_found_in_the_example_but_what_is_explained_there() -> None:
    start = ROOT / "examples" / "conversations" / "before.sql"
    done = _run("--state", ROOT / "desired_state", "--start", start, "--format", "json")
    found = json.loads(done.stdout)
    assert found["findings"] == []
    assert {a["rule"] for a in found["accepted"]} >= {"definer-executable-by-api-role"}
    assert done.exit_code == 0


DECLARED = """
tables:
  t:
    columns: {id: int, at: timestamp}
    indexes: {one: {on: [id]}, two: {on: [id, at]}}
"""
ALLOWED = DECLARED.replace("  t:", "  t:\n    lint: {allow: {RULE: the application needs it}}")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desired_state").mkdir()
    file = tmp_path / "desired_state" / "t.yml"
    file.write_text(DECLARED)
    return file


def _rules(done: Result) -> set[str]:
    assert done.exit_code in (0, 2), done.output
    return {f["rule"] for f in json.loads(done.stdout)["findings"]}


ALL = {"index-prefix", "table-without-primary-key", "timestamp-without-time-zone"}


def test_findings_are_accepted_by_objects_by_settings_and_by_a_baseline(state: Path) -> None:
    assert _rules(_run("--format", "json")) == ALL
    state.write_text(ALLOWED.replace("RULE", "index-prefix"))  # on the table of the index
    done = _run("--format", "json")
    assert _rules(done) == ALL - {"index-prefix"}
    accepted = json.loads(done.stdout)["accepted"]
    assert [(a["rule"], a["reason"]) for a in accepted] == [
        ("index-prefix", "the application needs it")
    ]
    settings = Path("reconcile.yml")
    settings.write_text(
        "lint: {off: {table-without-primary-key: a log}, baseline: b.json,"
        " severity: {timestamp-without-time-zone: error}}"
    )
    assert "there is no b.json" in _run().output
    assert _run("--write-baseline").exit_code == 0
    assert [f["rule"] for f in json.loads(Path("b.json").read_text())["findings"]] == [
        "timestamp-without-time-zone"
    ]
    done = _run()
    assert done.exit_code == 0
    assert "1 more are in the baseline" in done.stdout
    Path("b.json").write_text('{"version": 1, "findings": []}')
    assert "error: column public.t.at: is timestamp" in _run().stdout
    Path("b.json").write_text("[]")
    assert "is no baseline" in _run().output


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("lint: {off: {index-prefix: ''}}", "say the reason"),
        ("lint: {off: {index-perfix: x}}", "did you mean index-prefix?"),
        ("lint: {severity: {index-prefix: grave}}", "error"),
        ("lint: {baseline: ../b.json}", "not below"),
        ("lint: {sevrity: {}}", "unknown key"),
    ],
)
def test_wrong_settings_are_refused(state: Path, settings: str, message: str) -> None:
    Path("reconcile.yml").write_text(settings)
    done = _run()
    assert done.exit_code == 1, state
    assert message in done.output


def test_suppressions_must_name_a_rule_a_reason_and_something_to_suppress(state: Path) -> None:
    state.write_text(ALLOWED.replace("RULE", "index-perfix"))
    done = _run()
    assert done.exit_code == 1
    assert "t.yml:4:" in done.output
    assert "did you mean index-prefix?" in done.output
    state.write_text(ALLOWED.replace("RULE: the application needs it", "index-prefix: ' '"))
    assert "say the reason" in _run().output
    state.write_text(ALLOWED.replace("RULE", "check-casts"))
    assert _rules(_run("--format", "json")) == {*ALL, "unused-suppression"}


def test_a_target_is_linted_as_the_declaration_leaves_it(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database(
        "CREATE TABLE t (id int PRIMARY KEY, at timestamptz);"
        "CREATE TABLE other (n int); CREATE INDEX one ON t (id);"
    )
    state.write_text(DECLARED.replace("at: timestamp", "at: timestamptz").replace(", at]", "]"))
    done = _run("--target", database.url, "--format", "json")
    assert _rules(done) == {"index-duplicate"}
    # both indexes repeat the primary key, which nobody declared; one of them is not there yet
    assert len(json.loads(done.stdout)["findings"]) == 2
    everything = _rules(_run("--target", database.url, "--all", "--format", "json"))
    assert everything == {"index-duplicate", "table-without-primary-key"}
    state.unlink()
    state.parent.rmdir()
    undeclared = _run("--target", database.url, "--all")
    assert "table public.other: has no primary key [table-without-primary-key]" in undeclared.stdout
    assert "--target" in _run("--all").output


def test_a_declared_role_that_no_policy_binds_is_found_until_the_declaration_ends_it(
    state: Path, prefix: str, each_major: int, new_database: Callable[..., Database]
) -> None:
    database = new_database(
        f"CREATE ROLE {prefix}web LOGIN BYPASSRLS; CREATE TABLE t (id int PRIMARY KEY);"
        f"ALTER TABLE t ENABLE ROW LEVEL SECURITY; GRANT SELECT ON t TO {prefix}web;"
        f"CREATE POLICY p ON t TO {prefix}web USING (id > 0)",
        major=each_major,
    )
    for target in ((), ("--target", database.url)):
        for attributes, expected in (
            ("login: true, bypassrls: true", "has BYPASSRLS: no policy binds it"),
            ("superuser: true, bypassrls: true", "has SUPERUSER and BYPASSRLS: no policy binds it"),
            ("login: true", None),
        ):
            state.write_text(f"roles:\n  {prefix}web: {{{attributes}}}")
            found = json.loads(_run(*target, "--format", "json").stdout)["findings"]
            assert [(f["message"], f["line"]) for f in found] == [(expected, 2)] * bool(expected)
    state.unlink()
    state.parent.rmdir()
    found = json.loads(_run("--target", database.url, "--all", "--format", "json").stdout)
    assert [f["rule"] for f in found["findings"]] == ["role-bypasses-policies"]


def test_formats_carry_rule_position_and_mend(state: Path) -> None:
    del state
    sarif = json.loads(_run("--format", "sarif").stdout)
    run = sarif["runs"][0]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert {result["ruleId"] for result in run["results"]} == ALL <= rules
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "desired_state/t.yml"},
        "region": {"startLine": 5, "startColumn": 15},
    }
    lines = _run("--format", "github").stdout.splitlines()
    assert lines[0].startswith(
        "::warning file=desired_state/t.yml,line=5,col=15,title=index-prefix::index public.one: its"
    )
    assert "%0A" in lines[0]
    assert len(lines) == len(ALL)


def test_annotations_cannot_be_broken_out_of() -> None:
    shown = workflow_document([("error", {"file": "a,b:c\n::set"}, "50%\n::stop\r\u202e")])
    assert shown == "::error file=a%2Cb%3Ac%0A%3A%3Aset::50%25%0A::stop\\r\\u202e\n"


def test_a_declaration_that_needs_a_database_says_so(state: Path) -> None:
    state.write_text("tables: {t: {indexes: {one: {on: [id]}}}}")
    done = _run()
    assert done.exit_code == 1
    assert "--start" in done.output


def test_not_null_needs_a_backfill_where_the_table_is_there_already(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database("CREATE TABLE t (id int PRIMARY KEY, old int, kept int NOT NULL);")
    unfilled = "{type: int, not_null: true}"
    state.write_text(
        f"tables: {{t: {{columns: {{old: {unfilled}, kept: {unfilled}, new: {unfilled},"
        " one: {type: int, not_null: true, default: 1}}}}"
    )
    job = ("--target", database.url, "--format", "json")
    found = json.loads(_run(*job).stdout)["findings"]
    assert [(f["rule"], f["object"]) for f in found] == [
        ("not-null-without-backfill", "column public.t.new"),
        ("not-null-without-backfill", "column public.t.old"),
    ]
    fixed = state.read_text().replace("not_null: true}", "not_null: true, backfill: {value: 1}}")
    state.write_text(fixed)
    assert _rules(_run(*job)) == set()


# -- fixes that a server must accept ---------------------------------------------------------------

PINNED = """
    CREATE TABLE t (id int PRIMARY KEY, seen timestamp, born timestamp);
    CREATE VIEW v AS SELECT id, seen FROM t;
    CREATE TABLE parts (id int, at timestamp, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE years (at timestamp, n int) PARTITION BY RANGE (extract(year FROM at));
"""


def _fixes(database: Database) -> dict[str, str]:
    done = _run("--target", database.url, "--all", "--format", "json")
    return {f["object"]: f["fix"] for f in json.loads(done.stdout)["findings"]}


def test_a_column_whose_type_something_fixes_gets_yaml_which_apply_carries_out(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database(PINNED)
    state.unlink()
    state.parent.rmdir()
    fixes = _fixes(database)
    assert fixes["column public.t.born"].startswith("SET TimeZone = 'UTC';\nALTER TABLE")
    assert fixes["column public.parts.at"].startswith("-- at is in the partition key of public.pa")
    assert fixes["column public.years.at"].startswith("-- at is in the partition key of public.y")
    assert fixes["table public.years"].startswith("-- PostgreSQL makes no key for partitions by an")
    comment, yaml = fixes["column public.t.seen"].split("\n")
    assert comment.startswith("# in the entry of seen")
    state.parent.mkdir()
    state.write_text(f"tables: {{t: {{columns: {{seen: {{{yaml}}}}}}}}}")
    done = CliRunner().invoke(
        main, ["apply", "--target", database.url, "--yes", "--allow", "all"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    assert "column public.t.seen" not in _fixes(database)


def test_fixes_take_what_is_there_already(
    state: Path, new_database: Callable[..., Database]
) -> None:
    state.unlink()
    state.parent.rmdir()
    fixes = _fixes(
        new_database(
            "CREATE TABLE keyed (a int NOT NULL, tags jsonb DEFAULT '[]');"
            "CREATE UNIQUE INDEX keyed_a ON keyed (a);"
            "CREATE TABLE part (id int PRIMARY KEY, keyed int, gone date, at int NOT NULL);"
            "CREATE INDEX live ON part (keyed) WHERE gone IS NULL;"
            "CREATE INDEX at ON part (at) WHERE at IS NOT NULL; CREATE INDEX two ON part (at, id);"
            "CREATE TABLE r (id int PRIMARY KEY);"
            "ALTER TABLE part ADD CONSTRAINT fk FOREIGN KEY (keyed) REFERENCES r;"
        )
    )
    assert fixes["table public.keyed"] == (
        "ALTER TABLE public.keyed ADD CONSTRAINT keyed_a PRIMARY KEY USING INDEX keyed_a;"
    )
    assert "jsonb_typeof(tags) = 'array'" in fixes["column public.keyed.tags"]
    assert fixes["index public.at"] == "DROP INDEX CONCURRENTLY public.at;"


def test_a_partial_index_is_named_that_serves_a_foreign_key_for_some_rows_only(
    state: Path, new_database: Callable[..., Database]
) -> None:
    database = new_database(
        "CREATE TABLE o (id int PRIMARY KEY);"
        "CREATE TABLE t (id int PRIMARY KEY, o int REFERENCES o, gone date);"
        "CREATE INDEX live ON t (o) WHERE gone IS NULL;"
    )
    state.write_text("tables: {t: {}}")
    done = _run("--target", database.url, "--all")
    assert "no index begins with o, but live, which lacks some rows" in done.stdout


def test_conditions_of_any_depth_are_looked_at(new_database: Callable[..., Database]) -> None:
    chain = "(d ->> 'a')" + " || 'x'" * 3000
    nots = "NOT (" * 1500 + "d ->> 'a' = 'x' AND id > 0" + ")" * 1500
    ands = "id > 0 AND (" * 1500 + "a IS NOT NULL" + ")" * 1500
    database = new_database(
        f"{ROLES} CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, d jsonb,"
        f" CHECK (({chain}) <> ''), CHECK ({nots}));"
        f" ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING ({nots});"
        f" CREATE POLICY q ON t FOR INSERT WITH CHECK (({chain}) <> current_setting('x'));"
        f" CREATE INDEX i ON t (id) WHERE {ands};"
    )
    found = {(f.rule, f.ref.name) for f in _found(database) if f.ref}
    assert {("policy-calls-per-row", "q"), ("index-predicate-implied", "i")} <= found
