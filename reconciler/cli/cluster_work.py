"""The work of a command in the workers of a cluster: no credentials travel there.

A worker takes targets by name from its own reconcile.yml and environment, and has the same files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from reconciler import settings
from reconciler.checks import access
from reconciler.cli.target_work import Order, Work, work_on
from reconciler.cli.targets import NamedTarget
from reconciler.declare.files import MAX_YAML_SIZE, FileRefused, files_in_folder, yaml_files
from reconciler.errors import ReconcileError, SettingsError
from reconciler.rollout.result import ERROR, TargetResult
from reconciler.server.redaction import is_url
from reconciler.server.scratch import OWN

SCRATCH = "RECONCILE_SCRATCH"


def for_workers(work: Work, named: Sequence[NamedTarget]) -> Work:
    """Return the work without URLs, which may hold passwords; raises SettingsError."""
    for target in named:
        if target.flag is None or is_url(target.flag):
            raise SettingsError(
                f"--executor: target {target.name or 'without a name'} has no name in"
                " reconcile.yml, by which workers find its URL in their own environment"
            )
    for option in work.execution.session:
        if "." in option.partition("=")[0]:
            raise SettingsError(
                "--executor: --set of an extension's parameter may hold a secret, and is not sent"
                " to workers"
            )
    scratch = work.declaration.scratch
    declaration = replace(
        work.declaration, scratch=scratch if scratch in (*OWN, "target") else None
    )
    checks = replace(work.checks, verify_target=None)
    files = "" if work.undo else digest_of_files(work)
    return replace(work, declaration=declaration, checks=checks, files=files)


def work_in_worker(order: Order, named: NamedTarget) -> TargetResult:
    """Carry out an order with the files and the environment of this worker."""
    work = order.work
    try:
        differs = bool(work.files) and digest_of_files(work) != work.files
    except (FileRefused, ReconcileError, OSError) as error:
        return TargetResult(named.name, "failed", ERROR, message=f"files of the worker: {error}")
    if differs:
        message = "the YAML files of the worker are others than those of the command"
        return TargetResult(named.name, "failed", ERROR, message=message)
    scratch = work.declaration.scratch or os.environ.get(SCRATCH)
    declaration = replace(work.declaration, scratch=scratch)
    checks = replace(work.checks, verify_target=os.environ.get(access.VARIABLE))
    own = replace(work, declaration=declaration, checks=checks)
    return work_on(replace(order, work=own), named)


def digest_of_files(work: Work) -> str:
    """Digest the YAML files of the declaration, and the files of SQL beside them."""
    folder = work.declaration.state or settings.read().state_folder()
    files = files_in_folder(folder)
    names = [*yaml_files(folder), *(_files_of_sql(folder) if folder.is_dir() else ())]
    content = sha256()
    for path in sorted(names):
        content.update(f"{path.relative_to(folder)}\n".encode())
        content.update(sha256(files.read(path, MAX_YAML_SIZE)).digest())
    return content.hexdigest()


def _files_of_sql(folder: Path) -> Sequence[Path]:
    return [path for path in folder.rglob("*.sql") if path.is_file()]
