# SPDX-License-Identifier: MIT
# pyright: basic, reportMissingImports=false
"""Bring a PostgreSQL database to its declared state, as a module of Ansible.

The module runs the command `reconcile` on the host and imports nothing from it, so that any Python
of the host will do. The URLs reach the command by environment variables: the arguments of a process
can be read by all users of the host.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: reconcile
short_description: Bring a PostgreSQL database to the state declared in YAML files
version_added: "0.1.0"
description:
  - Compares a database with YAML files by C(reconcile plan), and closes the difference by
    C(reconcile apply). The plan that is returned is the plan that is run.
  - A step with a hazard, such as the loss of data, fails the task before anything is changed,
    unless O(allow) or a line of C(approvals.yml) beside C(reconcile.yml) lets the hazard through.
author:
  - The authors of reconcile (!UNKNOWN)
requirements:
  - the command C(reconcile) on the host, from the package C(pg-reconciler)
options:
  url:
    description:
      - The connection string of the database. It is never shown, and is handed to C(reconcile) as
        the environment variable E(DATABASE_URL).
      - Without O(url) and O(target), C(reconcile) chooses the database as on the command line.
    type: str
  target:
    description:
      - The name of a target in C(reconcile.yml), or V(embedded) for a server that C(reconcile)
        starts. A connection string belongs in O(url).
    type: str
  chdir:
    description:
      - The folder in which C(reconcile) runs. C(reconcile.yml) and C(approvals.yml) are read there.
    type: path
  state:
    description:
      - The folder of the YAML files. By default O(state) in C(reconcile.yml), else
        C(desired_state). A relative path begins at O(chdir).
    type: path
  schemas:
    description:
      - Compare these schemas, V(*) for all. By default C(schemas) in C(reconcile.yml), else the
        schemas of the YAML files.
    type: list
    elements: str
    default: []
  prune:
    description:
      - Drop the objects that the YAML files do not declare.
    type: bool
    default: false
  allow:
    description:
      - Run steps with these hazards.
    type: list
    elements: str
    choices:
      - data-loss
      - table-rewrite
      - blocks-writes
      - blocks-reads
      - long-scan
      - weakens-security
      - irreversible
      - stops-replication
      - all
    default: []
  journal:
    description:
      - The schema that records the runs. By default C(journal) in C(reconcile.yml), else
        C(reconcile).
    type: str
  scratch:
    description:
      - The server on which plans are tried out first. By default E(RECONCILE_SCRATCH), else
        C(scratch) in C(reconcile.yml), else a server that C(reconcile) starts on the host.
    type: str
    choices: [embedded, installed, target]
  scratch_url:
    description:
      - The connection string of the server on which plans are tried out first. It is never shown.
    type: str
  verify_url:
    description:
      - The connection string of the database with an ordinary user, who runs the declared checks.
        It is never shown.
    type: str
  executable:
    description:
      - The command, by name or by its absolute path in a virtual environment.
    type: path
    default: reconcile
attributes:
  check_mode:
    description: Can run in check mode and return changed status prediction without modifying target
    support: full
    details:
      - A hazard that nothing lets through fails the task in check mode too.
  diff_mode:
    description: Returns details on what has changed (or possibly needs changing in check mode)
    support: full
"""

EXAMPLES = r"""
- name: Bring the database to its declared state
  reconcile.postgresql.reconcile:
    url: "{{ vault_database_url }}"
    state: /srv/app/desired_state

- name: Let hazards through, and drop what is not declared
  reconcile.postgresql.reconcile:
    target: production
    chdir: /srv/app
    prune: true
    allow: [data-loss, long-scan]

- name: See whether the database is as declared
  reconcile.postgresql.reconcile:
    url: "{{ vault_database_url }}"
    state: /srv/app/desired_state
  check_mode: true
  register: drift
  failed_when: drift is failed or drift is changed
"""

