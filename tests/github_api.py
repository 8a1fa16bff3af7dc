"""A stand-in for the API of GitHub: comments, artifacts, merged pull requests, code scanning.

A token may do what the job's `permissions` allow.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.api_server import Answer, Document

MAX_BODY = 65_536  # characters of a comment
REPOSITORY, REPOSITORY_ID, FORK_ID = "owner/shop", 1, 2
BOT = "github-actions[bot]"


@dataclass
class GitHub:
    """The state of the repository, and the requests."""

    comments: list[Document] = field(default_factory=list[Document])
    pulls: list[Document] = field(default_factory=list[Document])
    artifacts: list[Document] = field(default_factory=list[Document])
    archives: dict[int, bytes] = field(default_factory=dict[int, bytes])
    analyses: list[Document] = field(default_factory=list[Document])
    tokens: dict[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    requests: list[str] = field(default_factory=list[str])
    has_code_scanning: bool = True
    url: str = ""

    def comment(self, login: str, body: str) -> None:
        """Add somebody's comment."""
        number = len(self.comments) + 1
        self.comments.append({"id": number, "user": {"login": login}, "body": body})

    def own_comments(self, marker: str) -> list[str]:
        """Return the bodies of our comments that begin with a marker."""
        return [
            c["body"]
            for c in self.comments
            if c["user"]["login"] == BOT and c["body"].startswith(f"<!-- {marker} -->\n")
        ]

    def save(self, name: str, folder: Path, run: Mapping[str, object]) -> str:
        """Save a folder as an artifact, as actions/upload-artifact does; return its URL."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in sorted(folder.iterdir()):
                archive.write(file, file.name)
        number = len(self.artifacts) + 1
        self.archives[number] = packed.getvalue()
        made = f"2026-01-01T00:00:{number:02}Z"
        self.artifacts.insert(
            0,
            {
                "id": number,
                "name": name,
                "expired": False,
                "created_at": made,
                "workflow_run": dict(run),
            },
        )
        return f"https://github.example/artifacts/{number}"

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        document: Document,
    ) -> Answer:
        """Answer a request as GitHub does; 404 for a wrong path, 403 for a missing permission."""
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        self.requests.append(f"{method} {path}")
        if token not in self.tokens:
            return Answer(401, {"message": "Bad credentials"})
        for pattern, verb, permission, handle in ROUTES:
            found = re.fullmatch(f"/repos/{REPOSITORY}/{pattern}", path)
            if found is None or verb != method:
                continue
            scope, level = permission.split(":")
            if self.tokens[token].get(scope) not in {level, "write"}:
                return Answer(403, {"message": "Resource not accessible by integration"})
            return handle(self, found, query, document)
        return Answer(404, {"message": "Not Found"})


def _list_comments(hub: GitHub, *_: object) -> Answer:
    return Answer(200, hub.comments)


def _create_comment(hub: GitHub, _: object, __: object, document: Document) -> Answer:
    if len(document["body"]) > MAX_BODY:
        return Answer(422, {"message": "body is too long (maximum is 65536 characters)"})
    hub.comment(BOT, document["body"])
    return Answer(201, hub.comments[-1])


def _edit_comment(hub: GitHub, found: re.Match[str], _: object, document: Document) -> Answer:
    if len(document["body"]) > MAX_BODY:
        return Answer(422, {"message": "body is too long (maximum is 65536 characters)"})
    comment = next(c for c in hub.comments if c["id"] == int(found[1]))
    comment.update(body=document["body"])
    return Answer(200, comment)


def _pulls_of_commit(hub: GitHub, *_: object) -> Answer:
    return Answer(200, hub.pulls)


def _list_artifacts(hub: GitHub, _: object, query: Mapping[str, str], __: object) -> Answer:
    found = [a for a in hub.artifacts if a["name"] == query["name"]]
    return Answer(200, {"total_count": len(found), "artifacts": found})


def _download(hub: GitHub, found: re.Match[str], *_: object) -> Answer:
    return Answer(200, hub.archives[int(found[1])])


def _upload_analysis(hub: GitHub, _: object, __: object, document: Document) -> Answer:
    if not hub.has_code_scanning:
        return Answer(403, {"message": "Code scanning is not enabled for this repository."})
    sarif = gzip.decompress(base64.b64decode(document["sarif"], validate=True))
    hub.analyses.append({**document, "sarif": json.loads(sarif)})
    return Answer(202, {"id": "1"})


Handle = Callable[[GitHub, re.Match[str], Mapping[str, str], Document], Answer]
ROUTES: tuple[tuple[str, str, str, Handle], ...] = (
    (r"issues/\d+/comments", "GET", "pull-requests:read", _list_comments),
    (r"issues/\d+/comments", "POST", "pull-requests:write", _create_comment),
    (r"issues/comments/(\d+)", "PATCH", "pull-requests:write", _edit_comment),
    (r"commits/\w+/pulls", "GET", "pull-requests:read", _pulls_of_commit),
    (r"actions/artifacts", "GET", "actions:read", _list_artifacts),
    (r"actions/artifacts/(\d+)/zip", "GET", "actions:read", _download),
    (r"code-scanning/sarifs", "POST", "security-events:write", _upload_analysis),
)
