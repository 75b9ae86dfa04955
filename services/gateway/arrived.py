"""A request as it arrived at the front: its id, its trace, and what its answer must carry."""

import re
from typing import TYPE_CHECKING

from libs.common import ids
from services.gateway.rates import Taken

if TYPE_CHECKING:
    from services.gateway.call import Call

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Arrived:
    """Filled on the way in by who learns something; read on the way out."""

    __slots__ = ("call", "head", "headers", "key", "policy", "rate", "reason", "request_id",
                 "traceparent")  # fmt: skip

    def __init__(self, traceparent: bytes | None) -> None:
        self.request_id = ids.new("req")
        given = traceparent.decode("latin-1") if traceparent else ""
        self.traceparent = given if _TRACE.fullmatch(given) else None
        self.rate: Taken | None = None
        self.call: Call | None = None
        self.reason: tuple[str, str | None] | None = None
        self.policy: bytes | None = None
        self.headers: Headers = []
        self.head = False
        self.key: str | None = None
