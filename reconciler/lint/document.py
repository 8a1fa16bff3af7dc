"""Write the documentation of the rules from the rules: docs/lint.md, and `reconcile explain`."""

from __future__ import annotations

from reconciler.lint.rule import SEVERITIES, Rule
from reconciler.lint.rules import all_rules
from reconciler.lint.settings import LintSettings

TOPIC = "lint"
_HEAD = """\
# Rules of `reconcile lint`

    reconcile lint                          # the declaration alone, built on a scratch server
    reconcile lint --target URL             # the declaration as laid over a database
    reconcile lint --start before.sql       # the same, over a database that a file of SQL makes
    reconcile lint --target URL --all       # every object of the database
    reconcile lint --format sarif --out F   # or text, json, github (annotations in a workflow)

The exit status is 0 if nothing is found, 2 if something is, 1 after an error. Each finding has the
name of a rule, a severity, the position in the YAML, and SQL that ends the fault; where another
design is needed, the SQL is a comment. The SQL is meant to be read: some of it takes long locks,
while the same change in the YAML is made online by `apply`.

`plan` shows what the rules find on the objects that it creates or alters, as advice: its exit
status is the same with findings as without. Rules that look at the whole database or at its
statistics are left to `lint`.

## Accepting a finding

The key `lint` of an object accepts findings of a rule there, and on the parts of a table, with a
reason:

```yaml
functions:
  f(n integer):
    lint: {allow: {definer-executable-by-api-role: it tells people about themselves only}}
```

`reconcile.yml` changes what holds everywhere:

```yaml
lint:
  severity: {jsonb-without-check: warning}   # error, warning or note
  off: {timestamp-without-time-zone: the framework wants it so}
  baseline: lint-baseline.json               # a file of findings that are not shown
  api_roles: [anon, authenticated]           # the roles of requests from outside
```

`reconcile lint --write-baseline` writes the baseline, so that an old database begins at zero.

"""


def document() -> str:
    """Return docs/lint.md."""
    counts = ", ".join(
        f"{sum(r.severity == s for r in all_rules().values())} {s}s" for s in SEVERITIES
    )
    rules = [described(rule, "### ") for rule in all_rules().values()]
    return f"{_HEAD}## The rules\n\n{len(rules)} rules: {counts}.\n\n" + "\n".join(rules)


def described(rule: Rule, heading: str = "# ") -> str:
    """Describe a rule."""
    covers = f"\nSplinter sees it as `{rule.covers}`.\n" if rule.covers else ""
    roles = ", ".join(LintSettings().api_roles)
    requests = f"\nThe roles of requests are {roles}, or `api_roles` of reconcile.yml.\n"
    about_roles = requests if "role of requests" in rule.summary else ""
    measured = "\nOnly a live database (`--target`) has what it looks at.\n"
    return (
        f"{heading}{rule.name}\n\n{rule.severity}: {rule.summary}.\n\n{rule.why}\n"
        f"{about_roles}{measured if rule.is_measured else ''}{covers}"
    )
