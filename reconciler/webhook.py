"""Send a JSON document to a webhook.

The address often holds the secret itself, as Slack's does, so no message shows more than its host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http.client import HTTPException
from ipaddress import ip_address
from threading import Thread
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from reconciler.errors import SettingsError, WebhookFailed

SECONDS = 10.0  # for the whole exchange
OPTION = "--webhook"
VARIABLE = "RECONCILE_WEBHOOK"

_TO_ENCODE = re.compile("[^!-~]")


class _NoRedirects(HTTPRedirectHandler):
    """Take an answer that leads elsewhere as a failure: what is sent is for the named host."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> None:
        del req, fp, code, msg, headers, newurl


def checked_address(url: str) -> str:
    """Return the address of a webhook; raises SettingsError unless https, or http on loopback.

    Python sends no name and password of an address, and no character that a URL must encode.
    """
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        usable = usable and not _TO_ENCODE.search(url)
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable or not (parts.scheme == "https" or _is_loopback(parts)):
        raise SettingsError(
            f"{OPTION}: expected an address https://…, or http://… of this machine, without a user"
            " name, spaces, line breaks and other characters than ASCII"
            " (not shown: it may hold a secret)"
        )
    return url


def _is_loopback(parts: SplitResult) -> bool:
    if parts.scheme != "http" or not parts.hostname:
        return False
    try:
        return parts.hostname == "localhost" or ip_address(parts.hostname).is_loopback
    except ValueError:
        return False


def send(url: str, content: Mapping[str, Any], seconds: float = SECONDS) -> None:
    """Send a document by POST, and wait for the answer; raises WebhookFailed.

    A server that answers a byte at a time is left after the same time as one that does not answer.
    """
    host = urlsplit(url).hostname
    failures: list[str] = []
    sender = Thread(target=lambda: failures.append(_failure(url, content, seconds)), daemon=True)
    sender.start()
    sender.join(seconds)
    reason = failures[0] if failures else f"no answer within {seconds:g} s"
    if reason:
        raise WebhookFailed(f"the webhook on {host} was not told: {reason}")


def _failure(url: str, content: Mapping[str, Any], seconds: float) -> str:
    """Send a document; return why that failed, or ""."""
    body = json.dumps(content).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "reconcile"}
    request = Request(url, body, headers, method="POST")  # noqa: S310 - https, or loopback
    handlers = [_NoRedirects()]
    opener = build_opener(*handlers, *([ProxyHandler({})] if _is_loopback(urlsplit(url)) else []))
    try:
        with opener.open(request, timeout=seconds):
            return ""
    except HTTPError as error:
        elsewhere = ", which leads elsewhere" if 300 <= error.code < 400 else ""
        error.close()
        return f"it answered with status {error.code}{elsewhere}"
    except URLError as error:
        return _described(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return _described(error)


def _described(error: object) -> str:
    strerror = error.strerror if isinstance(error, OSError) else ""
    return strerror or type(error).__name__
