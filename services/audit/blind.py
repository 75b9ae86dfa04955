"""Blind indexes: keyed digests by which the details of a day are found, and nothing is guessed.

The key is the day's, and the trail is part of what is digested: equal values of two days or two
organizations have nothing in common. A person's index is made under the person's key too, so that
it dies with either. 64 bits are enough: what is found is opened and compared.
"""

from uuid import UUID

from libs.common.privacy import DataKey
from services.audit.daykeys import DayKey

COLUMNS = ("id", "type", "actor", "resource", "address", "outcome")
_KINDS = {name: name.encode() + b"|" for name in COLUMNS}
_PERSON = b"person|"


class Blinder:
    """Gives the indexes of one day and trail; what comes again is remembered."""

    def __init__(self, key: DayKey, trail: UUID) -> None:
        self._blind, self._trail = key.blind, trail.bytes
        self._known: dict[tuple[str, str], int] = {}

    def of(self, column: str, value: str) -> int:
        """For ids, which do not come again, use `once`."""
        found = self._known.get((column, value))
        if found is None:
            found = self._known[column, value] = self.once(column, value)
        return found

    def once(self, column: str, value: str) -> int:
        return self._blind(_KINDS[column] + self._trail + value.encode())

    def person(self, person: str, key: DataKey) -> int:
        found = self._known.get(("person", person))
        if found is None:
            theirs = key.digest(person, "troth/audit/actor/v1").encode()
            found = self._known["person", person] = self._blind(_PERSON + self._trail + theirs)
        return found
