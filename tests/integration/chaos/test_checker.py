"""For each guarantee a switch breaks the facts, and the checker says so; honest facts pass."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import BEGAN, ENDED, FINISHED, STARTED, check
from tests.chaos.facts import Acknowledged, Event, Facts, Number, Producer, Request

PROGRESSED = "executor.event.execution-progressed"


def event(n: int, execution: str, version: int, type: str, **more: object) -> Event:
    return Event(n, f"evt_{n}", f"execution-org_1-{execution}", version, type, **more)  # pyright: ignore[reportArgumentType] - fields by name


def honest() -> Facts:
    """A pure execution, one whose effect was interrupted once, one that waits for a day."""
    log = [
        event(1, "exe_a", 1, STARTED),
        event(2, "exe_b", 1, STARTED),
        event(3, "exe_a", 2, FINISHED, outcome="succeeded", results=("one", "two")),
        event(4, "exe_b", 2, PROGRESSED, results=("before",)),
        event(5, "exe_b", 3, BEGAN, path="post", attempt=1, key="exe_b:post"),
        event(6, "exe_b", 4, BEGAN, path="post", attempt=2, key="exe_b:post"),
        event(7, "exe_b", 5, ENDED, path="post", attempt=2, outcome="done"),
        event(8, "exe_b", 6, FINISHED, outcome="succeeded"),
        event(9, "exe_c", 1, STARTED),
    ]
    numbers = [Number(e.n, e.id) for e in log]
    return Facts(
        acknowledged=[Acknowledged("k-a", "exe_a", "sums"), Acknowledged("k-a", "exe_a", "sums"),
                      Acknowledged("k-b", "exe_b", "posts"), Acknowledged("k-c", "exe_c", "waits")],
        producers={"executor": Producer(log, 9, 9, [*numbers, numbers[0]], list(numbers))},
        requests=[Request("exe_b:post", 200), Request("exe_b:post", 200)],
        due_in_s={"exe_c": 86_400.0},
        listed={"exe_a": "succeeded", "exe_b": "succeeded", "exe_c": None},
        metered=3,
    )  # fmt: skip


def broken(facts: Facts) -> set[str]:
    return {violation.guarantee for violation in check(facts)}


def said(facts: Facts) -> str:
    return "\n".join(violation.what for violation in check(facts))


def change(facts: Facts, n: int, **fields: object) -> None:
    log = facts.producers["executor"].log
    log[n - 1] = replace(log[n - 1], **fields)


def test_honest_facts_have_no_violation() -> None:
    assert check(honest()) == []


# -- G1 -------------------------------------------------------------------------------------------


def test_an_acknowledged_start_that_no_log_holds_breaks_g1() -> None:
    facts = honest()
    facts.acknowledged.append(Acknowledged("k-d", "exe_lost", "sums"))

    assert broken(facts) == {"G1"}
    assert "exe_lost was acknowledged and is not in the log" in said(facts)


def test_an_acknowledged_execution_that_nothing_will_wake_breaks_g1() -> None:
    facts = honest()
    del facts.due_in_s["exe_c"]

    assert broken(facts) == {"G1", "G2"}
    assert "exe_c was acknowledged, has not ended, and nothing will wake it" in said(facts)


def test_one_key_that_started_two_executions_breaks_g1() -> None:
    facts = honest()
    facts.acknowledged.append(Acknowledged("k-a", "exe_b", "sums"))

    assert broken(facts) == {"G1"}


def test_a_failure_or_a_wrong_answer_breaks_g1() -> None:
    facts = honest()
    change(facts, 3, outcome="failed", error="timeout")
    facts.listed["exe_a"] = "failed"
    assert broken(facts) == {"G1"}

    facts = honest()
    facts.acknowledged[0] = replace(facts.acknowledged[0], wrong='{"sum": 0}')
    assert broken(facts) == {"G1"}


# -- G2 -------------------------------------------------------------------------------------------


def test_a_request_more_than_the_log_explains_breaks_g2() -> None:
    facts = honest()
    facts.requests.append(Request("exe_b:post", 200))

    assert broken(facts) == {"G2"}
    assert "3 requests of post, 2 begun in the log" in said(facts)


def test_two_good_answers_without_an_interruption_break_g2() -> None:
    facts = honest()
    change(facts, 5, type=BEGAN)
    log = facts.producers["executor"].log
    log[5] = replace(
        log[5], type=ENDED, attempt=1, outcome="failed", error="server-error", key=None
    )
    log[6] = replace(log[6], type=BEGAN, attempt=2, key="exe_b:post", outcome=None)
    log[7] = replace(log[7], type=ENDED, path="post", attempt=2, outcome="done")
    log[8] = replace(log[8], stream="execution-org_1-exe_b", version=7, type=FINISHED,
                     outcome="succeeded")  # fmt: skip
    facts.acknowledged.pop()
    del facts.due_in_s["exe_c"], facts.listed["exe_c"]
    facts.metered = 2

    assert broken(facts) == {"G2"}
    assert "post was answered well 2 times, 0 were interrupted" in said(facts)
    facts.requests[0] = Request("exe_b:post", 503)
    assert check(facts) == []


def test_an_effect_that_began_again_after_it_was_done_breaks_g2() -> None:
    facts = honest()
    change(facts, 6, type=ENDED, attempt=1, outcome="done", key=None)
    change(facts, 7, type=BEGAN, attempt=2, outcome=None, key="exe_b:post")

    assert broken(facts) == {"G2"}
    assert "effect post was begun again after it was done" in said(facts)


def test_a_step_with_two_results_breaks_g2() -> None:
    facts = honest()
    change(facts, 8, results=("before",))

    assert broken(facts) == {"G2"}
    assert "step before has 2 results" in said(facts)


def test_a_request_that_no_log_knows_of_breaks_g2() -> None:
    facts = honest()
    facts.requests.append(Request("exe_z:post", 200))

    assert broken(facts) == {"G2"}


def test_an_effect_done_in_the_log_and_never_sent_breaks_g2() -> None:
    facts = honest()
    facts.requests.clear()

    assert broken(facts) == {"G2"}


def test_an_execution_whose_time_has_come_and_nobody_runs_breaks_g2() -> None:
    facts = honest()
    facts.due_in_s["exe_c"] = -31.0

    assert broken(facts) == {"G2"}
    assert "exe_c stays unfinished" in said(facts)


# -- G3 -------------------------------------------------------------------------------------------


def _lose_audit(facts: Facts) -> None:
    del facts.producers["executor"].audited[4]


def _audit_twice(facts: Facts) -> None:
    audited = facts.producers["executor"].audited
    audited.append(audited[0])


def _audit_another(facts: Facts) -> None:
    facts.producers["executor"].audited[4] = Number(5, "evt_forged")


def _lose_published(facts: Facts) -> None:
    published = facts.producers["executor"].published
    published[:] = [number for number in published if number.n != 4]


def _publish_uncommitted(facts: Facts) -> None:
    facts.producers["executor"].published.append(Number(10, "evt_10"))


def _relay_behind(facts: Facts) -> None:
    facts.producers["executor"].relayed = 8


def _head_ahead(facts: Facts) -> None:
    producer = facts.producers["executor"]
    producer.head = producer.relayed = 10


def _meter_twice(facts: Facts) -> None:
    facts.metered = 4


@pytest.mark.parametrize(
    ("break_it", "what"),
    [
        (_lose_audit, "1 numbers were never audited, the first is 5"),
        (_audit_twice, "1 numbers were audited more than once, the first is 1"),
        (_audit_another, "number 5 was audited as another event than was committed"),
        (_lose_published, "1 numbers were never published, the first is 4"),
        (_publish_uncommitted, "number 10 was published as another event than was committed"),
        (_relay_behind, "the relay is at 8, the head is 9"),
        (_head_ahead, "the log lacks 1 of 10 numbers, the first is 10"),
        (_meter_twice, "billing counted 4 executions, 3 were started"),
    ],
)
def test_what_is_lost_doubled_or_forged_on_the_way_breaks_g3(
    break_it: Callable[[Facts], None], what: str
) -> None:
    facts = honest()
    break_it(facts)

    assert broken(facts) == {"G3"}
    assert what in said(facts)


# -- G4 -------------------------------------------------------------------------------------------


def test_swapped_numbers_break_g4() -> None:
    facts = honest()
    change(facts, 5, version=4)
    change(facts, 6, version=3)

    assert "G4" in broken(facts)
    assert "execution-org_1-exe_b has numbers against its versions" in said(facts)


def test_a_version_that_is_missing_breaks_g4() -> None:
    facts = honest()
    change(facts, 9, version=2)

    assert broken(facts) == {"G4"}
    assert "versions of execution-org_1-exe_c have a gap" in said(facts)


def test_a_view_that_skipped_an_event_breaks_g4() -> None:
    facts = honest()
    facts.listed["exe_a"] = None
    assert broken(facts) == {"G4"}

    facts = honest()
    del facts.listed["exe_b"]
    assert broken(facts) == {"G4"}
