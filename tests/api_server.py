"""Serve a stand-in for an API on a free port; lists have pages of two items."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

PAGE = 2  # items: the smallest number that shows whether all pages are read
Document = dict[str, Any]


@dataclass
class Answer:
    """A status and a document or bytes."""

    status: int
    content: Document | list[Document] | bytes


def page_of(answer: Answer, query: Mapping[str, str]) -> tuple[Answer, bool]:
    """Return the page of a list, or of the artifacts in a document, and whether another follows."""
    content = answer.content
    if isinstance(content, bytes) or (isinstance(content, dict) and "artifacts" not in content):
        return answer, False
    items = content["artifacts"] if isinstance(content, dict) else content
    end = int(query.get("page", "1")) * PAGE
    page = items[end - PAGE : end]
    shown = {**content, "artifacts": page} if isinstance(content, dict) else page
    return Answer(answer.status, shown), len(items) > end


class StandIn(Protocol):
    """A stand-in for an API; `url` is where the stand-in is served."""

    url: str

    def answer(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        document: Document,
    ) -> Answer:
        """Answer a request."""
        ...


class _Handler(BaseHTTPRequestHandler):
    hub: StandIn

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        document: Document = json.loads(self.rfile.read(length)) if length else {}
        parts = urlsplit(self.path)
        query = {k: v[0] for k, v in parse_qs(parts.query).items()}
        headers = dict(self.headers.items())
        answer = self.hub.answer(self.command, parts.path, query, headers, document)
        answer, more = page_of(answer, query)
        content = answer.content
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(answer.status)
        if more:
            self.send_header("Link", f'<{self.hub.url}{parts.path}?page=next>; rel="next"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = _serve  # noqa: N815 - names of the library

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its parameter
        """Print nothing."""


Hub = TypeVar("Hub", bound=StandIn)


@contextmanager
def served(hub: Hub) -> Generator[Hub]:
    """Serve the API on a free port."""
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
