"""The system calls that a sealed worker no longer has, in words for libseccomp (through `pyseccomp`).

A list of what is forbidden, not of what is allowed: the latter would have to follow every version of OpenVINO, FFmpeg
and the C library. It binds every thread of the process, also those that started before.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import chain
from types import ModuleType
from typing import Any, Final, cast

_CLONE_THREAD: Final = 0x00010000
_SOCKET_KINDS: Final = 0xF
_MSG_FASTOPEN: Final = 0x20000000
_TIOCSTI: Final = 0x5412
_TIOCLINUX: Final = 0x541C
_LOW_32: Final = 0xFFFFFFFF
_NEWER: Final = (450, 451, 452, *range(457, 512))
"""Calls newer than the libseccomp that systems have, which does not know their names: `fchmodat2`, `setxattrat`, those
to come. Their numbers are the same on every processor. Not 453 to 456: new C libraries use them for threads and locks.
"""

_FORBIDDEN: Final = {
    "opening files": ("open", "openat", "openat2", "creat", "open_by_handle_at", "name_to_handle_at", "open_tree"),
    "changing files": (
        *("truncate", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
        *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "mknod", "mknodat", "chdir", "fchdir", "chroot"),
        *("chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat"),
        *("setxattr", "lsetxattr", "removexattr", "lremovexattr", "setxattrat", "removexattrat"),
        *("inotify_add_watch", "fanotify_init", "fanotify_mark"),
    ),
    "programs and processes": ("execve", "execveat", "fork", "vfork"),
    "other processes": (
        *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp"),
        *("kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_getfd", "pidfd_send_signal"),
        *("setpriority", "ioprio_set", "sched_setscheduler", "sched_setattr", "migrate_pages", "move_pages"),
    ),
    "waiting for connections": ("bind", "listen", "accept", "accept4", "sendmmsg"),
    "namespaces and mounts": (
        *("unshare", "setns", "mount", "umount2", "pivot_root", "move_mount", "fsopen", "fsmount", "fsconfig"),
        *("fspick", "mount_setattr", "open_tree_attr", "swapon", "swapoff", "quotactl", "quotactl_fd"),
    ),
    "the kernel": (
        *("io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd"),
        *("keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module", "kexec_load"),
        *("kexec_file_load", "reboot", "acct", "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex"),
        *("iopl", "ioperm", "modify_ldt", "personality", "lookup_dcookie", "nfsservctl", "vhangup"),
        *("shmget", "shmat", "semget", "msgget", "mq_open", "mq_unlink", "memfd_secret"),
    ),
}


def forbidding() -> Callable[[], None]:
    """Return what forbids them, for every thread of this process and for good.

    It reads files now, so that it needs none when it is called.

    Raises:
        ImportError: `pyseccomp` is not installed.
        RuntimeError: libseccomp is not.
        OSError: the kernel refuses, now or when it is called.
    """
    package = import_module("pyseccomp")
    rules = package.SyscallFilter(package.ALLOW)
    rules.set_attr(package.Attr.CTL_TSYNC, 1)
    no, absent = package.ERRNO(errno.EPERM), package.ERRNO(errno.ENOSYS)
    for name in chain.from_iterable(_FORBIDDEN.values()):
        _add(package, rules, no, name)
    for name, comparisons in _forbidden_in_part(package):
        _add(package, rules, no, name, *comparisons)
    # Its flags lie in memory, where no filter sees them; the C library falls back to `clone`.
    _add(package, rules, absent, "clone3")
    for number in _NEWER:
        rules.add_rule(absent, number)
    return cast("Callable[[], None]", rules.load)


def _add(package: ModuleType, rules: Any, action: int, name: str, *comparisons: Any) -> None:
    """Add one rule; what this processor does not have needs none."""
    number = package.resolve_syscall(package.Arch.NATIVE, name)
    if number >= 0:
        rules.add_rule(action, number, *comparisons)


def _forbidden_in_part(package: ModuleType) -> Iterator[tuple[str, list[Any]]]:
    """Yield calls that stay allowed with some arguments.

    Arguments are compared as 64 bits, of which the kernel uses the lower 32 of most: a test for equality is masked, a
    test for difference forbids too much rather than too little.
    """

    def bits(index: int, mask: int, value: int) -> list[Any]:
        return [package.Arg(index, package.MASKED_EQ, mask, value)]

    def other_than(index: int, value: int) -> list[Any]:
        return [package.Arg(index, package.NE, value)]

    yield "clone", bits(0, _CLONE_THREAD, 0)  # threads, no processes
    yield "tgkill", other_than(0, os.getpid())  # how a thread of this process is signalled
    yield "prlimit64", other_than(0, 0)
    yield "sched_setaffinity", other_than(0, 0)
    yield "socket", other_than(0, socket.AF_INET)
    for kind in set(range(_SOCKET_KINDS + 1)) - {socket.SOCK_STREAM}:
        yield "socket", bits(1, _SOCKET_KINDS, kind)
    for bit in range(3, 32):  # protocols 8 and up: Multipath TCP and others that Landlock's rules for TCP do not see
        yield "socket", bits(2, 1 << bit, 1 << bit)
    yield "sendto", bits(3, _MSG_FASTOPEN, _MSG_FASTOPEN)  # connects without being asked for `connect`
    yield "sendmsg", bits(2, _MSG_FASTOPEN, _MSG_FASTOPEN)
    for request in (_TIOCSTI, _TIOCLINUX):  # typing into the terminal that the node was started from
        yield "ioctl", bits(1, _LOW_32, request)
