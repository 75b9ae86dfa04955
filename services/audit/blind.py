"""Blind indexes: keyed digests by which the details of a day are found, and nothing is guessed.

The key is the day's, and the trail is part of what is digested: equal values of two days or two
organizations have nothing in common. A person's index is made under the person's key too, so that
it dies with either. 64 bits are enough: what is found is opened and compared.
"""

from datetime import datetime
from uuid import UUID

from libs.common.privacy import DataKey
from services.audit.daykeys import TRAILS_MAX, DayKey

COLUMNS = ("id", "type", "actor", "resource", "address", "outcome", "slot")
SLOT_S = 600
NO_SLOT = 0  # of another day than its own, or entered before there were slots: looked at always
PERSON = "person"
_KINDS = {name: name.encode() + b"|" for name in (*COLUMNS, PERSON)}


def slot_of(moment: datetime) -> str:
    """Which ten minutes of its day in UTC."""
    return str(int(moment.timestamp()) % 86_400 // SLOT_S)


class Blinder:
    """Gives the indexes of one day and trail."""

    def __init__(self, key: DayKey, trail: UUID) -> None:
        self._blind = key.blind
        self._begin = {name: kind + trail.bytes for name, kind in _KINDS.items()}
        self._words: dict[tuple[str, str], int] = {}

    @classmethod
    def of(cls, key: DayKey, trail: UUID) -> "Blinder":
        """Kept beside the key, and gone with it."""
        found = key.blinders.get(trail)
        if found is None:
            if len(key.blinders) >= TRAILS_MAX:
                key.blinders.clear()
            found = key.blinders[trail] = cls(key, trail)
        return found

    def word(self, column: str, value: str) -> int:
        """Of what there are few of, which is remembered: types, outcomes, slots."""
        found = self._words.get((column, value))
        if found is None:
            found = self._words[column, value] = self.once(column, value)
        return found

    def once(self, column: str, value: str) -> int:
        return self._blind(self._begin[column] + value.encode())

    def person(self, person: str, key: DataKey) -> int:
        """Never remembered beyond a batch: it would outlive the person's key."""
        theirs = key.digest(person, "troth/audit/actor/v1").encode()
        return self._blind(self._begin[PERSON] + theirs)
