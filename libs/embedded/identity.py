"""As whom PostgreSQL runs: it refuses to be root, so root puts on another user, creating none."""

import ctypes
import os
import pwd
import struct
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from libs.embedded.children import CannotStart

CLONE_NEWUSER = 0x10000000
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
_CAPABILITY_HEADER = struct.pack("=Ii", 0x20080522, 0)
_CAPABILITY_DATA = struct.pack("=6I", *[1 << CAP_DAC_OVERRIDE] * 3, 0, 0, 0)

_libc = ctypes.CDLL(None, use_errno=True)

Kind = Literal["same-user", "user-namespace", "other-user"]


@dataclass(frozen=True)
class Identity:
    """`uid` owns the data files; `put_on` runs in the child before it executes the program."""

    kind: Kind
    uid: int
    gid: int
    put_on: Callable[[], None] | None


def same_user() -> Identity:
    return Identity("same-user", os.geteuid(), os.getegid(), None)


def user_namespace() -> Identity:
    """Root outside, an ordinary user inside: no new user, no chmod, works below a 0700 /root."""
    inner = _ordinary_user()

    def put_on() -> None:
        if _libc.unshare(CLONE_NEWUSER):
            raise OSError(ctypes.get_errno(), "unshare")
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{inner.pw_uid} 0 1")
        Path("/proc/self/gid_map").write_text(f"{inner.pw_gid} 0 1")

    return Identity("user-namespace", 0, 0, put_on)


def other_user() -> Identity:
    """The user `nobody`, for containers that refuse user namespaces.

    It keeps the one capability to pass closed folders, because programs and data may lie below a
    0700 folder of root; so it can read no more than the namespace of `user_namespace` can.
    """
    user = _ordinary_user()

    def put_on() -> None:
        _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        if _libc.capset(_CAPABILITY_HEADER, _CAPABILITY_DATA):
            raise OSError(ctypes.get_errno(), "capset")
        if _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")

    return Identity("other-user", user.pw_uid, user.pw_gid, put_on)


def choose_identity(program: Path) -> Identity:
    """The first identity under which `program --version` runs."""
    if os.geteuid() != 0:
        return same_user()
    for candidate in (user_namespace(), other_user()):
        try:
            subprocess.run(
                [program, "--version"],
                preexec_fn=candidate.put_on,
                check=True,
                capture_output=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return candidate
    raise CannotStart(
        f"{program} does not run as root, and here root may neither make a user namespace nor "
        "become another user (which takes CAP_SETUID, CAP_SETGID, CAP_CHOWN and "
        "CAP_DAC_OVERRIDE); run troth as an ordinary user"
    )


def hand_over(folder: Path, identity: Identity) -> None:
    """Make the identity own the folder and all in it; it may have been made by another one."""
    if os.geteuid() != 0 or folder.stat().st_uid == identity.uid:
        return
    for path, _, files in os.walk(folder):
        for name in files:
            os.chown(os.path.join(path, name), identity.uid, identity.gid, follow_symlinks=False)
    for path, _, _ in os.walk(folder, topdown=False):
        os.chown(path, identity.uid, identity.gid)


def _ordinary_user() -> pwd.struct_passwd:
    users = [user for user in pwd.getpwall() if user.pw_uid != 0]
    for user in users:
        if user.pw_name == "nobody":
            return user
    if not users:
        raise CannotStart(
            "PostgreSQL does not run as root and /etc/passwd knows no other user; add one"
        )
    return users[0]
