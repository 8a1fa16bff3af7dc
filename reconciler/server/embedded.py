"""List, stop and remove the kept servers, and make ordinary users."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from psycopg import conninfo

from reconciler.errors import ScratchError, StatementFailed
from reconciler.server.connection import connect, rows, run_sql
from reconciler.server.kept import IDLE, wait_for_end
from reconciler.server.process import (
    data_folder,
    locked,
    postmaster_lines,
    running_pid,
    write_private,
)
from reconciler.server.roles import ordinary_roles
from reconciler.sql import compose, literal, text

USER = "reconcile_verify"
DATA = ("pg_read_all_data", "pg_write_all_data")
_ROLES = """
    SELECT r.rolname::text AS role FROM pg_catalog.pg_auth_members AS m
    JOIN pg_catalog.pg_roles AS r ON r.oid = m.roleid
    JOIN pg_catalog.pg_roles AS u ON u.oid = m.member WHERE u.rolname = %s"""
_FOLDER = re.compile(r"(?P<purpose>.+)-(?P<major>\d+)")


@dataclass(frozen=True)
class EmbeddedServer:
    """A kept server; `pid` and `since` are None for a stopped server.

    It stops by itself when nobody has used it for `idle` seconds.
    """

    purpose: str
    major: int
    folder: Path
    sockets: str
    pid: int | None
    since: datetime | None
    idle: float

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def name(self) -> str:
        """Name the server: the purpose and the major version."""
        return f"{self.purpose}-{self.major}"

    def stop(self) -> bool:
        """Stop the server; return whether the server ran. Raises ScratchError on failure."""
        with locked(self.folder / "start.lock"):
            pid = running_pid(self.data)
            for how in (signal.SIGINT, signal.SIGQUIT):  # a fast, then an immediate shutdown
                if pid is not None and running_pid(self.data) == pid:
                    os.kill(pid, how)
                    wait_for_end(pid)
            if running_pid(self.data) is not None:
                raise ScratchError(f"the server of {self.folder} does not stop")
        return pid is not None

    def remove(self) -> None:
        """Stop the server, and delete the server's folder; raises ScratchError."""
        if why := not_ours(self.folder):
            raise ScratchError(f"{self.folder} {why}")
        self.stop()
        try:
            self._remove_sockets()
            shutil.rmtree(self.folder)
        except OSError as error:
            raise ScratchError(f"{self.folder} could not be removed: {error}") from error

    def _remove_sockets(self) -> None:
        """Remove the folder of the sockets, which a long path puts elsewhere."""
        sockets = Path(self.sockets)
        if sockets.name.startswith("reconcile-") and self.data.exists():
            with suppress(FileNotFoundError):
                status = sockets.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == self.data.stat().st_uid:
                    shutil.rmtree(sockets)


def servers() -> Iterator[EmbeddedServer]:
    """List the kept servers of this user, below RECONCILE_HOME or the usual folder."""
    home = data_folder() / "servers"
    if not home.is_dir():
        return
    if why := not_ours(home):
        raise ScratchError(f"{home} {why}; RECONCILE_HOME names another folder")
    for folder in sorted(home.iterdir()):
        found = _FOLDER.fullmatch(folder.name)
        if found and not not_ours(folder):
            yield _server(folder, found["purpose"], int(found["major"]))


def not_ours(folder: Path) -> str:
    """Explain why a folder is not the current user's; "" if the folder is."""
    try:
        status = folder.lstat()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if folder.is_symlink():
        return "is a symbolic link"
    if not folder.is_dir():
        return "is not a folder"
    return "" if status.st_uid == os.geteuid() else "belongs to another user"


def _server(folder: Path, purpose: str, major: int) -> EmbeddedServer:
    sockets, idle = "", IDLE
    with suppress(OSError, ValueError):
        sockets = str(conninfo.conninfo_to_dict(_read(folder / "url")).get("host", ""))
    with suppress(OSError, ValueError):
        idle = float(_read(folder / "idle"))
    pid = running_pid(folder / "data")
    return EmbeddedServer(purpose, major, folder, sockets, pid, _since(folder, pid), idle)


def _since(folder: Path, pid: int | None) -> datetime | None:
    if pid is None:
        return None
    with suppress(OSError, ValueError, IndexError, OverflowError):
        return datetime.fromtimestamp(int(postmaster_lines(folder / "data")[2]), UTC)
    return None


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace").strip()


# -- the user that runs checks


def server_at(url: str) -> EmbeddedServer | None:
    """Return the kept server of a URL; None for any other server."""
    with suppress(ScratchError):
        host = str(conninfo.conninfo_to_dict(url).get("host", ""))
        for server in servers():
            if server.pid is not None and host and server.sockets == host:
                return server
    return None


def ordinary_user(server: EmbeddedServer, url: str) -> str:
    """Return a URL with an ordinary user, created if missing.

    It reads and writes every table and is a member of every ordinary role, and of no other.
    """
    passwords = server.folder / "passwords"
    with locked(server.folder / "user.lock"), connect(_read(server.folder / "url")) as admin:
        if not rows(admin, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = %s", [USER]):
            password = secrets.token_urlsafe(24)
            write_private(passwords, f"{_read(passwords)}\n*:*:*:{USER}:{password}\n")
            make = compose("CREATE ROLE {} LOGIN BYPASSRLS PASSWORD {}", USER, literal(password))
            run_sql(admin, text(make))
        roles = {r["role"] for r in rows(admin, _ROLES, [USER])}
        needed = {*ordinary_roles(admin), *DATA} - {USER}
        for role in sorted(roles - needed):
            run_sql(admin, text(compose("REVOKE {} FROM {}", role, USER)))
        for role in sorted(needed - roles):
            with suppress(StatementFailed):  # dropped just now, or a member of USER itself
                run_sql(admin, text(compose("GRANT {} TO {}", role, USER)))
    parts = conninfo.conninfo_to_dict(url, user=USER, passfile=str(passwords))
    parts.pop("password", None)
    return conninfo.make_conninfo("", **parts)
