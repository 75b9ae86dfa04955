"""A simulation carries a document out by the engine's rules, and reaches nothing."""

import socket
from typing import Any

import pytest
from tests_support.simulating import URL, call, simulated


@pytest.fixture(autouse=True)
def no_byte_leaves(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to connect somewhere is kept and refused."""
    tried: list[Any] = []

    def refuse(self: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("nothing is reached from a simulation")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return tried


async def test_effects_are_answered_from_mocks_and_no_byte_leaves(
    no_byte_leaves: list[Any],
) -> None:
    came = await simulated(
        f"""
steps:
  - {{id: post, uses: http-request@1,
     with: {{method: POST, url: "{URL}/a", headers: {{x: "${{{{ secret.key }}}}"}}}}}}
output: ${{{{ post.json.id }}}}
""",
        {"post": {"json": {"id": 7}}},
    )

    assert (came.outcome, came.output) == ("succeeded", 7)
    assert [(one.path, one.connector) for one in came.asked] == [("post", "http-request@1")]
    assert came.asked[0].request["headers"] == {"x": {"$secret": "key"}}
    assert no_byte_leaves == []


async def test_an_effect_without_a_mock_ends_it_with_a_clear_word() -> None:
    came = await simulated(f"steps:\n  - {call('post')}\n")

    assert came.outcome is None
    assert came.stopped == "post: nothing stands in for it: give `mocks.post`"


async def test_try_does_not_hide_that_a_mock_is_missing() -> None:
    came = await simulated(f"""
steps:
  - id: attempt
    try: {{steps: [{call("post")}]}}
    catch: [{{steps: []}}]
""")

    assert came.outcome is None and "mocks.post" in (came.stopped or "")


async def test_days_of_waiting_pass_at_once() -> None:
    came = await simulated("""
steps:
  - {id: a, wait: {for: 3d}}
  - {id: b, set: {at: "${{ now() }}"}}
output: ${{ b.at }}
""")

    assert came.output == "2026-01-04T00:00:00.000Z"


async def test_retries_follow_the_plan_without_sleeping() -> None:
    failing = {"error": {"type": "server-error", "status": 503}}
    came = await simulated(
        f"steps:\n  - {call('post', more=', retry: {attempts: 3, initial: 1h, max: 1d}')}\n",
        {"post": [failing, failing, {"status": 200}]},
    )

    assert came.outcome == "succeeded"
    assert [one.attempt for one in came.asked] == [1, 2, 3]
    assert came.ended_at is not None and came.ended_at.hour == 3  # one hour, then two


async def test_without_retry_a_post_is_tried_once() -> None:
    came = await simulated(f"steps:\n  - {call('post')}\n", {"post": {"error": {"status": 503}}})

    assert came.outcome == "failed" and len(came.asked) == 1
    assert came.error is not None and came.error["type"] == "server-error"


async def test_what_failed_is_undone_in_reverse_order() -> None:
    undo = f', undo: {{uses: http-request@1, with: {{method: DELETE, url: "{URL}/y"}}}}'
    came = await simulated(
        f"""
steps:
  - {call("first", more=undo)}
  - {call("second", more=undo)}
  - {call("third")}
on_error: {{steps: [{call("told")}]}}
""",
        {"first": {}, "second": {}, "third": {"error": {"status": 400}}, "told": {}},
    )

    assert (came.outcome, came.rollback) == ("failed", "done")
    assert came.undone == ["second", "first"]
    assert [one.path for one in came.asked if not one.undo][-1] == "told"


async def test_an_item_has_the_answer_of_its_number() -> None:
    came = await simulated(
        f"""
steps:
  - id: each
    for_each: ${{{{ [10, 20] }}}}
    as: n
    failures: collect
    steps: [{call("post")}]
    output: ${{{{ post.id }}}}
output: ${{{{ [e.ok for e in each] }}}}
""",
        {"post": [{"id": 1}, {"error": {"type": "client-error"}}]},
    )

    assert came.output == [True, False]


async def test_pages_are_answered_by_number() -> None:
    came = await simulated(
        f"""
steps:
  - id: each
    for_each:
      uses: http-request@1
      with: {{url: "{URL}/items"}}
      items: ${{{{ page.json.items }}}}
      next: ${{{{ page.json.next }}}}
    as: n
    steps: []
    output: ${{{{ n }}}}
output: ${{{{ each }}}}
""",
        {
            "each": [
                {"json": {"items": [1, 2], "next": "b"}},
                {"json": {"items": [3], "next": None}},
            ]
        },
    )

    assert came.stopped is None
    assert came.output == [1, 2, 3]


APPROVAL = """
steps:
  - id: ok
    approval: {by: ["role:admin"], quorum: 2, message: pay, timeout: 1d, on_timeout: reject,
               on_reject: continue}
output: ${{ [ok.decision, len(ok.decided_by)] }}
"""


@pytest.mark.parametrize(
    ("mocks", "output"),
    [
        ({}, ["approved", 2]),
        ({"ok": {"decision": "rejected"}}, ["rejected", 1]),
        ({"ok": {"decision": "timed-out"}}, ["timed-out", 0]),
    ],
)
async def test_people_say_what_the_mock_says(mocks: dict[str, Any], output: Any) -> None:
    assert (await simulated(APPROVAL, mocks)).output == output


async def test_a_sub_workflow_is_answered_and_can_fail() -> None:
    text = "steps:\n  - {id: sub, workflow: other, with: {n: 1}}\noutput: ${{ sub }}\n"

    good = await simulated(text, {"sub": {"b": 2}})
    assert good.output == {"b": 2} and good.asked[0].request == {"n": 1}
    bad = await simulated(text, {"sub": {"error": {"type": "timeout"}}})
    assert bad.error is not None and bad.error["type"] == "workflow-failed"


WAITING = """
steps:
  - id: came
    wait: {event: {type: custom.paid, match: "${{ event.data.n == 1 }}"}, timeout: 2h,
           on_timeout: continue}
output: ${{ came.reason }}
"""


@pytest.mark.parametrize(
    ("mocks", "output"),
    [
        ({"came": {"data": {"n": 1}}}, "event"),
        ({"came": {"event": {"data": {"n": 1}}}}, "event"),
        ({"came": {"data": {"n": 2}}}, "timed-out"),
        ({}, "timed-out"),
    ],
)
async def test_an_event_comes_from_the_mock_when_it_fits(mocks: Any, output: str) -> None:
    assert (await simulated(WAITING, mocks)).output == output


async def test_calls_out_of_python_are_answered_in_order() -> None:
    came = await simulated(
        f"""
steps:
  - id: code
    python: |
      a = http_request(method="GET", url="{URL}/1")
      b = http_request(method="GET", url="{URL}/2")
      return [a["n"], b["n"]]
    uses: [http-request@1]
output: ${{{{ code }}}}
""",
        {"code": {"calls": [{"n": 1}, {"n": 2}]}},
    )

    assert came.output == [1, 2], came.stopped or came.error
    assert [one.request["url"] for one in came.asked] == [f"{URL}/1", f"{URL}/2"]


async def test_a_budget_and_a_timeout_end_it_as_they_end_an_execution() -> None:
    slow = await simulated("timeout: 1h\nsteps:\n  - {id: a, wait: {for: 2h}}\n")
    assert slow.error is not None and slow.error["type"] == "timeout"
    many = await simulated(
        "budget: {steps: 1}\nsteps:\n  - {id: a, set: {x: 1}}\n  - {id: b, set: {x: 1}}\n"
    )
    assert many.error is not None and many.error["type"] == "budget-exceeded"


async def test_what_the_connector_would_refuse_is_refused() -> None:
    text = "steps:\n  - {id: post, uses: http-request@1, with: {url: '${{ input.u }}'}}\n"

    wrong = await simulated(text, {"post": {}}, {"u": {"no": "text"}})
    assert wrong.error is not None and wrong.error["type"] == "input-invalid"
    listed = await simulated(
        "egress: [api.example.com]\n" + text, {"post": {}}, {"u": "https://elsewhere.example/"}
    )
    assert listed.error is not None and listed.error["type"] == "egress-refused"


async def test_the_same_mocks_give_the_same_simulation() -> None:
    text = f"""
steps:
  - {call("post", more=", retry: {attempts: 3}")}
  - {{id: t, set: {{at: "${{{{ now() }}}}"}}}}
"""
    mocks = {"post": [{"error": {"status": 503}}, {}]}

    assert (await simulated(text, mocks)).values == (await simulated(text, mocks)).values
