"""Run a function over targets in the workers of a Dask cluster.

https://distributed.dask.org. Functions and results are pickled: whoever may speak to the scheduler
may run programs there, so a connection is encrypted, or stays on this machine.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from ipaddress import ip_address
from threading import Event
from typing import Any, Generic, TypeVar

from reconciler.errors import SettingsError
from reconciler.fleet.threads import Outcome

OPTION = "--executor"
TIMEOUT = 30  # seconds to reach the scheduler
PATIENCE = 60.0  # seconds without any worker until the targets at work are given up
_INTERVAL = 2.0  # seconds between questions for workers
_PAUSE = 0.05  # seconds between looks for results
_NO_WORKERS = "the cluster has no workers: start some by `dask worker`"
_ADDRESS = re.compile(r"dask://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253}):(\d{1,5})")
_TLS = (
    "the connection to a Dask scheduler on another machine is TLS, and Dask has no certificates:"
    " set distributed.comm.tls.ca-file and .client.cert in its configuration"
    " (DASK_DISTRIBUTED__COMM__TLS__CA_FILE and DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT)"
)

Target = TypeVar("Target")
Result = TypeVar("Result")


def address_of(text: str) -> str:
    """Return Dask's address of `dask://HOST:PORT`, with TLS unless on this machine."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise SettingsError(f"{OPTION}: expected dask://HOST:PORT, such as dask://scheduler:8786")
    scheme = "tcp" if is_this_machine(found[1]) else "tls"
    return f"{scheme}://{found[1]}:{found[2]}"


def is_this_machine(host: str) -> bool:
    """Tell whether a host is a loopback address."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class _NoWorkersError(SettingsError):
    """There is a scheduler, and no worker."""

    rule = "no-workers"


@dataclass
class Cluster:
    """A Dask cluster, by the scheduler's address of `dask://HOST:PORT`; `forks` at once.

    A task whose worker is killed is begun again by another worker. `tell` shows a line. A cluster
    that has been `reached` may lose its workers: then each further target has an error.
    """

    address: str
    forks: int
    local: bool = False
    tell: Callable[[str], None] = lambda _: None
    reached: bool = False

    def run(
        self, function: Callable[[Target], Result], targets: Sequence[Target], stop: Event
    ) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come; once `stop` is set, no further target is begun.

        Raises SettingsError if there is no such cluster, or if it may be listened to.
        """
        try:
            client = self._client()
        except _NoWorkersError as error:
            if not self.reached:
                raise
            yield from (Outcome(target, error=error) for target in targets)
            return
        self.reached = True
        with client:
            tasks = _Tasks(client, function, deque(targets), _Watch(client, self.tell))
            yield from tasks.outcomes(self.forks, stop)

    def _client(self) -> Any:
        address = address_of(self.address)
        try:
            distributed = import_module("distributed")
        except ImportError:
            raise SettingsError(f"{OPTION} needs Dask: pip install 'pg-reconciler[dask]'") from None
        security = distributed.Security(require_encryption=address.startswith("tls:"))
        if address.startswith("tls:") and not (security.tls_ca_file and security.tls_client_cert):
            raise SettingsError(_TLS)
        try:
            client = distributed.Client(
                address, security=security, timeout=TIMEOUT, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise SettingsError(f"{OPTION} {self.address}: {error}") from None
        try:
            _assert_private(client.scheduler_info(n_workers=-1), address)
        except BaseException:
            client.close()
            raise
        return client


@dataclass
class _Watch:
    """Notice that a cluster has no workers, and say so once."""

    client: Any
    tell: Callable[[str], None]
    asked: float = 0.0
    missing_since: float | None = None

    def has_ended(self) -> bool:
        """Tell whether there has been no worker for too long; the cluster is asked now and then."""
        now = time.monotonic()
        if now - self.asked >= _INTERVAL:
            self.asked = now
            self._ask(now)
        return self.missing_since is not None and now - self.missing_since >= PATIENCE

    def _ask(self, now: float) -> None:
        is_there = self.client.status == "running"
        if is_there and self.client.scheduler_info(n_workers=-1)["workers"]:
            self.missing_since = None
        elif self.missing_since is None:
            self.missing_since = now
            self.tell(f"{_NO_WORKERS}; the work waits {PATIENCE:.0f} s for one")


@dataclass
class _Tasks(Generic[Target, Result]):
    """The targets of a command that wait, and those at work in a cluster, by the task's key."""

    client: Any
    function: Callable[[Target], Result]
    waiting: deque[Target]
    watch: _Watch
    running: dict[str, tuple[Target, Any]] = field(default_factory=dict[str, tuple[Target, Any]])

    def outcomes(self, forks: int, stop: Event) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come, an error for each target at work once all workers are gone.

        Once `stop` is set, no further target is begun.
        """
        completed = import_module("distributed").as_completed(loop=self.client.loop)
        for _ in range(min(forks, len(self.waiting))):
            self._begin(completed)
        while self.running:
            if completed.has_ready():
                future = next(completed)
                yield _outcome(self.running.pop(future.key)[0], future)
                if self.waiting and not stop.is_set():
                    self._begin(completed)
            elif self.watch.has_ended():
                yield from self._given_up()
            else:
                time.sleep(_PAUSE)
        yield from (Outcome(target, begun=False) for target in self.waiting)

    def _begin(self, completed: Any) -> None:
        target = self.waiting.popleft()
        future = self.client.submit(self.function, target, pure=False)
        self.running[future.key] = target, future
        completed.add(future)

    def _given_up(self) -> Iterator[Outcome[Target, Result]]:
        """Yield an error for each target at work; a worker that comes later does not begin it."""
        message = f"the cluster has had no workers for {PATIENCE:.0f} s, amid the work or before"
        self.client.cancel([future for _, future in self.running.values()], force=True)
        for target, _ in self.running.values():
            yield Outcome(target, error=OSError(message))
        self.running.clear()


def _assert_private(known: dict[str, Any], address: str) -> None:
    """Raise SettingsError for a cluster without TLS, if reachable from other machines."""
    if address.startswith("tls:"):
        return
    addresses = [known["address"], *known["workers"]]
    if not known["workers"]:
        raise _NoWorkersError(f"{OPTION}: {_NO_WORKERS}")
    for each in map(str, addresses):
        host = each.partition("://")[2].rpartition(":")[0]
        if not is_this_machine(host):
            raise SettingsError(
                f"{OPTION}: {each} of the cluster is no address of this machine alone, and it"
                " speaks without TLS: start scheduler and workers with --host 127.0.0.1, or with"
                " certificates"
            )


def _outcome(target: Target, future: Any) -> Outcome[Target, Any]:
    """Return the outcome of a task; an error if the task's workers were killed."""
    if future.status == "finished":
        return Outcome(target, future.result())
    reason = repr(future.exception())[:500] if future.status == "error" else future.status
    return Outcome(target, error=OSError(f"the task in the Dask cluster was lost: {reason}"))