RETURN = r"""
diff:
  description: Each object that is created, altered or dropped, before and after.
  returned: when the database could be compared
  type: list
  elements: dict
plan:
  description:
    - The plan as C(reconcile plan --format json) writes it.
  returned: when the database could be compared
  type: dict
recap:
  description: The last line of C(reconcile apply).
  returned: when the plan was run to its end
  type: str
  sample: ok=14 changed=17 failed=0 skipped=0
report:
  description: What C(reconcile apply) printed, with the plan, the progress and the blockers.
  returned: when a plan was run, was refused, or could not be made
  type: list
  elements: str
"""

import json
import re
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

from ansible.module_utils.basic import AnsibleModule

DONE = 0  # exit statuses
DIFFERENT = 2  # of `plan` and `apply --check`; of `apply --yes`: a declared check did not pass
VARIABLES = {
    "url": "DATABASE_URL",
    "scratch_url": "RECONCILE_SCRATCH",
    "verify_url": "RECONCILE_VERIFY_URL",
}
OPTIONS = ("target", "state", "journal", "scratch")
HAZARDS = (
    "data-loss",
    "table-rewrite",
    "blocks-writes",
    "blocks-reads",
    "long-scan",
    "weakens-security",
    "irreversible",
    "stops-replication",
    "all",
)
ARGUMENTS = {
    "url": {"type": "str", "no_log": True},
    "target": {"type": "str"},
    "chdir": {"type": "path"},
    "state": {"type": "path"},
    "schemas": {"type": "list", "elements": "str", "default": []},
    "prune": {"type": "bool", "default": False},
    "allow": {"type": "list", "elements": "str", "choices": list(HAZARDS), "default": []},
    "journal": {"type": "str"},
    "scratch": {"type": "str", "choices": ["embedded", "installed", "target"]},
    "scratch_url": {"type": "str", "no_log": True},
    "verify_url": {"type": "str", "no_log": True},
    "executable": {"type": "path", "default": "reconcile"},
}
_CONNECTION_STRING = re.compile(r"://|=")
_PASSWORDS = re.compile(
    r"://[^:/?#@]*:([^@/]*)@"  # in a URL
    r"|[?&](?:ssl)?password=([^&#]*)"
    r"|\b(?:ssl)?password\s*=\s*'((?:[^'\\]|\\.)*)'"  # in a keyword string
    r"|\b(?:ssl)?password\s*=\s*([^\s'&]+)"
)


class Reconcile:
    """The command `reconcile` with the options of a task."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        given = module.params
        self.program = module.get_bin_path(given["executable"], required=True)
        self.environment = {v: given[name] for name, v in VARIABLES.items() if given[name]}
        self.options = [f"--{name}={given[name]}" for name in OPTIONS if given[name]]
        self.options += [f"--schema={name}" for name in given["schemas"]]
        self.options += [f"--allow={name}" for name in given["allow"]]
        self.options += ["--prune"] if given["prune"] else []

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command; return its exit status, stdout and stderr."""
        return self.module.run_command(
            [self.program, *arguments, *self.options],
            cwd=self.module.params["chdir"],
            ignore_invalid_cwd=False,
            environ_update=self.environment,
            expand_user_and_vars=False,
        )

    def assert_program(self) -> None:
        """Fail the task unless the program says that it is reconcile."""
        command = [self.program, "--version"]
        status, printed = self.module.run_command(command, expand_user_and_vars=False)[:2]
        if status != DONE or not re.match(r"reconcile \d", printed):
            self.module.fail_json(msg=f"executable: {self.program} is not reconcile")

    def plan(self, file: Path) -> dict:
        """Write the plan to a file, and return the plan; a failed command fails the task."""
        status, printed, errors = self.run("plan", "--format=json", f"--out={file}")
        if status not in (DONE, DIFFERENT):
            self.module.fail_json(msg=error_of(errors), report=(printed + errors).splitlines())
        return json.loads(file.read_text(encoding="utf-8"))

    def apply(self, file: Path, result: dict) -> str:
        """Run the plan, or in check mode only look for what refuses it; return the recap.

        A step or a declared check that fails, and a plan that is refused, fail the task.
        """
        mode = "--check" if self.module.check_mode else "--yes"
        status, recap, report = self.run("apply", mode, str(file))
        result["report"] = report.splitlines()
        if status != DONE and not (self.module.check_mode and status == DIFFERENT):
            result["changed"] = re.search(r"\bchanged=[1-9]", recap) is not None
            self.module.fail_json(msg=error_of(report), **result)
        return recap.strip()


