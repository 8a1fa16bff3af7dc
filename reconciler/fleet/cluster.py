"""Run a function over targets in the workers of a Dask cluster.

https://distributed.dask.org. Functions and results are pickled: whoever may speak to the scheduler
may run programs there, so a connection is encrypted, or stays on this machine.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from ipaddress import ip_address
from threading import Event
from typing import Any, TypeVar

from reconciler.errors import SettingsError
from reconciler.fleet.threads import Outcome

OPTION = "--executor"
TIMEOUT = 30  # seconds to reach the scheduler
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


@dataclass(frozen=True)
class Cluster:
    """A Dask cluster, by the scheduler's address of `dask://HOST:PORT`; `forks` at once.

    A task whose worker is killed is begun again by another worker.
    """

    address: str
    forks: int
    local: bool = False

    def run(
        self, function: Callable[[Target], Result], targets: Sequence[Target], stop: Event
    ) -> Iterator[Outcome[Target, Result]]:
        """Yield outcomes as they come; once `stop` is set, no further target is begun.

        Raises SettingsError if there is no such cluster, or if it may be listened to.
        """
        with self._client() as client:
            yield from _run(client, function, targets, self.forks, stop)

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


def _run(
    client: Any,
    function: Callable[[Target], Result],
    targets: Sequence[Target],
    forks: int,
    stop: Event,
) -> Iterator[Outcome[Target, Result]]:
    waiting, running = deque(targets), dict[str, Target]()
    completed = import_module("distributed").as_completed(loop=client.loop)

    def begin() -> None:
        target = waiting.popleft()
        future = client.submit(function, target, pure=False)
        running[future.key] = target
        completed.add(future)

    for _ in range(min(forks, len(targets))):
        begin()
    for future in completed:
        yield _outcome(running.pop(future.key), future)
        if waiting and not stop.is_set():
            begin()
    yield from (Outcome(target, begun=False) for target in waiting)


def _assert_private(known: dict[str, Any], address: str) -> None:
    """Raise SettingsError for a cluster without TLS, if reachable from other machines."""
    if address.startswith("tls:"):
        return
    addresses = [known["address"], *known["workers"]]
    if not known["workers"]:
        raise SettingsError(f"{OPTION}: the cluster has no workers: start some by `dask worker`")
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
