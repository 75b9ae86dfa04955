"""Counts of a forgotten day: what is told, and what would give a small group away."""

from datetime import UTC, datetime, timedelta

import pytest

from services.audit.clocks import Clocks
from services.audit.counting import told
from services.audit.forget_ledger import begins, number_of, spelled

NOW = datetime(2026, 11, 22, 0, 0, 3, tzinfo=UTC)


def shown(**found: int) -> tuple[int | None, dict[str, tuple[int | None, str]]]:
    entries, counts = told(found)
    return entries, {count.entry_class: (count.entries, count.how) for count in counts}


def test_groups_of_five_and_more_are_told_and_anonymized() -> None:
    assert shown(execution=5, billing=900) == (
        905, {"billing": (900, "anonymized"), "execution": (5, "anonymized")}
    )  # fmt: skip


def test_groups_under_five_are_not_told_and_only_de_identified() -> None:
    entries, groups = shown(execution=4, billing=1, platform=70)
    assert entries == 75
    assert groups["execution"] == groups["billing"] == (None, "de-identified")
    assert groups["platform"] == (70, "anonymized")


def test_the_sum_never_gives_the_only_small_group_away() -> None:
    entries, groups = shown(execution=3, billing=60, platform=7)
    assert (entries, groups["billing"]) == (70, (60, "anonymized"))
    assert groups["execution"] == (None, "de-identified")
    assert groups["platform"] == (None, "anonymized")


def test_fewer_than_five_in_all_are_not_told_and_none_is_none() -> None:
    assert shown(execution=2, billing=2)[0] is None
    assert shown(execution=4) == (None, {"execution": (None, "de-identified")})
    assert shown() == (0, {})


def test_a_day_is_spelled_as_its_date() -> None:
    assert spelled(20_684) == "2026-08-19"
    assert number_of("2026-08-19") == 20_684
    assert begins(20_684) == datetime(2026, 8, 19, tzinfo=UTC)


@pytest.mark.parametrize("which", ["process", "steady", "database"])
@pytest.mark.parametrize(
    ("apart_s", "agree"), [(300, True), (-300, True), (301, False), (-301, False)]
)
def test_clocks_agree_up_to_five_minutes(which: str, apart_s: int, agree: bool) -> None:
    clocks: dict[str, datetime] = dict.fromkeys(("process", "steady", "database"), NOW)
    clocks[which] += timedelta(seconds=apart_s)
    assert Clocks(**clocks, digest=NOW - timedelta(minutes=10)).agree is agree


def test_a_digest_is_never_ahead_and_the_last_full_hour_has_one() -> None:
    def with_digest(minutes: float) -> Clocks:
        return Clocks(NOW, NOW, NOW, NOW + timedelta(minutes=minutes))

    assert [with_digest(m).agree for m in (5, 5.1, -1000)] == [True, False, True]
    assert [with_digest(m).counted for m in (0, -65, -65.1)] == [True, True, False]
    assert not Clocks(NOW, NOW, NOW, None).counted
