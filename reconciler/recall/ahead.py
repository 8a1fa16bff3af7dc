"""Let the server read the catalogs of a target while the declaration is read here."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass
from threading import Thread
from typing import NamedTuple

from reconciler.errors import StatementFailed
from reconciler.introspect.introspect import Reading, Snapshot
from reconciler.recall.remembered import Question, fingerprint_for
from reconciler.server.catalog_fingerprint import CatalogFingerprint
from reconciler.server.connection import Connection, connect_to_read

PATIENCE = 0.5  # seconds: the thread needs the processor, as much as the declaration does


class Read(NamedTuple):
    """A snapshot, the fingerprint of the catalogs before that, and the connection, still open."""

    connection: Connection
    fingerprint: CatalogFingerprint | None
    live: Snapshot


@dataclass(frozen=True)
class Begun:
    """A connection whose server reads the catalogs, and their fingerprint from before.

    Whatever is read later is at least as new as the fingerprint.
    """

    connection: Connection
    fingerprint: CatalogFingerprint | None
    reading: Reading

    @classmethod
    def on(cls, target: str, session: Mapping[str, str], question: Question | None) -> Begun:
        """Connect, take the fingerprint for a question, and send the queries.

        Raises ReconcileError.
        """
        connection = connect_to_read(target, session)
        try:
            return cls(connection, fingerprint_for(question, connection), Reading(connection))
        except BaseException:
            connection.close()
            raise

    def read(self, role: str) -> Read:
        """Finish; raises ReconcileError, and then closes the connection."""
        try:
            return Read(self.connection, self.fingerprint, self.reading.snapshot(role))
        except BaseException:
            self.reading.close()
            raise


class Ahead:
    """A reading that begins before the declaration is known, and ends after that.

    With `question`, a fingerprint is taken.
    """

    def __init__(self, question: Question | None) -> None:
        self.question = question
        self._beginning: Future[Begun] | None = None

    def begin(self, target: str, session: Mapping[str, str]) -> None:
        """Begin to read a target; what that raises is raised by `read`.

        A thread waits for a server that does not answer within PATIENCE.
        """
        beginning = self._beginning = Future[Begun]()

        def run() -> None:
            try:
                beginning.set_result(Begun.on(target, session, self.question))
            except BaseException as error:
                beginning.set_exception(error)

        Thread(target=run, daemon=True).start()
        wait([beginning], PATIENCE)

    def read(self, target: str, session: Mapping[str, str], role: str) -> Read:
        """Return what `introspect` returns for a role; raises ReconcileError.

        The server ends a session whose transaction waits for too long: then all is read anew.
        """
        beginning = self._beginning
        if beginning is not None:
            begun = beginning.result()
            self._beginning = None
            try:
                return begun.read(role)
            except StatementFailed:
                if not begun.connection.broken:
                    raise
        return Begun.on(target, session, self.question).read(role)

    def close(self) -> None:
        """Give up a reading that nobody has taken, at once or when it has begun."""
        beginning, self._beginning = self._beginning, None
        if beginning is not None:
            beginning.add_done_callback(_give_up)


def _give_up(beginning: Future[Begun]) -> None:
    if beginning.exception() is None:
        beginning.result().reading.close()
