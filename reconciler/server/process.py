"""Start PostgreSQL processes of our own: data folders, sockets, locks, the order to `confine`."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from reconciler.errors import ScratchError, SettingsError
from reconciler.server.installation import Installation

CONFINE = Path(__file__).with_name("confine.py")
START_SECONDS = 30.0
SOCKET_ROOM = 80  # bytes of a folder's path: a socket's path has at most 107, on macOS 103
# https://github.com/postgres/postgres/blob/master/src/include/utils/pidfile.h
STATUS_LINE = 8
BLOCK = 1 << 16  # bytes that are copied at once
UIDS = range(61184, 65520)  # systemd's dynamic users: no account has them
# Processes that read for the sessions cost more than they save: all pages are in memory.
SETTINGS_SINCE_18 = {"io_method": "sync"}
# What a server reads beside its installation: libraries, the linker's cache, time zones, locales.
READABLE = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/usr/share/locale",
    "/usr/share/postgresql",
    "/usr/share/icu",
    "/dev/urandom",
    "/sys/devices/system/cpu",
)
LINKERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")


def data_folder() -> Path:
    """The folder for data of embedded servers: RECONCILE_HOME, else the user's data folder."""
    try:
        if home := os.environ.get("RECONCILE_HOME"):
            return Path(home).expanduser().resolve()
        if os.geteuid() == 0:  # the server runs as another user, who may not enter root's home
            return Path("/var/lib/reconcile")
        if sys.platform == "darwin":
            return Path.home() / "Library" / "Application Support" / "reconcile"
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except RuntimeError:  # of Path: the account has no home folder
        raise SettingsError(
            "there is no home folder for the data of embedded servers: set RECONCILE_HOME to a"
            " folder"
        ) from None
    return Path(data) / "reconcile"


def initdb(
    binaries: Path,
    folder: Path,
    admin: str,
    password: str,
    template: str = "",
    options: Sequence[str] = (),
) -> None:
    """Make `folder/data`; as `nobody` if this process is root, because initdb refuses root.

    `template` is a script for template1, with an empty line after each command; `options` are
    further options of initdb.
    """
    data, secret = folder / "data", folder / "initdb-password"
    user = "nobody" if os.geteuid() == 0 else None
    mode = folder.stat().st_mode
    data.mkdir(mode=0o700)
    secret.write_text(password)
    secret.chmod(0o600)
    if user:
        folder.chmod(0o711)  # its random name is known to nobody else
        for path in (data, secret):
            shutil.chown(path, user)
    command = [
        *(binaries / "bin" / "initdb", "-D", data, "-U", admin, f"--pwfile={secret}"),
        *(
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "--no-instructions",
        ),
        *options,
    ]
    done = _run_as(user, command)
    secret.unlink()
    if done.returncode == 0 and template:
        alone = (binaries / "bin" / "postgres", "--single", "-j", "-O", "-F", "-D", data)
        done = _run_as(user, (*alone, "template1"), template)
    folder.chmod(mode)
    if done.returncode != 0 or "ERROR: " in done.stderr:
        raise ScratchError(f"initdb of {binaries} failed: {done.stderr.strip()}")


def _run_as(
    user: str | None, command: Sequence[str | Path], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command,
        user=user,
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )


def start_order(
    binaries: Path, data: Path, sockets: Path, uid: int | None, settings: Mapping[str, str]
) -> dict[str, object]:
    """Build the order for `confine`, without `parent` and `file_size`."""
    program = str(binaries / "bin" / "postgres")
    newer = SETTINGS_SINCE_18 if int((data / "PG_VERSION").read_text()) >= 18 else {}
    settings = {
        **newer,
        **settings,
        "unix_socket_directories": str(sockets),
        "listen_addresses": "",
    }
    arguments = [a for name, value in settings.items() for a in ("-c", f"{name}={value}")]
    return {
        "program": program,
        "arguments": [program, "-D", str(data), *arguments],
        "read": [str(binaries), str(libraries(binaries)), *READABLE],
        "execute": [program, *LINKERS],
        "write": [str(data), str(sockets), "/dev/null"],
        "uid": uid,
    }


def wait_until_ready(
    answers: Callable[[], bool], folder: Path, title: str, ended: Callable[[], bool]
) -> None:
    """Wait until the server answers; raises ScratchError with the end of `folder/log` otherwise."""
    deadline = time.monotonic() + START_SECONDS
    while not ended() and time.monotonic() < deadline:
        if answers():
            return
        time.sleep(0.005)
    log = (folder / "log").read_text(errors="replace")[-800:].strip()
    raise ScratchError(f"{title} does not start: {log or 'it logged nothing'}")


def says_ready(data: Path) -> bool:
    """Tell whether a server that has this data folder wrote there that it takes connections.

    A server that was killed leaves the file as it was.
    """
    with suppress(OSError):
        return postmaster_lines(data)[STATUS_LINE - 1 :] in (["ready   "], ["standby "])
    return False


def unused_uid() -> int | None:
    """Choose a user without an account, if this process is root."""
    if os.geteuid() != 0:
        return None
    import pwd  # noqa: PLC0415 - absent on Windows

    used = {account.pw_uid for account in pwd.getpwall()}
    return secrets.choice([uid for uid in UIDS if uid not in used])


