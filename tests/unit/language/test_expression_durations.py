"""Durations and sizes as they are written, and times as RFC 3339 has them."""

import pytest

from libs.language import (
    ExpressionError,
    format_rfc3339,
    parse_duration,
    parse_rfc3339,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("0s", 0), ("30s", 30), ("5m", 300), ("2h", 7200), ("365d", 31_536_000)],
)
def test_a_duration_is_a_number_with_one_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "30", "s", "1.5s", "-1s", "1h30m", "30 s", "366d", "1w", "9" * 400 + "s", "१s"]
)
def test_anything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse_duration(text)
    assert refused.value.code == "bad-duration"


def test_a_size_is_a_number_with_one_unit() -> None:
    assert [parse_size(each) for each in ("10B", "256KiB", "2MiB")] == [10, 262_144, 2_097_152]
    for text in ("1KB", "1", "1.5MiB", "1GiB", ""):
        with pytest.raises(ExpressionError) as refused:
            parse_size(text)
        assert refused.value.code == "bad-size"


def test_a_time_is_read_with_its_offset_and_written_in_utc() -> None:
    assert (
        format_rfc3339(parse_rfc3339("2026-01-01T01:30:00.5+02:00")) == "2025-12-31T23:30:00.500Z"
    )
    for text in ("2026-01-01", "2026-01-01 01:30:00Z", "2026-01-01T25:00:00Z", "now", ""):
        with pytest.raises(ValueError, match=r"time|day"):
            parse_rfc3339(text)
