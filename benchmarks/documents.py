"""The workflows that are measured, and what is sent to them."""

import json
from pathlib import Path

HOOK_SECRET = "bench_hook"
"""Calls are verified by the scheme `token`: the secret is opened, and compared once."""


def texts() -> list[bytes]:
    """The documents, each with a hook at its own name."""
    return [file.read_bytes() for file in sorted((Path(__file__).parent / "workflows").iterdir())]


def body(n: int, marker: str) -> bytes:
    """What a call carries; the marker must be nowhere in the log."""
    return json.dumps({"n": n, "name": marker}).encode()


def hook_request(address: str, organization: str, path: str, secret: str, sent: bytes) -> str:
    """A call of a hook as it goes over the wire, in latin-1; without a key of the caller's."""
    head = (
        f"POST /hooks/{organization}/{path} HTTP/1.1\r\n"
        f"host: {address.removeprefix('http://')}\r\n"
        f"authorization: Bearer {secret}\r\n"
        "content-type: application/json\r\n"
        f"content-length: {len(sent)}\r\n\r\n"
    )
    return head + sent.decode("latin-1")
