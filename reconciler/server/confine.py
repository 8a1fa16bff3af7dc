"""Start a confined program: `python -I -S confine.py JSON`.

Run as a script of its own, because a process can confine itself but no other, and only before it
has threads. The keys of the JSON object: `program` and `arguments`; `read`, `execute` and `write`,
the paths that stay reachable; `uid`, the user to become where this process is root, or null;
`parent`, the process whose death ends the program; `file_size`, the bytes that one file may hold.

Linux only. Landlock (https://docs.kernel.org/userspace-api/landlock.html) confines files, TCP,
signals and abstract sockets; seccomp (https://man7.org/linux/man-pages/man2/seccomp.2.html)
confines sockets, access to other processes, and the programs that can be run. On a kernel without
either, the program keeps the rights of its user; `protection` names what the system has.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import struct
import sys

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 1, 38, 22
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
RIGHTS = {
    1: 13,
    2: 14,
    3: 15,
    4: 15,
    5: 16,
}  # how many rights on files each version of Landlock knows
FILE_RIGHTS = (
    EXECUTE | WRITE_FILE | READ_FILE | 1 << 14 | 1 << 15
)  # those that a rule for a file may name
TCP, SCOPES = 3, 3  # bind and connect; abstract sockets and signals
ALLOW, DENY, KILL = 0x7FFF0000, 0x00050000 | 13, 0x80000000  # 13: EACCES

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def syscall(number: int, *arguments: object) -> int:
    """Make a system call; raises OSError."""
    result = libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def prctl(option: int, value: int, more: object = 0) -> None:
    """Set an attribute of this process; raises OSError."""
    rest = more if isinstance(more, ctypes.c_void_p) else ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), rest, ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def landlock_version() -> int:
    """The version of the kernel's Landlock; 0 without Landlock."""
    try:
        return syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict_files(version: int, read: list[str], execute: list[str], write: list[str]) -> None:
    """Leave only some paths reachable; deny TCP, signals and abstract sockets to the outside."""
    handled = (1 << RIGHTS.get(version, 16)) - 1
    attributes = struct.pack(
        "QQQ", handled, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0
    )
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = syscall(
        CREATE_RULESET, ctypes.c_char_p(attributes), ctypes.c_size_t(size), ctypes.c_uint32(0)
    )
    reading = READ_FILE | READ_DIR
    writing = handled & ~(EXECUTE | MAKE_CHAR | MAKE_BLOCK)
    for paths, rights in ((read, reading), (execute, reading | EXECUTE), (write, writing)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue  # such a path need not exist on every system
            allowed = (
                rights & handled
                if stat.S_ISDIR(os.fstat(fd).st_mode)
                else rights & handled & FILE_RIGHTS
            )
            rule = ctypes.create_string_buffer(struct.pack("=Qi", allowed, fd))
            syscall(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
            os.close(fd)
    syscall(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


# Numbers of system calls by architecture (https://man7.org/linux/man-pages/man2/syscalls.2.html).
X86_64 = {
    "socket": 41,
    "connect": 42,
    "execve": 59,
    "ptrace": 101,
    "bpf": 321,
    "keyctl": 250,
    "add_key": 248,
    "request_key": 249,
    "mount": 165,
    "umount2": 166,
    "unshare": 272,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "execveat": 322,
    "userfaultfd": 323,
    "perf_event_open": 298,
    "open_by_handle_at": 304,
}
AARCH64 = {
    "socket": 198,
    "connect": 203,
    "execve": 221,
    "ptrace": 117,
    "bpf": 280,
    "keyctl": 219,
    "add_key": 217,
    "request_key": 218,
    "mount": 40,
    "umount2": 39,
    "unshare": 97,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "execveat": 281,
    "userfaultfd": 282,
    "perf_event_open": 241,
    "open_by_handle_at": 265,
}
ALIKE = {  # numbers since Linux 5.1 are the same everywhere
    "io_uring_setup": 425,
    "pidfd_send_signal": 424,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "process_madvise": 440,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsmount": 432,
    "mount_setattr": 442,
}
ARCHITECTURES = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}


def filter_program(machine: str, address: int) -> bytes:
    """Return the seccomp filter of an architecture, as an array of struct sock_filter.

    `execve` is allowed only for the path that is stored at `address`.
    """
    audit, numbers = ARCHITECTURES[machine]
    instructions: list[tuple[int, int, int, int]] = []

    def load(offset: int) -> None:
        instructions.append((0x20, 0, 0, offset))

    def unless_equal(value: int, skip: int) -> None:
        instructions.append((0x15, 0, skip, value & 0xFFFFFFFF))

    def end(action: int) -> None:
        instructions.append((0x06, 0, 0, action))

    load(4)
    instructions.append((0x15, 1, 0, audit))
    end(KILL)
    load(0)
    if machine == "x86_64":
        instructions.append((0x35, 0, 1, 0x40000000))  # the x32 calls
        end(DENY)
    unless_equal(numbers["socket"], 4)
    load(16)
    instructions.append((0x15, 1, 0, 1))  # AF_UNIX
    end(DENY)
    end(ALLOW)
    unless_equal(numbers["execve"], 7)
    load(16)
    instructions.append((0x15, 1, 0, address & 0xFFFFFFFF))
    end(DENY)
    load(20)
    instructions.append((0x15, 1, 0, address >> 32))
    end(DENY)
    end(ALLOW)
    for call, number in {**numbers, **ALIKE}.items():
        if call not in ("socket", "execve"):
            unless_equal(number, 1)
            end(DENY)
    end(ALLOW)
    return b"".join(struct.pack("HBBI", *i) for i in instructions)


def restrict_calls(address: int) -> None:
    """Install the filter; raises OSError if the kernel refuses, KeyError on another machine."""
    code = ctypes.create_string_buffer(filter_program(os.uname().machine, address))
    program = ctypes.create_string_buffer(
        struct.pack("HxxxxxxP", (len(code) - 1) // 8, ctypes.addressof(code))
    )
    prctl(PR_SET_SECCOMP, 2, ctypes.c_void_p(ctypes.addressof(program)))


def protection() -> str:
    """Name the protections of this system: "landlock N", "seccomp", both, or ""."""
    version = landlock_version() if sys.platform == "linux" else 0
    names = [f"landlock {version}"] if version else []
    if (
        sys.platform == "linux"
        and os.uname().machine in ARCHITECTURES
        and os.access("/proc/sys/kernel/seccomp", os.F_OK)
    ):
        names.append("seccomp")
    return " and ".join(names)


def main() -> None:
    """Confine this process and become the program."""
    order = json.loads(sys.argv[1])
    os.setsid()
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"], order["file_size"]))
    if order["uid"] is not None:
        os.setgroups([])
        os.setgid(order["uid"])
        os.setuid(order["uid"])
    prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
    if os.getppid() != order["parent"]:
        sys.exit("the process that wanted the server has ended")
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    os.closerange(3, 4096)
    path = ctypes.create_string_buffer(os.fsencode(order["program"]))
    arguments = [os.fsencode(a) for a in order["arguments"]]
    argv = (ctypes.c_char_p * (len(arguments) + 1))(*arguments, None)
    environment = (ctypes.c_char_p * 2)(b"LC_ALL=C", None)
    version = min(landlock_version(), order.get("landlock", 99))
    if version:
        restrict_files(version, order["read"], order["execute"], order["write"])
    if order.get("seccomp", True) and "seccomp" in protection():
        restrict_calls(ctypes.addressof(path))
    libc.execve(path, argv, environment)
    sys.exit(f"cannot run {order['program']}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