def libraries(binaries: Path) -> Path:
    """The folder of a wheel's shared libraries beside the package."""
    package = binaries.parent
    return package.with_name(f"{package.name}.libs")


def reachable(installation: Installation) -> Path:
    """Return the installation's folder, or the folder of a copy if other users cannot enter.

    Where this process is root the server runs as another user, for whom /root is closed.
    """
    folder = installation.folder
    if os.geteuid() != 0 or _open_to_all(installation.tools / "postgres"):
        return folder
    home = data_folder() / f"postgresql-{installation.major}"
    copy = home / folder.parent.name / folder.name
    source = f"{folder} {(installation.tools / 'postgres').stat().st_mtime_ns}"
    with locked(data_folder() / "copy.lock"):
        stamp = home / "copied-from"
        if not stamp.exists() or stamp.read_text() != source:
            shutil.rmtree(home, ignore_errors=True)
            _copy_for_all(folder, copy)
            if libraries(folder).is_dir():
                _copy_for_all(libraries(folder), libraries(copy))
            for path in (home, copy.parent):
                path.chmod(0o755)
            stamp.write_text(source)
    return copy


def _copy_for_all(folder: Path, copy: Path) -> None:
    """Copy a folder, readable and executable for every user."""
    shutil.copytree(folder, copy, symlinks=True)
    for path in files_below(copy):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _open_to_all(path: Path) -> bool:
    """Whether every user may enter all folders above a program and run the program."""
    folders = all(parent.stat().st_mode & 0o001 for parent in path.parents)
    return folders and path.stat().st_mode & 0o005 == 0o005


def make_folder(folder: Path) -> None:
    """Make a folder for others, such as a server's user, to enter but not to list."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    if folder.stat().st_uid != os.geteuid():
        raise ScratchError(f"{folder} belongs to another user; RECONCILE_HOME names another folder")


def files_below(folder: Path) -> Iterator[Path]:
    """Yield a folder and all files and folders below."""
    return (
        Path(top) / n for top, folders, files in os.walk(folder) for n in ("", *folders, *files)
    )


def copy_private(folder: Path, copy: Path, uid: int | None) -> None:
    """Copy a folder for its new owner alone; None leaves the owner.

    A data folder has a thousand files. `shutil` asks and sets more about each file than its
    content, which takes several times as long.
    """
    copy.mkdir(mode=0o700)
    give(copy, uid)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                copy_private(Path(entry.path), copy / entry.name, uid)
            else:
                _copy_file(entry.path, f"{copy}/{entry.name}", uid)


def _copy_file(path: str, copy: str, uid: int | None) -> None:
    read = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        written = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while block := os.read(read, BLOCK):
                while block:  # a full disk takes part of a block, and refuses the rest
                    block = block[os.write(written, block) :]
            if uid is not None:
                os.fchown(written, uid, uid)
        finally:
            os.close(written)
    finally:
        os.close(read)


def give(path: Path, uid: int | None) -> None:
    """Make a user the owner of a file; None leaves the owner."""
    if uid is not None:
        os.chown(path, uid, uid, follow_symlinks=False)


def socket_folder(folder: Path) -> Path:
    """A private folder with a path short enough for a socket's name."""
    parent = folder if len(os.fsencode(folder)) < SOCKET_ROOM else Path("/tmp")  # noqa: S108
    return Path(tempfile.mkdtemp(dir=parent, prefix="reconcile-"))


def hold(path: Path) -> IO[bytes]:
    """Lock a file until the file is closed."""
    import fcntl  # noqa: PLC0415 - absent on Windows

    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def try_lock(path: Path) -> IO[bytes] | None:
    """Lock a file, or answer None where another process holds the lock."""
    import fcntl  # noqa: PLC0415 - absent on Windows

    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold the lock of a file."""
    with hold(path):
        yield


def write_private(path: Path, text: str) -> None:
    """Write a file readable for this user only."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(text)


# -- servers that run


def running_pid(data: Path) -> int | None:
    """Return the process ID of the server of a data folder; None for a stopped server.

    The server itself could write any number into its file `postmaster.pid`.
    """
    try:
        pid = int(postmaster_lines(data)[0])
        owner = data.stat().st_uid
        uid, command = _process(pid)
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None
    return pid if uid == owner and f" -D {data} " in f"{command} " else None


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie has no command left."""
    try:
        return _process(pid)[1] != ""
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def postmaster_lines(data: Path) -> list[str]:
    """Read `postmaster.pid`; raises OSError unless the file is regular."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(data / "postmaster.pid", flags), "rb") as file:  # noqa: PTH123
        return file.read(1000).decode(errors="replace").splitlines()


def _process(pid: int) -> tuple[int, str]:
    """Return the user and the command of a process."""
    folder = Path(f"/proc/{pid}")
    if sys.platform == "linux":
        return folder.stat().st_uid, (folder / "cmdline").read_text().replace("\0", " ")
    command = ["/bin/ps", "-ww", "-o", "uid=", "-o", "args=", "-p", str(pid)]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    uid, _, arguments = listed.stdout.strip().partition(" ")
    return int(uid), arguments
