"""A stand-in for the API of GitLab: notes, merge requests of a commit, pipelines, artifacts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.api_server import Answer, Document

PROJECT, OWN = 1, 40  # the project, and the user of the token
TOKEN = "glpat-token"
API = "/api/v4"


@dataclass
class GitLab:
    """The state of the project."""

    notes: list[Document] = field(default_factory=list[Document])
    merged: list[Document] = field(default_factory=list[Document])
    pipelines: list[Document] = field(default_factory=list[Document])
    jobs: dict[int, list[Document]] = field(default_factory=dict[int, list[Document]])
    plans: dict[int, bytes] = field(default_factory=dict[int, bytes])
    requests: list[str] = field(default_factory=list[str])
    url: str = ""

    def note(self, author: int, body: str) -> None:
        """Add somebody's note."""
        number = len(self.notes) + 1
        self.notes.append({"id": number, "author": {"id": author}, "body": body})

    def own_notes(self, marker: str) -> list[str]:
        """Return the bodies of our notes that begin with a marker."""
        start = f"<!-- {marker} -->\n"
        ours = (n["body"] for n in self.notes if n["author"]["id"] == OWN)
        return [body for body in ours if body.startswith(start)]

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        document: Document,
    ) -> Answer:
        """Answer a request as GitLab does: 404 for a wrong path, 401 for a wrong token."""
        self.requests.append(f"{method} {path}")
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, {"message": "401 Unauthorized"})
        for pattern, verb, handle in ROUTES:
            found = re.fullmatch(f"{API}/{pattern}", path)
            if found and verb == method:
                return handle(self, found, document)
        return Answer(404, {"message": "404 Not Found"})


def _create_note(hub: GitLab, _: object, document: Document) -> Answer:
    hub.note(OWN, document["body"])
    return Answer(201, hub.notes[-1])


def _edit_note(hub: GitLab, found: re.Match[str], document: Document) -> Answer:
    note = next(n for n in hub.notes if n["id"] == int(found[1]))
    if note["author"]["id"] != OWN:
        return Answer(403, {"message": "403 Forbidden"})
    note.update(body=document["body"])
    return Answer(200, note)


def _plan(hub: GitLab, found: re.Match[str], _: object) -> Answer:
    plan = hub.plans.get(int(found[1]))
    return Answer(404, {"message": "404 Not Found"}) if plan is None else Answer(200, plan)


Handle = Callable[[GitLab, re.Match[str], Document], Answer]
OF_PROJECT = f"projects/{PROJECT}"
OF_REQUEST = f"{OF_PROJECT}/merge_requests/7"
ROUTES: tuple[tuple[str, str, Handle], ...] = (
    ("user", "GET", lambda _, __, ___: Answer(200, {"id": OWN})),
    (f"{OF_REQUEST}/notes", "GET", lambda hub, _, __: Answer(200, hub.notes)),
    (f"{OF_REQUEST}/notes", "POST", _create_note),
    (rf"{OF_REQUEST}/notes/(\d+)", "PUT", _edit_note),
    (f"{OF_REQUEST}/pipelines", "GET", lambda hub, _, __: Answer(200, hub.pipelines)),
    (
        rf"{OF_PROJECT}/repository/commits/\w+/merge_requests",
        "GET",
        lambda hub, _, __: Answer(200, hub.merged),
    ),
    (
        rf"{OF_PROJECT}/pipelines/(\d+)/jobs",
        "GET",
        lambda hub, found, _: Answer(200, hub.jobs[int(found[1])]),
    ),
    (rf"{OF_PROJECT}/jobs/(\d+)/artifacts/reconcile-plan/plan.json", "GET", _plan),
)
