"""What the benchmark of the trail shows of its figures."""

import pytest

from benchmarks import trail

FIGURES = {
    "written": {"1_per_s": 9_000.0, "1000_per_s": 10_500.0, "bytes": {"detail": 900, "ever": 130}},
    "commits_per_s": 900.0,
}


def test_both_ways_of_writing_stand_beside_what_is_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    trail.show(FIGURES)
    one, many = [line for line in capsys.readouterr().out.splitlines() if "trails" in line]
    assert "9000" in one and "missed" in one
    assert "10500" in many and "ok" in many
