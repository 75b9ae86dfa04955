"""A request as it arrived at the front: its id, its trace, its origin, and what its answer must
carry."""

import re
from typing import TYPE_CHECKING

from libs.common import ids
from libs.common.origins import Origin
from services.gateway.rates import Taken

if TYPE_CHECKING:
    from services.gateway.call import Call
    from services.gateway.origins import Origins

Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]
_TRACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


class Arrived:
    """Filled on the way in by who learns something; read on the way out."""

    __slots__ = ("_sealed", "call", "head", "headers", "key", "origin", "policy", "rate", "reason",
                 "request_id", "traceparent")  # fmt: skip

    def __init__(self, traceparent: bytes | None, origin: Origin) -> None:
        self.request_id = ids.new("req")
        self.origin = origin
        self._sealed: str | None = None
        given = traceparent.decode("latin-1") if traceparent else ""
        self.traceparent = given if _TRACE.fullmatch(given) else None
        self.rate: Taken | None = None
        self.call: Call | None = None
        self.reason: tuple[str, str | None] | None = None
        self.policy: bytes | None = None
        self.headers: Headers = []
        self.head = False
        self.key: str | None = None

    def sealed_origin(self, origins: "Origins") -> str | None:
        """Sealed once, however many services are asked."""
        if self._sealed is None:
            self._sealed = origins.seal(self.origin)
        return self._sealed
