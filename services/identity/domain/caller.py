"""Who changes an organization."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A person or API key, with what the key may do."""

    actor: str
    granted: frozenset[str]