def error_of(report: str) -> str:
    """Return the error, or the declared checks that did not pass, from a command's stderr."""
    message = re.search(r"^(?:error: |(?=FAILED ))(.*)", report, re.MULTILINE | re.DOTALL)
    return (message[1] if message else report).strip() or "reconcile failed and said nothing"


def printable(text: str) -> str:
    """Return text of a database without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else f"\\u{ord(c):04x}" for c in text)


def described(attributes: dict | None) -> str:
    """Return the attributes of an object as lines, without those that say nothing."""
    lines: list[str] = []
    for name, value in (attributes or {}).items():
        if value is None or value is False or value in ("", [], {}):
            continue
        if isinstance(value, str) and "\n" in value:
            lines += [f"{name}: |", *(f"  {line}" for line in value.splitlines())]
        else:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            lines.append(f"{name}: {shown}")
    return "".join(f"{printable(line)}\n" for line in lines)


def diff_of(change: dict) -> dict[str, str]:
    """Return a change of the plan in the form of Ansible's diff mode."""
    title = printable(f"{change['kind']} {change['identity']}")
    before, after = change["before"], change["after"]
    return {
        "before_header": title if before is not None else f"{title} (absent)",
        "after_header": title if after is not None else f"{title} (absent)",
        "before": described(before),
        "after": described(after),
    }


def hide_passwords(module: AnsibleModule) -> None:
    """Hide the password of each URL too, where it stands without the URL."""
    for name in VARIABLES:
        for found in _PASSWORDS.findall(module.params[name] or ""):
            for password in filter(None, found):
                module.no_log_values.update((password, unquote(password)))


def check_options(module: AnsibleModule) -> None:
    """Fail the task for an option that is empty, or that shows a connection string."""
    for name, value in module.params.items():
        if value == "":
            # An undefined secret must not lead to the default database.
            module.fail_json(msg=f"{name} is empty: leave it out, or give a value")
    chdir = module.params["chdir"]
    if chdir is not None and not Path(chdir).is_dir():
        # Ansible would run the command in the current folder, with the declaration there.
        module.fail_json(msg=f"chdir: no such folder: {chdir}")
    target = module.params["target"] or ""
    if _CONNECTION_STRING.search(target):
        module.no_log_values.add(target)
        module.fail_json(
            msg="target takes a name of reconcile.yml: give a connection string as url, which is"
            " never shown"
        )


def main() -> NoReturn:
    """Compare the database, and run the plan unless Ansible is in check mode."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("url", "target"), ("scratch", "scratch_url")],
        supports_check_mode=True,
    )
    check_options(module)
    hide_passwords(module)
    reconcile = Reconcile(module)
    reconcile.assert_program()
    file = Path(module.tmpdir) / "plan.json"  # the folder is private, and removed by Ansible
    plan = reconcile.plan(file)
    diff = [diff_of(change) for change in plan["changes"]]
    result = {"changed": not plan["in_sync"], "diff": diff, "plan": plan}
    if result["changed"]:
        recap = reconcile.apply(file, result)
        if not module.check_mode:
            result["recap"] = recap
    module.exit_json(**result)
    raise AssertionError  # exit_json has ended the process


if __name__ == "__main__":
    main()
