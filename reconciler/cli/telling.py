"""Tell a webhook when the state of a target has changed since the last run."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import click

from reconciler.cli.options import collected
from reconciler.cli.output import assert_no_link, replace_file
from reconciler.declare.files import FileRefused, read_regular
from reconciler.drift.result import DriftReport, TargetDrift
from reconciler.errors import SettingsError
from reconciler.escape import json_document
from reconciler.report.notification import FORMS
from reconciler.webhook import OPTION, VARIABLE, checked_address, send

MAX_STATE = 16 << 20  # bytes of the file
STATE_OPTION = "--state-file"


@dataclass(frozen=True)
class WebhookOptions:
    """The webhook to tell, and the file that remembers what it was told."""

    webhook: str | None
    webhook_form: str
    state_file: Path | None

    @property
    def asked(self) -> bool:
        """Whether a webhook is to be told."""
        return bool(self.webhook)

    def check(self) -> None:
        """Raise SettingsError for options that cannot be followed, before anything is done."""
        if self.webhook:
            checked_address(self.webhook)
            self._read()

    def tell(self, report: DriftReport) -> None:
        """Tell the webhook of the targets whose state has changed; raises WebhookFailed.

        Without a file to remember the last state, all that are not as declared are told of each
        time. What was not told is told by the next run.
        """
        if not self.webhook:
            return
        before = self._read()
        now = {t.name: _state(t) for t in report.targets}
        told = [t for t in report.targets if before.get(t.name, _state_of("ok")) != now[t.name]]
        if told:
            changed = DriftReport(told, several=report.several)
            send(self.webhook, FORMS[self.webhook_form](changed))
        if self.state_file and any(before.get(name) != state for name, state in now.items()):
            document = {"version": 1, "targets": {**before, **now}}
            replace_file(json_document(document), self.state_file, STATE_OPTION)

    def _read(self) -> Mapping[str, Any]:
        """Return the state that was told last; of no target where the file does not say it."""
        file = self.state_file
        if file is None or not os.path.lexists(file):
            return {}
        assert_no_link(file, STATE_OPTION)
        try:
            targets: object = json.loads(read_regular(file, MAX_STATE))["targets"]
        except FileRefused as error:
            raise SettingsError(f"{STATE_OPTION} {file}: {error}") from None
        except (ValueError, KeyError, TypeError, RecursionError):
            targets = None
        if not isinstance(targets, dict):
            raise SettingsError(
                f"{STATE_OPTION} {file}: it holds no state of targets; remove it, or name another"
            )
        return cast("dict[str, Any]", targets)


def _state(target: TargetDrift) -> Mapping[str, str]:
    """Return what is compared with the last run: the status, and which objects differ how.

    Messages of errors are left out: they change while nothing else does.
    """
    differing = [
        (o.title, o.drift_class, [(f.field, f.live, f.wanted) for f in o.fields])
        for o in target.objects
    ]
    return _state_of(target.status, differing)


def _state_of(status: str, differing: list[Any] | None = None) -> Mapping[str, str]:
    content = json.dumps(differing or [], sort_keys=True, default=str)
    return {"status": status, "digest": sha256(content.encode()).hexdigest()}


webhook_options = collected(
    "told",
    WebhookOptions,
    click.option(
        OPTION,
        metavar="URL",
        envvar=VARIABLE,
        help="An address that is told of differences and errors by POST: https, or http on this"
        f" machine. Default: {VARIABLE}, else none; never a setting of reconcile.yml.",
    ),
    click.option(
        "--webhook-form",
        type=click.Choice(sorted(FORMS)),
        default="json",
        show_default=True,
        help="What is sent: a JSON document, or a message for Slack and what understands it.",
    ),
    click.option(
        STATE_OPTION,
        type=click.Path(path_type=Path, dir_okay=False),
        help="A file that remembers what the webhook was told: it is told again only when that has"
        " changed. Without a webhook it is not used.",
    ),
)
