"""Percentiles, the comparison with what is expected, the table and the kept figures."""

import pytest

from benchmarks import figures

CPU = {"gateway": 1.0, "postgres": 2.0, "total": 3.0}
ROUND = {"cpu_ms": CPU, "generator_cpu_ms": 0.1}
SPEED = ROUND | {"per_s": 600.0, "p50_ms": 5.0, "p95_ms": 9.0, "p99_ms": 41.0}
FIGURES = {
    "W1": {"c1": SPEED, "c16": SPEED, "c64": SPEED},
    "W2": ROUND | {"committed_per_s": 1150.0, "audited_per_s": 800.0, "transactions": 0.4},
    "W2x2": ROUND | {"committed_per_s": 1300.0},
    "W2x4": ROUND | {"committed_per_s": 1250.0},
    "W3": ROUND | {"s": 0.61},
    "E": {"small_us": 20.0, "large_us": 21.0, "hostile_s": 0.1},
    "W4": {"first_s": 4.2, "idle_rss_mb": 380.0, "install_mb": 190.0},
    "W5": ROUND | {"s": 5.9, "each_s": 5.1},
    "W6": {"s": 7.0, "lost": 0, "repeated": 0},
    "floor": {
        "jetstream_per_s": 20_000.0, "jetstream_awaited_per_s": 3_000.0,
        "postgres_commits_per_s": 900.0,
    },
}  # fmt: skip


def test_a_percentile_is_a_value_that_was_measured():
    values = [float(n) for n in range(1, 101)]
    assert [figures.percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert figures.percentile([7.0], 99) == 7.0
    assert figures.percentile([1.0, 2.0, 3.0], 50) == 2.0


def test_there_is_no_percentile_of_nothing():
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 50)


def test_a_figure_on_its_limit_is_as_expected():
    assert figures.meets(500, ">= 500") is True
    assert figures.meets(499.9, ">= 500") is False
    assert figures.meets(0.6, "<= 0.6") is True
    assert figures.meets(0.61, "<= 0.6") is False
    assert figures.meets(3, None) is None


def test_the_table_has_a_row_for_every_figure_beside_its_target():
    rows = {row[0]: row for row in figures.table_rows(FIGURES)}
    assert list(rows) == [path for path, _, _ in figures.TARGETS]
    assert rows["W2.committed_per_s"][1:6] == ["1150", "", "executions/s", ">= 1200", "missed"]
    assert rows["W1.c16.per_s"][4:6] == [">= 800", "missed"]
    assert rows["W6.lost"][1:6] == ["0.00", "", "executions", "<= 0", "ok"]
    assert rows["W1.c1.p99_ms"][5] == "missed"
    assert rows["W5.s"][4:6] == ["<= 5.6", "missed"]


def test_what_only_the_best_round_reaches_says_so():
    burst = FIGURES["W2"] | {"best": FIGURES["W2"] | {"committed_per_s": 1201.0}}
    answers = FIGURES["W1"] | {"c16": SPEED | {"best": SPEED | {"per_s": 799.0}}}
    rows = {row[0]: row for row in figures.table_rows(FIGURES | {"W2": burst, "W1": answers})}
    assert rows["W2.committed_per_s"][1:3] == ["1150", "1201"]
    assert rows["W2.committed_per_s"][5] == "ok at best"
    assert rows["W1.c16.per_s"][1:3] == ["600", "799"]
    assert rows["W1.c16.per_s"][5] == "missed"


def test_rates_stand_beside_their_floors():
    rows = {row[0]: row for row in figures.table_rows(FIGURES)}
    assert rows["W1.c1.per_s"][6] == "publish one by one 3000/s, commits 900/s"
    assert rows["W2.audited_per_s"][6] == "commits 900/s, publish 20000/s"
    assert rows["W1.c1.p50_ms"][6] == ""


def test_a_missing_figure_is_an_error_and_no_empty_cell():
    with pytest.raises(KeyError):
        figures.table_rows({"W1": FIGURES["W1"]})


def test_processor_time_is_shown_by_part_and_the_generator_apart():
    columns, rows = figures.cpu_rows(FIGURES)
    assert columns == ["CPU ms per execution", "gateway", "postgres", "total", "(load generator)"]
    assert [row[0] for row in rows] == ["W1 c1", "W1 c16", "W1 c64", "W2", "W3", "W5"]
    assert rows[0][1:] == ["1.00", "2.00", "3.00", "0.10"]


def test_what_is_kept_has_the_shape_of_the_issue():
    kept = figures.rounded(FIGURES | {"executions": 12, "calls": [1.234567]})
    assert set(kept["W1"]) == {"c1", "c16", "c64"}
    assert {"per_s", "p50_ms", "p95_ms", "p99_ms"} <= set(kept["W1"]["c1"])
    assert kept["calls"] == [1.2346]
    assert kept["executions"] == 12
