"""How two documents differ."""

from copy import deepcopy
from typing import Any

import pytest

from services.workflows.contract import ChangeShown
from services.workflows.domain.comparing import compare, steps_of


def step(name: str, **keys: Any) -> dict[str, Any]:
    return {"id": name, **(keys or {"set": {"x": 1}})}


def doc(*steps: Any, **keys: Any) -> dict[str, Any]:
    return {"troth": 1, "name": "hello", "steps": list(steps), **keys}


A, B, C, D = (step(name) for name in "abcd")


def names(found: list[Any]) -> list[str]:
    return [each.id for each in found]


def test_a_document_does_not_differ_from_itself() -> None:
    one = doc(A, step("r", choose=[{"when": "x", "steps": [B]}]), on=[{"event": {"type": "x"}}])
    found = compare(one, deepcopy(one))
    assert not any(
        (found.steps_added, found.steps_removed, found.steps_changed, found.steps_moved,
         found.triggers, found.settings)
    )  # fmt: skip


def test_steps_come_and_go() -> None:
    found = compare(doc(A, B), doc(A, step("w", wait={"for": "1s"}), C))
    assert [(s.id, s.kind, s.pointer) for s in found.steps_added] == [
        ("w", "wait", "/steps/1"), ("c", "set", "/steps/2"),
    ]  # fmt: skip
    assert [(s.id, s.pointer) for s in found.steps_removed] == [("b", "/steps/1")]
    assert found.steps_moved == []


def test_a_change_is_shown_with_its_places_and_values() -> None:
    old = doc(A, step("post", uses="http-request@1", **{"with": {"url": "x", "n": [1, 2]}}))
    new = doc(
        step("post", uses="http-request@1", **{"with": {"url": "y", "n": [1, 3]}, "once": True})
    )
    (changed,) = compare(old, new).steps_changed
    assert changed.id == "post"
    assert changed.changes == [
        ChangeShown(key="/with/url", old_pointer="/steps/1/with/url",
                    new_pointer="/steps/0/with/url", old="x", new="y"),
        ChangeShown(key="/with/n/1", old_pointer="/steps/1/with/n/1",
                    new_pointer="/steps/0/with/n/1", old=2, new=3),
        ChangeShown(key="/once", old_pointer=None, new_pointer="/steps/0/once", old=None, new=True),
    ]  # fmt: skip


def test_true_is_not_one() -> None:
    (changed,) = compare(
        doc(step("a", set={"x": 1})), doc(step("a", set={"x": True}))
    ).steps_changed
    assert [(c.old, c.new) for c in changed.changes] == [(1, True)]


def test_a_block_is_compared_without_the_steps_in_it() -> None:
    old = doc(step("r", choose=[{"when": "x", "steps": [A]}]))
    new = doc(step("r", choose=[{"when": "y", "steps": [step("a", set={"x": 2})]}]))
    found = compare(old, new)
    assert {c.id: [x.key for x in c.changes] for c in found.steps_changed} == {
        "r": ["/choose/0/when"], "a": ["/set/x"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("order", "moved"),
    [("abcd", ""), ("bacd", "b"), ("bcda", "a"), ("dabc", "d"), ("badc", "ac"), ("dcba", "bcd")],
)
def test_as_few_steps_as_possible_have_moved(order: str, moved: str) -> None:
    given = {"a": A, "b": B, "c": C, "d": D}
    found = compare(doc(A, B, C, D), doc(*[given[name] for name in order]))
    assert len(found.steps_moved) == len(moved)
    if len(moved) == 1:
        assert names(found.steps_moved) == [moved]
    assert not found.steps_changed


def test_a_step_that_goes_into_a_block_has_moved() -> None:
    old = doc(A, B, on_error={"steps": []})
    for new in (
        doc(A, step("t", **{"try": {"steps": [B]}, "finally": {"steps": []}})),
        doc(A, step("p", parallel={"left": {"steps": [B]}})),
        doc(A, on_error={"steps": [B]}),
    ):
        found = compare(old, new)
        assert names(found.steps_moved) == ["b"]
        assert found.steps_removed == []


def test_a_step_that_goes_from_one_branch_to_another_has_moved() -> None:
    old = doc(step("r", choose=[{"when": "x", "steps": [A]}, {"when": "y", "steps": [B]}]))
    new = doc(step("r", choose=[{"when": "x", "steps": []}, {"when": "y", "steps": [A, B]}]))
    assert names(compare(old, new).steps_moved) == ["a"]


def test_what_looks_like_a_step_in_data_is_none() -> None:
    data = {"steps": [{"id": "fake"}]}
    assert list(steps_of(doc(step("a", set=data), step("b", uses="x@1", **{"with": data})))) == [
        "a", "b",
    ]  # fmt: skip


def test_triggers_are_known_by_id_or_by_what_they_are() -> None:
    hook = {"webhook": {"path": "orders", "verify": {"scheme": "none"}}}
    timer = {"id": "nightly", "schedule": {"cron": "0 1 * * *"}}
    later = {"id": "nightly", "schedule": {"cron": "0 2 * * *"}}
    found = compare(doc(A, on=[hook, timer]), doc(A, on=[later, {"event": {"type": "x.y"}}]))
    assert [(t.trigger, t.old_pointer, t.new_pointer) for t in found.triggers] == [
        ("webhook:orders", "/on/0", None), ("nightly", "/on/1", "/on/0"),
        ("event:x.y", None, "/on/1"),
    ]  # fmt: skip
    assert [c.key for c in found.triggers[1].changes] == ["/schedule/cron"]


def test_triggers_without_a_name_are_told_apart() -> None:
    one, two = ({"schedule": {"cron": f"0 {n} * * *"}} for n in (1, 2))
    found = compare(doc(A, on=[one]), doc(A, on=[one, two]))
    assert [(t.old_pointer, t.new_pointer) for t in found.triggers] == [(None, "/on/1")]


def test_settings_are_what_is_neither_step_nor_trigger() -> None:
    old = doc(A, labels={"team": "red"}, budget={"steps": 5}, on_error={"steps": [B], "output": 1})
    new = doc(A, labels={"team": "blue"}, timeout="1h", on_error={"steps": [B], "output": 2})
    found = compare(old, new)
    assert {c.key: (c.old, c.new) for c in found.settings} == {
        "/labels/team": ("red", "blue"), "/budget": ({"steps": 5}, None), "/timeout": (None, "1h"),
        "/on_error/output": (1, 2),
    }  # fmt: skip


@pytest.mark.parametrize("odd", [None, [], 7, {"steps": 1, "on": {}}, {"steps": [1, {"id": 2}]},
                                 {"on": [1, {}, {"webhook": 3}, {"id": "É" * 300}]}])  # fmt: skip
def test_a_draft_may_be_anything(odd: Any) -> None:
    compare(odd, doc(A))
    compare(doc(A), odd)
