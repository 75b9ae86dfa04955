"""An own nats-server on 127.0.0.1 with JetStream: one user per service, gone with its parent."""

import json
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from libs.embedded.binaries import NatsProgram, find_nats
from libs.embedded.children import (
    CannotStart,
    launch,
    log_size,
    log_tail,
    terminate,
    wait_for_lock,
)
from libs.embedded.durability import make_private, write_private

START_TIMEOUT_S = 60.0
PREVIOUS_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0
PAYLOAD_BYTES_MAX = 4_194_304
MEMORY_STORE_BYTES_MAX = 64 * 1024 * 1024
RESPONSE_EXPIRES = "2m"
FEATURE_FLAGS_SINCE = (2, 15, 0)


@dataclass(frozen=True)
class NatsUser:
    """A service as NATS knows it: an empty list means none, never all."""

    name: str
    password: str
    publish: Sequence[str] = ()
    subscribe: Sequence[str] = ()
    allow_responses: bool = False


class Nats:
    """One server with its store in `data_dir`. Like JetStream's default it syncs every two minutes
    (PostgreSQL is the truth of a single machine)."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        monitor_port: int,
        users: Sequence[NatsUser],
        *,
        log: Path | None = None,
    ) -> None:
        if not users:
            raise ValueError("a NATS server without users would let everybody in")
        self.data_dir = data_dir.absolute()
        self.port = port
        self.monitor_port = monitor_port
        self.log = log or self.data_dir.parent / "nats.log"
        self.program: NatsProgram | None = None
        self._users = {user.name: user for user in users}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def url(self, user: str) -> str:
        """The address with the user's name and password in it."""
        known = self._users[user]
        who = f"{quote(known.name, safe='')}:{quote(known.password, safe='')}"
        return f"nats://{who}@127.0.0.1:{self.port}"

    def poll(self) -> int | None:
        """The exit code of a server that ended, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Return when connections are accepted and JetStream has recovered its streams."""
        if self._process is not None and self._process.poll() is None:
            return
        self.program = find_nats()
        make_private(self.data_dir)
        # The server itself would not notice a second one on the same store.
        lock = wait_for_lock(self.data_dir / "server.lock", "nats-server", PREVIOUS_TIMEOUT_S)
        with open(lock, "rb"):  # ours ends here; the server keeps the one it inherited
            name = f"troth-{secrets.token_hex(8)}"
            config = self.data_dir / "nats.json"
            write_private(config, json.dumps(self._config(name, self.program), indent=1))
            logged = log_size(self.log)
            self._process = launch(
                [self.program.path, "-c", config],
                log=self.log,
                death_signal=signal.SIGTERM,
                cwd=self.data_dir,
                lock=lock,
            )
        self._wait_until_ready(self._process, name, logged)

    def stop(self, grace_s: float = STOP_TIMEOUT_S) -> None:
        if self._process is not None:
            terminate(self._process, grace_s)
            self._process = None

    def _config(self, name: str, program: NatsProgram) -> dict[str, object]:
        """NATS reads JSON as a configuration; quoted subjects keep their `$`."""
        store = self.data_dir / "store"
        make_private(store)
        config: dict[str, object] = {
            "server_name": name,
            "listen": f"127.0.0.1:{self.port}",
            "http": f"127.0.0.1:{self.monitor_port}",
            "max_payload": PAYLOAD_BYTES_MAX,
            "jetstream": {
                "store_dir": str(store),
                "max_memory_store": MEMORY_STORE_BYTES_MAX,
            },
            "authorization": {"users": [_user_config(user) for user in self._users.values()]},
        }
        if program.version >= FEATURE_FLAGS_SINCE:
            # With the new form of ack subjects nats-py 2.16 loses its ordered consumers.
            config["feature_flags"] = {"js_ack_fc_v2": False}
        return config

    def _wait_until_ready(self, process: subprocess.Popen[bytes], name: str, logged: int) -> None:
        """Clients are let in once JetStream has recovered; the name tells it from a stranger's."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < deadline:
            greeting = _greeting(self.port)
            if greeting.get("server_name") == name and greeting.get("jetstream") is True:
                return
            time.sleep(0.005)
        code = terminate(process, 5)
        self._process = None
        said = log_tail(self.log, logged)
        hint = f"look into {self.log}"
        if "address already in use" in said:
            hint = (
                f"port {self.port} or {self.monitor_port} is taken: "
                "stop what listens there or choose another port"
            )
        raise CannotStart(f"nats-server did not start (exit code {code}); {hint}. It said:\n{said}")


def _user_config(user: NatsUser) -> dict[str, object]:
    permissions: dict[str, object] = {
        "publish": _subjects(user.publish),
        "subscribe": _subjects(user.subscribe),
    }
    if user.allow_responses:
        permissions["allow_responses"] = {"max": 1, "expires": RESPONSE_EXPIRES}
    return {"user": user.name, "password": user.password, "permissions": permissions}


def _subjects(allowed: Sequence[str]) -> dict[str, list[str]]:
    """NATS takes an empty list of allowed subjects for "all", so none is said as a denial."""
    return {"allow": list(allowed)} if allowed else {"deny": [">"]}


def _greeting(port: int) -> dict[str, object]:
    """The INFO line that a NATS server sends first; empty while there is none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            line = connection.makefile("rb").readline()
    except OSError:
        return {}
    kind, _, body = line.partition(b" ")
    return json.loads(body) if kind == b"INFO" and body.endswith(b"\n") else {}
