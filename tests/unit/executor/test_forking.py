"""Which recorded results hold when an execution is done again from a step."""

import pytest
from tests_support.simulating import call, document

from services.executor.contract import UnknownStep
from services.executor.forking import Fork, incompatible, inserted

TEXT = f"""
steps:
  - {{id: first, set: {{x: 1}}}}
  - id: route
    choose:
      - when: ${{{{ first.x == 1 }}}}
        steps:
          - {call("before")}
          - id: each
            for_each: ${{{{ [1, 2, 3] }}}}
            as: n
            steps:
              - {call("make")}
              - {call("post")}
              - {call("tell")}
            output: ${{{{ post.status }}}}
          - {call("behind")}
  - id: both
    parallel:
      left: {{steps: [{call("a")}, {call("b")}]}}
      right: {{steps: [{call("c")}]}}
  - id: attempt
    try: {{steps: [{call("body")}]}}
    catch: [{{steps: [{call("caught")}]}}]
    finally: {{steps: [{call("last")}]}}
  - {{id: code, python: "return 1"}}
on_error: {{steps: [{call("told")}]}}
"""
RECORDED = [
    "first", "route", "route#branch", "before", "each", "each[0]", "each[1]", "each[2]", "make[0]",
    "make[1]", "post[0]", "post[1]", "tell[0]", "tell[1]", "behind", "both", "both.left",
    "both.right", "a", "b", "c", "attempt", "attempt#caught", "body", "caught", "last", "code",
    "code.1", "told",
]  # fmt: skip


def kept(from_step: str | None) -> set[str]:
    fork = Fork(document(TEXT), from_step)
    return {path for path in RECORDED if fork.keeps(path)}


ROUTE = {"first", "route#branch", "before", "each"}
ITEMS = {"each[0]", "each[1]", "each[2]", "make[0]", "make[1]", "post[0]", "post[1]", "tell[0]",
         "tell[1]"}  # fmt: skip
ALL_OF_ROUTE = ROUTE | ITEMS | {"route", "behind"}


@pytest.mark.parametrize(
    ("from_step", "expected"),
    [
        (None, set()),
        ("first", set()),
        ("route", {"first"}),
        ("before", {"first", "route#branch"}),
        ("each", {"first", "route#branch", "before"}),
        ("post[1]", ROUTE | (ITEMS - {"each[1]", "post[1]", "tell[1]"})),
        ("each[1]", ROUTE | (ITEMS - {"each[1]", "make[1]", "post[1]", "tell[1]"})),
        ("post", ROUTE | {"make[0]", "make[1]"}),
        ("behind", ROUTE | ITEMS),
        ("both", ALL_OF_ROUTE),
        ("attempt", ALL_OF_ROUTE | {"both", "both.left", "both.right", "a", "b", "c"}),
        ("b", ALL_OF_ROUTE | {"a", "c", "both.right"}),
        ("body", ALL_OF_ROUTE | {"both", "both.left", "both.right", "a", "b", "c"}),
        ("caught", ALL_OF_ROUTE
         | {"both", "both.left", "both.right", "a", "b", "c", "attempt#caught", "body"}),
        ("last", ALL_OF_ROUTE
         | {"both", "both.left", "both.right", "a", "b", "c", "attempt#caught", "body", "caught"}),
        ("code", set(RECORDED) - {"code", "code.1", "told"}),
    ],
)  # fmt: skip
def test_what_is_kept(from_step: str | None, expected: set[str]) -> None:
    assert kept(from_step) == expected


@pytest.mark.parametrize(
    "wrong", ["nothing", "post[1][2]", "first[0]", "told", "both.left", "Post!", "route#branch"]
)
def test_what_is_no_step_to_begin_at_is_refused(wrong: str) -> None:
    with pytest.raises(UnknownStep):
        Fork(document(TEXT), wrong)


def test_items_of_nested_loops_are_kept_apart() -> None:
    fork = Fork(document(f"""
steps:
  - id: rows
    for_each: ${{{{ [[1], [2]] }}}}
    as: row
    steps:
      - {{id: head, set: {{x: 1}}}}
      - id: cells
        for_each: ${{{{ row }}}}
        as: cell
        steps: [{call("put")}]
"""), "put[1][0]")  # fmt: skip

    assert fork.keeps("rows") and fork.keeps("head[1]") and fork.keeps("cells[1]")
    assert fork.keeps("put[0][0]") and fork.keeps("put[1][1]") and fork.keeps("cells[0][0]")
    assert not fork.keeps("put[1][0]") and not fork.keeps("cells[1][0]")
    assert not fork.keeps("rows[1]") and fork.keeps("rows[0]")


OLD = f"""
steps:
  - {{id: a, set: {{x: 1}}}}
  - {call("b")}
  - id: each
    for_each: ${{{{ [1] }}}}
    as: n
    steps: [{call("c")}]
"""


@pytest.mark.parametrize(
    ("new", "rules"),
    [
        (OLD, []),
        (OLD + f"  - {call('new')}\n", []),
        (OLD.replace("id: a,", "id: z,"), ["step-gone"]),
        (OLD.replace("id: a, set: {x: 1}", "id: a, wait: {for: 1s}"), ["kind-changed"]),
        (OLD.replace("    as: n\n", "    as: n\n    failures: collect\n"), ["blocks-changed"]),
        (OLD.replace(f"  - {call('b')}\n", "").replace("steps: [{id: c",
         f"steps: [{call('b')}, {{id: c"), ["step-moved"]),
    ],
)  # fmt: skip
def test_each_reason_against_another_version_is_told(new: str, rules: list[str]) -> None:
    found = incompatible(document(OLD), document(new), ["a", "b", "each", "c[0]"])

    assert [one.rule for one in found] == rules


def test_a_step_put_before_one_that_has_run_is_told() -> None:
    new = document(OLD.replace("steps:\n", "steps:\n  - {id: early, set: {x: 1}}\n", 1))

    assert [one.pointer for one in inserted(document(OLD), new, ["a", "b"])] == ["early"]
    assert inserted(document(OLD), new, []) == []
