"""A NATS server that is not ours: its version and rights are checked before anything starts."""

import json
import socket
import ssl
from urllib.parse import urlsplit

from libs.embedded.binaries import NATS_MIN
from libs.embedded.children import CannotStart


def check_nats(url: str, user: str, password: str) -> str:
    """The version of the server; raises CannotStart when it is too old or refuses the user."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 4222
    try:
        info, said = _greet(host, port, user, password)
    except (OSError, ValueError) as error:
        raise CannotStart(
            f"no NATS server answers at {host}:{port} ({error}): is TROTH_NATS_URL right?"
        ) from error
    version = str(info.get("version", "0"))
    if tuple(int(n) for n in version.split("-")[0].split(".")[:2]) < NATS_MIN:
        wanted = ".".join(map(str, NATS_MIN))
        raise CannotStart(f"NATS {version} at {host}:{port} is too old: Troth needs {wanted}")
    if not info.get("jetstream"):
        raise CannotStart(f"NATS at {host}:{port} runs without JetStream: start it with `-js`")
    if said.startswith("-ERR"):
        raise CannotStart(
            f"NATS at {host}:{port} refuses the user {user!r} ({said[5:].strip()}): "
            "give it the users that `troth nats-users` prints"
        )
    return version


def _greet(host: str, port: int, user: str, password: str) -> tuple[dict[str, object], str]:
    with socket.create_connection((host, port), timeout=5) as plain:
        reader = plain.makefile("rb")
        kind, _, body = reader.readline().partition(b" ")
        if kind != b"INFO":
            raise ValueError("what answers there is no NATS server")
        info = json.loads(body)
        connection = plain
        if info.get("tls_required"):
            connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            reader = connection.makefile("rb")
        options = {"user": user, "pass": password, "verbose": False, "pedantic": False}
        connection.sendall(f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode())
        return info, reader.readline().decode(errors="replace")
