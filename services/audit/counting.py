"""How many entries of each class a day had; small groups are not told.

Counted from the leaves, whose day and class are permanent: that is why a group of fewer than five
is only *de-identified* when its details are gone, and a larger one *anonymized*.
"""

from collections import Counter
from collections.abc import Mapping
from uuid import UUID

from libs.trail.canonical import EXPIRED
from services.audit import stored
from services.audit.contract.forgetting import ClassCount

GROUP_MIN = 5
AT_ONCE = 20_000


async def of_day(
    rows: stored.Rows, trail: UUID, day: int, first: int, last: int
) -> Counter[str]:  # fmt: skip
    """Entries `first` to `last` that are of this day; what came too late had no detail."""
    found: Counter[str] = Counter()
    for start in range(first, last + 1, AT_ONCE):
        end = min(start + AT_ONCE, last + 1)
        found += await stored.classes_of_day(rows, trail, start, end, day)
    del found[EXPIRED]
    return found


def told(found: Mapping[str, int]) -> tuple[int | None, list[ClassCount]]:
    """The number of entries and those of each class, null where they are fewer than five.

    Where one class alone is null, the sum would give it away: the next smallest is null too.
    """
    total, classes = sum(found.values()), sorted(found)
    small = {name for name in classes if found[name] < GROUP_MIN}
    hidden = set(small)
    if len(small) == 1 and len(classes) > 1:
        hidden.add(min((n for n in classes if n not in small), key=lambda name: found[name]))
    return total if total >= GROUP_MIN or not total else None, [
        ClassCount(
            entry_class=name, entries=None if name in hidden else found[name],
            how="de-identified" if name in small else "anonymized",
        )
        for name in classes
    ]  # fmt: skip
