"""A few words with a NATS server by hand: is it what we need, and one question to a service."""

import json
import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

from libs.embedded.binaries import NATS_MIN
from libs.embedded.children import CannotStart


@dataclass
class Greeted:
    """An open connection; `said` is what the server answered to our name."""

    connection: socket.socket
    reader: BinaryIO
    info: dict[str, object]
    said: str


def check_nats(url: str, user: str, password: str) -> str:
    """The version of the server; raises CannotStart when it is too old or refuses the user."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 4222
    try:
        with greet(host, port, user, password) as server:
            info, said = server.info, server.said
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


def ask_once(url: str, user: str, password: str, subject: str, body: bytes = b"{}") -> dict | None:
    """One question over the bus without a client library; None when nobody answers in 3 s."""
    parts = urlsplit(url)
    inbox = f"_INBOX_{user}.{secrets.token_hex(8)}"
    try:
        with greet(parts.hostname or "127.0.0.1", parts.port or 4222, user, password) as server:
            sent = f"SUB {inbox} 1\r\nPUB {subject} {inbox} {len(body)}\r\n".encode()
            server.connection.sendall(sent + body + b"\r\n")
            while line := server.reader.readline():
                words = line.split()
                if words[0] in (b"MSG", b"HMSG"):
                    head = int(words[-2]) if words[0] == b"HMSG" else 0
                    return json.loads(server.reader.read(int(words[-1]))[head:])
    except (OSError, ValueError):
        return None
    return None


@contextmanager
def greet(host: str, port: int, user: str, password: str) -> Iterator[Greeted]:
    with socket.create_connection((host, port), timeout=3) as plain:
        reader = plain.makefile("rb")
        kind, _, body = reader.readline().partition(b" ")
        if kind != b"INFO":
            raise ValueError("what answers there is no NATS server")
        info, connection = json.loads(body), plain
        if info.get("tls_required"):
            connection = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
            reader = connection.makefile("rb")
        options = {"user": user, "pass": password, "verbose": False, "headers": True}
        connection.sendall(f"CONNECT {json.dumps(options)}\r\nPING\r\n".encode())
        yield Greeted(connection, reader, info, reader.readline().decode(errors="replace"))
