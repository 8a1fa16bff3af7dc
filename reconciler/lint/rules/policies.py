"""Rules about the users, commands and conditions of row security policies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.lint.database import Database
from reconciler.lint.facts import PUBLIC, Policy, Relation, quoted
from reconciler.lint.rule import Found, rule
from reconciler.lint.tree import Node

COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete"}
EVERY = "*"
_EQUALITY = {"booleq", "int2eq", "int4eq", "int8eq", "numeric_eq", "texteq", "uuid_eq"}


def policy_sql(db: Database, policy: Policy) -> str:
    """Return the policy in ALTER POLICY: `own ON public.t`."""
    return f"{quoted(policy.name)} ON {db.relations[policy.relation].sql}"


def users(db: Database, relation: Relation) -> str:
    """Return the roles of requests for a new TO clause."""
    granted = {g.rsplit("=", 1)[0] for g in relation.grants} - {PUBLIC}
    roles = [*db.api_roles[-1:]] or sorted(granted)
    return ", ".join(map(quoted, roles)) or "CURRENT_USER"


def commands(policy: Policy) -> Sequence[str]:
    """Return the commands to which a policy applies."""
    return [*COMMANDS.values()] if policy.command == EVERY else [COMMANDS[policy.command]]


@rule(
    "policy-for-public",
    "warning",
    """Without TO a policy applies to PUBLIC: its condition is evaluated for visitors without an
    account as well, and a condition that is true by accident shows them the rows. TO ends before
    any condition is evaluated.""",
)
def policy_for_public(db: Database) -> Iterator[Found]:
    """Find a policy for every role."""
    for policy in db.policies:
        if PUBLIC in policy.roles and policy.is_permissive:
            to = users(db, db.relations[policy.relation])
            yield Found(
                ("pg_policy", policy.oid, 0),
                "applies to every role, visitors without an account included",
                f"ALTER POLICY {policy_sql(db, policy)} TO {to};",
                "to",
            )


def _is_true(db: Database, trees: Sequence[Node]) -> bool:
    """Tell whether a condition is the constant true, or compares two equal constants."""
    tree = trees[0] if trees else None
    if tree is None or tree.kind == "CONST":
        return tree is not None and tree.bytes[:1] == b"\x01"
    called, arguments = db.called.get(tree.function), tree.children("args")
    if called is None or not called.is_system or called.name not in _EQUALITY:
        return False
    values = {n.bytes if n.kind == "CONST" else b"" for n in arguments}
    return len(arguments) == 2 and len(values) == 1 and b"" not in values


@rule(
    "policy-write-unconditional",
    "error",
    """`USING (true)` or `WITH CHECK (true)` for INSERT, UPDATE or DELETE lets every user of the
    role write the rows of every other: for writing, row level security is then off.""",
    "0024 permissive_rls_policy",
)
def policy_write_unconditional(db: Database) -> Iterator[Found]:
    """Find a policy that lets a role write every row."""
    for policy in db.policies:
        relation = db.relations[policy.relation]
        if not policy.is_permissive or policy.command == "r" or not relation.secured:
            continue
        if policy.roles and not db.exposed(set(policy.roles), relation.schema) and db.api_roles:
            continue  # of a role of the backend
        checked = policy.check or (policy.using if policy.command in "w*" else [])
        conditions = {"a": [checked], "d": [policy.using]}.get(
            policy.command, [checked, policy.using]
        )
        if any(_is_true(db, condition) for condition in conditions):
            key = "check" if _is_true(db, policy.check) else "using"
            yield Found(
                ("pg_policy", policy.oid, 0),
                f"lets the role {', '.join(commands(policy)[-3:])} every row",
                f"DROP POLICY {policy_sql(db, policy)};",
                key,
            )


@rule(
    "policies-several-permissive",
    "warning",
    """PostgreSQL joins permissive policies with OR and evaluates all of them for each row: one slow
    condition makes the others slow, and an index serves an OR only if it serves each part. The
    original design had three generations of policies on a table, all evaluated on each read.""",
    "0006 multiple_permissive_policies",
)
def policies_several_permissive(db: Database) -> Iterator[Found]:
    """Find several permissive policies for one role and command."""
    for oid, policies in db.policies_of.items():
        seen: set[int] = set()
        if not db.relations[oid].secured:
            continue
        for command in COMMANDS.values():
            of = [p for p in policies if p.is_permissive and command in commands(p)]
            for number, policy in enumerate(of):
                earlier = [p for p in of[:number] if _share_a_role(p, policy)]
                if earlier and policy.oid not in seen:
                    seen.add(policy.oid)
                    names = ", ".join(quoted(p.name) for p in earlier)
                    yield Found(
                        ("pg_policy", policy.oid, 0),
                        f"is evaluated for {command} beside {names}",
                        _joined(db, earlier[0], policy),
                    )


def _share_a_role(one: Policy, other: Policy) -> bool:
    return bool({*one.roles} & {*other.roles}) or PUBLIC in (*one.roles, *other.roles)


def _joined(db: Database, one: Policy, other: Policy) -> str:
    """Join the conditions of two policies, if they are for the same roles and command."""
    if (one.command, {*one.roles}) != (other.command, {*other.roles}):
        return (
            f"-- declare one policy for each command of {db.relations[one.relation].sql}, with the"
            " conditions joined by OR"
        )
    conditions = [
        (word, first, second)
        for word, first, second in (
            ("USING", one.shown_visible, other.shown_visible),
            ("WITH CHECK", one.shown_written, other.shown_written),
        )
        if first and second
    ]
    clauses = " ".join(f"{word} ({first} OR {second})" for word, first, second in conditions)
    return f"DROP POLICY {policy_sql(db, other)};\nALTER POLICY {policy_sql(db, one)} {clauses};"


@rule(
    "policy-missing-for-command",
    "note",
    """A role has the privilege, but no policy lets it through: every such statement of the
    application is refused or sees no row. Declare the policy, or revoke the privilege, which gives
    a clear error.""",
)
def policy_missing_for_command(db: Database) -> Iterator[Found]:
    """Find a privilege on a table under row level security without a policy for the command."""
    for oid, policies in db.policies_of.items():
        relation = db.relations[oid]
        if not relation.secured:
            continue
        lacking: dict[str, list[str]] = {}
        for command in COMMANDS.values():
            for role in _without_policy(db, relation, policies, command):
                lacking.setdefault(role, []).append(command)
        if lacking:
            roles = ", ".join(map(quoted, lacking))
            of = [*dict.fromkeys(c for found in lacking.values() for c in found)]
            public = ", PUBLIC" if any(PUBLIC in relation.granted(c) for c in of) else ""
            yield Found(
                ("pg_class", oid, 0),
                f"{roles} may {', '.join(of)}, and no policy lets a row through",
                "\n".join(
                    f"REVOKE {', '.join(found).upper()} ON {relation.sql}"
                    f" FROM {quoted(role)}{public};"
                    for role, found in lacking.items()
                ),
            )


def _without_policy(
    db: Database, relation: Relation, policies: Sequence[Policy], command: str
) -> list[str]:
    """Return the roles with a privilege and with policies, but none for the command."""
    permissive = [p for p in policies if p.is_permissive]
    of = [p for p in permissive if command in commands(p)]
    return [
        role
        for role in db.exposed(relation.granted(command), relation.schema)
        if any({role, PUBLIC} & {*p.roles} for p in permissive)
        and not any({role, PUBLIC} & {*p.roles} for p in of)
    ]


@rule(
    "policy-reads-user-metadata",
    "error",
    """Users of Supabase change `user_metadata` of their own token: a policy that reads it lets
    everybody be whoever they want to be. `app_metadata` is written by the backend only.""",
    "0015 rls_references_user_metadata",
)
def policy_reads_user_metadata(db: Database) -> Iterator[Found]:
    """Find a policy that trusts what users write about themselves."""
    for policy in db.policies:
        for key, tree in policy.conditions:
            if _reads_metadata(db, tree):
                shown = policy.shown_visible if key == "using" else policy.shown_written
                clause = "USING" if key == "using" else "WITH CHECK"
                replaced = (shown or "").replace("user_metadata", "app_metadata")
                replaced = replaced.replace("raw_user_meta_data", "raw_app_meta_data")
                yield Found(
                    ("pg_policy", policy.oid, 0),
                    "reads user_metadata, which users write themselves",
                    f"ALTER POLICY {policy_sql(db, policy)} {clause} ({replaced});",
                    key,
                )
                break


def _reads_metadata(db: Database, tree: Node) -> bool:
    """Tell whether a condition has such a key, also in a path, or reads such a column."""
    columns = (db.columns[c].name for c in tree.columns_read & db.columns.keys())
    return _COLUMN in columns or any(_KEY in c.bytes for c in tree.of("CONST"))


_KEY, _COLUMN = b"user_metadata", "raw_user_meta_data"
