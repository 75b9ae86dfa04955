"""Rate limits: a token bucket per key in this process, and the headers that tell about it."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from libs.common.errors import TooMany

BUCKETS_MAX = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `burst` at once, refilled with `per_s` a second."""

    name: str
    per_s: float
    burst: int

    @property
    def policy(self) -> str:
        """`RateLimit-Policy`: the burst, in the time it takes to fill again."""
        return f'"{self.name}";q={self.burst};w={math.ceil(self.burst / self.per_s)}'


API = Limit("api", 50, 200)
PUBLIC = Limit("public", 50, 200)
CUSTOM_EVENTS = Limit("custom-events", 50, 200)  # per organization
SIGN_IN_ACCOUNT = Limit("sign-in-account", 5 / 60, 5)
SIGN_IN_ADDRESS = Limit("sign-in-address", 20 / 60, 20)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a bucket said: whether there was room, how much is left, when it is full again."""

    limit: Limit
    allowed: bool
    left: int
    full_in_s: int
    retry_after_s: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        state = f'"{self.limit.name}";r={self.left};t={self.full_in_s}'
        return [
            (b"ratelimit-policy", self.limit.policy.encode()), (b"ratelimit", state.encode()),
        ]  # fmt: skip

    def or_refuse(self) -> None:
        if not self.allowed:
            raise TooMany(
                f"too fast: {self.limit.name} allows {self.limit.burst} at once",
                limit=self.limit.name, retry_after_s=self.retry_after_s,
            )  # fmt: skip


def hooks(per_s: int) -> Limit:
    """Calls of hooks, per organization; the operator may set another one."""
    return Limit("hooks", per_s, per_s)


class Buckets:
    """One bucket per key; the least recently used are forgotten, and begin full again."""

    def __init__(self, limit: Limit, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit, self._clock = limit, clock
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> Taken:
        now, limit = self._clock(), self.limit
        tokens, at = self._held.get(key, (float(limit.burst), now))
        tokens = min(limit.burst, tokens + (now - at) * limit.per_s)
        allowed = tokens >= 1
        if allowed:
            tokens -= 1
        self._held[key] = (tokens, now)
        self._held.move_to_end(key)
        if len(self._held) > BUCKETS_MAX:
            self._held.popitem(last=False)
        full = math.ceil((limit.burst - tokens) / limit.per_s)
        wait = 0 if allowed else max(1, math.ceil((1 - tokens) / limit.per_s))
        return Taken(limit, allowed, int(tokens), full, wait)
