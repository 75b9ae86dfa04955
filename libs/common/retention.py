"""A retention rule: what is kept, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Retention:
    """`keep_days` is None for what is kept as long as its organization."""

    name: str
    keep_days: int | None
    what: str
