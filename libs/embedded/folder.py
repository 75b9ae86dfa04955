"""The data folder of an installation: one owner at a time, its version, its ports, its places."""

import fcntl
import json
import os
import socket
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from libs.embedded.durability import make_private, write_private
from libs.embedded.secrets import Secrets, complete, read_secrets

FORMAT = 1


class FolderRefused(RuntimeError):
    """The data folder cannot be used; the text says why and what to do."""


class FolderInUse(FolderRefused):
    """Another process holds the data folder; `pid` is the one it wrote down."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(
            f"{path} is in use by another `troth up` (pid {pid}); "
            "stop that one first, or choose another data folder"
        )
        self.pid = pid


class DataFolder:
    """Lock it (`with DataFolder(path) as folder`) to use it; without, it can only be read."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.postgres = self.path / "postgres"
        self.nats = self.path / "nats"
        self.keys = self.path / "keys"
        self.logs = self.path / "logs"
        self._version = self.path / "version"
        self._secrets = self.path / "secrets.json"
        self._ports = self.path / "ports.json"
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.lock()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.unlock()

    def lock(self) -> None:
        """Make the folder if need be and hold it until `unlock` or the end of this process."""
        if self._lock is not None:
            return
        try:
            self._refuse_foreign()
            make_private(self.path)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            descriptor = os.open(self.path / "troth.lock", flags, 0o600)
        except PermissionError as error:
            raise FolderRefused(
                f"{self.path} cannot be used by this user ({error}); "
                "start troth as the user who owns it, or choose another data folder"
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip()
            os.close(descriptor)
            raise FolderInUse(self.path, holder or "unknown") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._lock = descriptor
        try:
            self._check_version()
        except FolderRefused:
            self.unlock()
            raise
        self.path.chmod(0o700)
        for place in (self.keys, self.logs):
            make_private(place)

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secrets(self, services: Sequence[str], nats_users: Sequence[str]) -> Secrets:
        """The same secrets at every start; what a new service lacks is added.

        `version` is written after the first secrets: a folder that has it and no secrets lost them,
        and new ones would fit neither its databases nor its sealed data.
        """
        self._require_lock()
        used = any(path.exists() for path in (self._version, self._secrets, self.postgres))
        known = self.read_secrets() if used else None
        wanted = complete(known, services, nats_users)
        if wanted != known:
            write_private(self._secrets, wanted.to_json())
        if not self._version.exists():
            write_private(self._version, f"{FORMAT}\n")
        return wanted

    def read_secrets(self) -> Secrets:
        """For commands beside a running `troth up`; refuses a file that others may read."""
        return read_secrets(self._secrets)

    def ports(self, wanted: Mapping[str, int | None]) -> dict[str, int]:
        """A port per name: the fixed one, else that of the last start if free, else a free one."""
        self._require_lock()
        remembered = self.read_ports()
        chosen = {name: port for name, port in wanted.items() if port is not None}
        for name in wanted.keys() - chosen.keys():
            last = remembered.get(name)
            if last is None or last in chosen.values() or not is_free(last):
                last = free_port(but=chosen.values())
            chosen[name] = last
        if chosen != remembered:
            write_private(self._ports, json.dumps(chosen, indent=1, sort_keys=True))
        return chosen

    def read_ports(self) -> dict[str, int]:
        """The ports of the last start; empty before the first."""
        return json.loads(self._ports.read_text()) if self._ports.exists() else {}

    def _refuse_foreign(self) -> None:
        """A mistyped path must not turn somebody's home into a data folder."""
        if self.path.exists() and not self.path.is_dir():
            raise FolderRefused(f"{self.path} is not a folder; choose another data folder")
        found = {entry.name for entry in self.path.iterdir()} if self.path.exists() else set()
        if found and "troth.lock" not in found:
            raise FolderRefused(
                f"{self.path} is not empty and not a data folder of Troth; "
                "choose an empty or a new one"
            )

    def _check_version(self) -> None:
        if self._version.exists() and self._version.read_text().strip() != str(FORMAT):
            raise FolderRefused(
                f"{self.path} has format {self._version.read_text().strip()}, this Troth knows "
                f"format {FORMAT}; start it with the Troth that made it"
            )

    def _require_lock(self) -> None:
        if self._lock is None:
            raise FolderRefused(f"{self.path} must be locked before it is written to")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port(but: Collection[int] = ()) -> int:
    """A port of 127.0.0.1 that nobody listens on now and that is not among `but`."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in but:
            return port
