"""What each kind of execution must come to: facts that differ are found, honest ones pass."""

from dataclasses import replace

import pytest

from tests.chaos import expected
from tests.chaos.checker import STARTED, UNDO_BEGAN, UNDO_ENDED, check
from tests.chaos.documents import DOCUMENTS
from tests.chaos.facts import Acknowledged, Event, Facts, Number, Producer, Request

BEGAN = "executor.event.effect-began"
FINISHED = "executor.event.execution-finished"
SENT = {"failed": True, "caught": False}


def effect(path: str, done: str = expected.ENDED, began: str = BEGAN) -> list[dict[str, object]]:
    key = f"exe_a:{path}" + ("" if began == BEGAN else ":undo")
    return [
        {"type": began, "path": path, "attempt": 1, "key": key},
        {"type": done, "path": path, "attempt": 1, "outcome": "done"},
    ]


def saga(undone: tuple[str, ...] = ("second", "inner", "first")) -> Facts:
    """A saga whose last step was refused, and what was undone in this order."""
    facts: list[dict[str, object]] = [{"type": STARTED}]
    for path in ("first", "inner", "maybe", "last", "second"):
        facts += effect(path)
    for path in undone:
        facts += effect(path, UNDO_ENDED, UNDO_BEGAN)
    facts += [*effect("told"), {"type": FINISHED, "outcome": "failed", "error": "client-error"}]
    log = [
        Event(n, f"evt_{n}", "execution-org_1-exe_a", n, **fact)  # pyright: ignore[reportArgumentType] - fields by name
        for n, fact in enumerate(facts, 1)
    ]  # fmt: skip
    numbers = [Number(e.n, e.id) for e in log]
    return Facts(
        [Acknowledged("k", "exe_a", "saga", sent=SENT)],
        {"executor": Producer(log, len(log), len(log), numbers, list(numbers))},
        [Request(e.key, 200) for e in log if e.key], listed={"exe_a": "failed"}, metered=1,
    )  # fmt: skip


def said(facts: Facts) -> list[str]:
    return [f"{v.guarantee} {v.what}" for v in check(facts)]


def test_a_failed_saga_that_undid_everything_in_reverse_is_as_it_must_be() -> None:
    assert said(saga()) == []


@pytest.mark.parametrize(
    "undone", [("first", "inner", "second"), ("second", "first"), ("second", "inner") * 2]
)
def test_what_is_undone_in_another_order_or_not_at_all_is_found(undone: tuple[str, ...]) -> None:
    assert any("was to be undone" in what for what in said(saga(undone)))


def test_an_undo_of_what_succeeded_and_an_end_that_was_not_expected_are_found() -> None:
    facts = saga()
    facts.acknowledged[0] = replace(
        facts.acknowledged[0], sent={"failed": False, "caught": False}
    )  # fmt: skip

    found = said(facts)

    assert any("acknowledged and ended as failed" in what for what in found)
    assert any("() was to be undone" in what for what in found)


def test_an_undo_that_was_sent_more_often_than_it_was_begun_is_found() -> None:
    facts = saga()
    facts.requests.append(Request("exe_a:first:undo", 200))

    assert any("2 requests of first, 1 begun in the log" in what for what in said(facts))


def test_a_missing_effect_is_found() -> None:
    facts = saga()
    log = facts.producers["executor"].log
    (told,) = [e for e in log if e.path == "told" and e.outcome == "done"]
    log[log.index(told)] = replace(told, outcome="failed")

    assert any("'told': 1" in what and "was to be done" in what for what in said(facts))


def turns(*times: tuple[str, float, float]) -> list[str]:
    """Executions of one key, from `begin` to `end`."""
    requests = [
        Request(f"{execution}:{what}", 200, f"/{what}/a", at)
        for execution, began, ended in times
        for what, at in (("begin", began), ("end", ended))
    ]
    return list(expected.too_many_at_once(Facts(requests=requests)))


def test_more_executions_at_once_than_the_key_allows_are_found() -> None:
    assert turns(("exe_a", 0, 2), ("exe_b", 1, 3), ("exe_c", 2.5, 4)) == []
    assert turns(("exe_a", 0, 2), ("exe_b", 1, 3), ("exe_c", 1.5, 4)) == [
        "3 executions of the key a ran at once, 2 may"
    ]


def test_a_late_request_of_a_zombie_makes_no_turn_longer() -> None:
    late = Request("exe_a:end", 200, "/end/a", 9.0)
    facts = Facts(requests=[
        Request("exe_a:begin", 200, "/begin/a", 0), Request("exe_a:end", 200, "/end/a", 1),
        Request("exe_b:begin", 200, "/begin/a", 2), Request("exe_b:end", 200, "/end/a", 8),
        Request("exe_c:begin", 200, "/begin/a", 3), Request("exe_c:end", 200, "/end/a", 7), late,
    ])  # fmt: skip

    assert list(expected.too_many_at_once(facts)) == []


@pytest.mark.parametrize("kind", sorted({*DOCUMENTS} - {"child", "sums", "answers", "waits"}))
def test_every_kind_of_the_load_with_effects_says_what_it_must_come_to(kind: str) -> None:
    sent = {"items": [1], "failed": False, "caught": False, "numbers": [1]}

    assert expected.of(kind, sent).effects
