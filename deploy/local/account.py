"""The unprivileged account that a server runs as when the stack itself is run by root.

PostgreSQL refuses to be root, and containers and build machines are root all the time. No account is made and no
folder is opened up for it: the system's own `nobody` (or `postgres`, where there is one) is used, and where a folder on
the way is closed to others the child keeps the one capability that walks through it.
"""

import ctypes
import os
import pwd
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_KEEPCAPS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 47, 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the system: ids, and whether its files lie behind folders it may not enter by itself."""

    uid: int
    gid: int
    walks_through: bool

    def become(self) -> None:
        """Turn the calling process, a fresh child of root, into this account for good. Raises OSError."""
        if self.walks_through:
            _prctl(_PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)
        if self.walks_through:
            _keep_capability(_CAP_DAC_OVERRIDE)


def unprivileged(data: Path, *used: Path) -> Account | None:
    """The account for a server with its files in `data`, which reads `used`; None when we are not root."""
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid
    entry = pwd.getpwuid(owner) if owner != 0 else _candidate()
    closed = not all(_open_to_all(path) for path in (data.parent, *used))
    return Account(entry.pw_uid, entry.pw_gid, walks_through=closed and sys.platform == "linux")


def _candidate() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise OSError("PostgreSQL does not run as root, and this system has neither a user 'postgres' nor 'nobody'")


def _open_to_all(path: Path) -> bool:
    return all(_mode_open(step) for step in _steps(path))


def _steps(path: Path) -> Iterable[Path]:
    resolved = path.resolve()
    return (resolved, *resolved.parents)


def _mode_open(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXOTH)


def _prctl(option: int, value: int, extra: int = 0) -> None:
    unsigned = ctypes.c_ulong
    if _LIBC.prctl(option, unsigned(value), unsigned(extra), unsigned(0), unsigned(0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) refused")


def _keep_capability(number: int) -> None:
    mask = 1 << number
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable of the capabilities 0 to 31, then of those above.
    sets = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    if _LIBC.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset refused: run as an ordinary user, or open the folders to others")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number)
