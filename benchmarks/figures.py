"""From measurements to what is shown and kept: percentiles, the table, build/bench.json."""

from collections.abc import Mapping, Sequence
from typing import Any

TARGETS: Sequence[tuple[str, str, str | None]] = (
    # path in the figures, unit, what the issue expects of it
    ("W1.c1.per_s", "executions/s", None),
    ("W1.c1.p50_ms", "ms", "<= 5"),
    ("W1.c1.p95_ms", "ms", None),
    ("W1.c1.p99_ms", "ms", "<= 20"),
    ("W1.c16.per_s", "executions/s", ">= 800"),
    ("W1.c16.p50_ms", "ms", None),
    ("W1.c16.p95_ms", "ms", None),
    ("W1.c16.p99_ms", "ms", None),
    ("W1.c16.cpu_ms.total", "ms CPU each", "<= 2"),
    ("W1.c64.per_s", "executions/s", None),
    ("W1.c64.p50_ms", "ms", None),
    ("W1.c64.p95_ms", "ms", None),
    ("W1.c64.p99_ms", "ms", None),
    ("W2.committed_per_s", "executions/s", ">= 1200"),
    ("W2.audited_per_s", "executions/s", ">= 800"),
    ("W2.transactions", "per execution", "<= 3"),
    ("W2x2.committed_per_s", "executions/s", None),
    ("W2x4.committed_per_s", "executions/s", None),
    ("W3.s", "s", "<= 0.3"),
    ("E.small_us", "us", "<= 50"),
    ("E.large_us", "us", "<= 50"),
    ("E.hostile_s", "s", "<= 0.3"),
    ("W4.first_s", "s", "<= 5"),
    ("W4.idle_rss_mb", "MB", "<= 400"),
    ("W4.install_mb", "MB", "<= 250"),
    ("W5.s", "s", "<= 5.6"),
    ("W5.each_s", "s", None),
    ("W6.s", "s", "<= 10"),
    ("W6.lost", "executions", "<= 0"),
    ("W6.repeated", "steps", "<= 0"),
)
FLOORS: Mapping[str, Sequence[tuple[str, str]]] = {
    # the servers' own speed, one event and one commit at a time; a commit here carries many
    "W1.c1": (
        ("publish one by one", "floor.jetstream_awaited_per_s"),
        ("commits", "floor.postgres_commits_per_s"),
    ),
    "W1.c16": (("publish", "floor.jetstream_per_s"), ("commits", "floor.postgres_commits_per_s")),
    "W1.c64": (("publish", "floor.jetstream_per_s"), ("commits", "floor.postgres_commits_per_s")),
    "W2": (("commits", "floor.postgres_commits_per_s"), ("publish", "floor.jetstream_per_s")),
}
WAITED_S = 5.0
COLUMNS = ("figure", "measured", "best", "", "expected", "", "floor")


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent are not above (nearest rank)."""
    if not ordered:
        raise ValueError("no values")
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, int(rank) - 1)]


def at(figures: Mapping[str, Any], path: str) -> float:
    """The figure of a path like `W1.c16.per_s`."""
    found: Any = figures
    for name in path.split("."):
        found = found[name]
    return float(found)


def meets(value: float, expected: str | None) -> bool | None:
    """Whether a value is as expected; None when nothing is."""
    if expected is None:
        return None
    sign, _, limit = expected.partition(" ")
    return value >= float(limit) if sign == ">=" else value <= float(limit)


def table_rows(figures: Mapping[str, Any]) -> list[list[str]]:
    """One row per figure that the issue names: beside its target and its floor."""
    rows: list[list[str]] = []
    for path, unit, expected in TARGETS:
        value, best = at(figures, path), best_at(figures, path)
        met = {True: "ok", False: "missed", None: ""}[meets(value, expected)]
        if met == "missed" and best is not None and meets(best, expected):
            met = "ok at best"
        shown = "" if best is None else short(best)
        rows.append([path, short(value), shown, unit, expected or "", met, floor_of(path, figures)])
    return rows


def best_at(figures: Mapping[str, Any], path: str) -> float | None:
    """The same figure in the best of the rounds; None for what is measured once."""
    group, _, rest = path.partition(".")
    if group == "W1":
        inner, _, rest = rest.partition(".")
        group = f"{group}.{inner}"
    try:
        return at(figures, f"{group}.best.{rest}")
    except KeyError:
        return None


def floor_of(path: str, figures: Mapping[str, Any]) -> str:
    """The floors that stand beside a figure, measured in the same run."""
    if path == "W5.s":
        return f"{WAITED_S:g} s of waiting"
    group, _, name = path.rpartition(".")
    if not name.endswith("per_s"):
        return ""
    return ", ".join(f"{what} {short(at(figures, p))}/s" for what, p in FLOORS.get(group, ()))


def cpu_rows(figures: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of processor milliseconds per execution, by part of the stack."""
    used = {f"W1 {c}": figures["W1"][c] for c in ("c1", "c16", "c64")}
    used |= {name: figures[name] for name in ("W2", "W3", "W5")}
    parts = [name for name in figures["W1"]["c1"]["cpu_ms"] if name != "total"]
    rows = [
        [name, *(short(found["cpu_ms"][part]) for part in (*parts, "total")),
         short(found["generator_cpu_ms"])]
        for name, found in used.items()
    ]  # fmt: skip
    return ["CPU ms per execution", *parts, "total", "(load generator)"], rows


def short(value: float) -> str:
    """As many digits as mean something."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def rounded(value: Any) -> Any:
    """Figures as they are kept: four digits after the point are enough for all of them."""
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
