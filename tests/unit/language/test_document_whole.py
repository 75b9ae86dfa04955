"""The whole language in one document: what the executor gets of each block and setting."""

import pytest

from libs.language.document import (
    Concurrency,
    Debounce,
    Document,
    EventTrigger,
    Rate,
    ScheduleTrigger,
    TestCase,
)
from libs.language.steps import (
    ApprovalStep,
    ForEachStep,
    Pages,
    ParallelStep,
    PythonStep,
    Retry,
    TryStep,
    UsesStep,
    WaitStep,
    WorkflowStep,
)
from tests.unit.language.judging import judged

# Section 10 of the rules, as far as this version has it: connections and e-mail come later.
INVOICES = """\
troth: 1
name: invoice-triage
description: Checks incoming invoices, asks a person above a limit, tells the ledger.
input:
  type: object
  required: [supplier, lines]
  additionalProperties: false
  properties:
    supplier: {type: string, maxLength: 200, x-data: direct}
    lines: {type: array, maxItems: 10000, items: {$ref: "#/$defs/line"}}
  $defs:
    line:
      type: object
      required: [sku, price, count]
      properties: {sku: {type: string}, price: {type: number}, count: {type: integer}}
on:
  - webhook: {path: invoices, verify: {scheme: standard-webhooks, secret: "${{ secret.ledger_hook }}"}, respond: result, timeout: 10s}
  - schedule: {cron: "0 9 * * MON-FRI", timezone: Europe/Vilnius, missed: run-once, with: {supplier: ACME, lines: []}}
  - event: {type: billing.event.invoice-paid, with: {supplier: "${{ event.data.supplier }}", lines: []}}
concurrency: {key: "${{ input.supplier }}", limit: 1, then: queue}
budget: {steps: 1000, duration: 7d}
egress: [api.ledger.example]
steps:
  - id: total
    set: {amount: "${{ sum([l.price * l.count for l in input.lines]) }}"}
  - id: route
    choose:
      - when: ${{ total.amount > 1000 }}
        steps:
          - id: ok
            approval: {by: ["role:admin"], message: "Pay ${{ total.amount }}?", timeout: 3d, on_timeout: reject}
        output: {approved_by: "${{ ok.decided_by }}"}
    else:
      steps: []
      output: {approved_by: []}
  - id: posted
    for_each: ${{ input.lines }}
    as: line
    index_as: nr
    concurrency: 10
    failures: stop
    steps:
      - id: post
        uses: http-request@1
        with: {method: POST, url: "https://api.ledger.example/lines", json: "${{ line }}"}
        retry: {attempts: 5, backoff: exponential, initial: 1s, max: 5m, on: [timeout, server-error, rate-limited]}
        timeout: 30s
        undo:
          uses: http-request@1
          with: {method: DELETE, url: "https://api.ledger.example/lines/${{ post.json.id }}"}
    output: ${{ post.json.id }}
  - id: note
    python: |
      return {"note": f"{len(posted)} lines, {total['amount']}"[:200]}
    with: {posted: "${{ posted }}", total: "${{ total }}"}
on_error:
  steps:
    - id: tell
      uses: http-request@1
      with: {url: "https://api.ledger.example/failed", text: "invoice-triage: ${{ error.message }}"}
output: {amount: "${{ total.amount }}", note: "${{ note.note }}", lines: "${{ posted }}", approved_by: "${{ route.approved_by }}"}
"""  # noqa: E501 - the example of the rules, as it stands there
REST = """\
troth: 1
name: rest
priority: -3
debounce: {key: "${{ input.a }}", window: 5s, max: 1m, collect: true}
rate: {limit: 100, per: 1m, then: reject}
steps:
  - id: both
    failures: collect
    parallel:
      one: {steps: [{id: a, workflow: other, version: 7, with: {x: 1}}]}
      two: {steps: [{id: b, workflow: third, detached: true}], output: 2}
  - id: safe
    try: {steps: [{id: paid, wait: {event: {type: custom.paid, match: "${{ event.data.x }}",
                   look_back: 1h}, timeout: 3d, on_timeout: continue}}]}
    catch:
      - {on: [wait-timeout, expression], undo: false, steps: [], output: "${{ error.type }}"}
      - {steps: []}
    finally: {steps: [{id: last, set: {x: 1}}]}
  - id: all
    for_each:
      uses: http-request@1
      with: {url: "https://a.example"}
      items: ${{ page.json.rows }}
      next: ${{ page.json.next }}
    as: row
    steps: []
  - id: asked
    approval: {by: ["role:admin", "role:owner"], quorum: 2, message: Pay?, on_reject: continue,
               input: {schema: {type: object}, value: {sum: 1}}, remind: 1d, not_the_starter: true}
  - id: code
    python: return http_request(url=where)
    uses: [http-request@1]
    with: {where: "https://b.example"}
    timeout: 5s
  - {id: kept, uses: http-request@1, with: {url: "https://a.example"}, timeout: 7s,
     retry: {attempts: 2, then: pause}, undo: {uses: http-request@1,
     with: {url: "https://a.example", json: "${{ kept.json }}"}}}
tests:
  - name: nobody answers
    input: {a: 1}
    vars: {b: c}
    mocks: {kept: {error: {type: timeout}}}
    expect: {outcome: failed, output: "$${{ x }}"}
"""
CLOCK = "2026-01-01T00:00:00Z"


def document(text: str) -> Document:
    found = judged(text)
    assert found.problems == []
    assert found.document is not None
    return found.document


@pytest.fixture(scope="module")
def rest() -> Document:
    return document(REST)


def test_the_example_of_the_rules_is_taken():
    found = document(INVOICES)

    webhook, schedule, event = found.triggers
    assert found.webhooks == (webhook,)
    assert isinstance(schedule, ScheduleTrigger)
    assert (schedule.cron, schedule.timezone, schedule.missed) == (
        "0 9 * * MON-FRI", "Europe/Vilnius", "run-once",
    )  # fmt: skip
    assert isinstance(event, EventTrigger)
    assert event.with_ is not None
    scope = {"event": {"data": {"supplier": "ACME"}}}
    assert event.with_.evaluate(scope, CLOCK) == {"supplier": "ACME", "lines": []}
    assert isinstance(found.concurrency, Concurrency)
    assert found.concurrency.key is not None
    assert found.concurrency.key.evaluate({"input": {"supplier": "ACME"}}, CLOCK) == "ACME"
    assert (found.concurrency.limit, found.concurrency.then) == (1, "queue")
    assert (found.budget_steps, found.budget_duration_s) == (1000, 7 * 86400.0)
    assert found.on_error is not None
    assert [step.id for step in found.on_error.steps] == ["tell"]
    assert found.steps_count == 7
    posted, note = found.steps[2:]
    assert isinstance(posted, ForEachStep)
    (post,) = posted.block.steps
    assert isinstance(post, UsesStep)
    assert post.undo is not None
    assert (post.undo.retry, post.undo.timeout_s) == (post.retry, 30.0)
    undone = post.undo.with_.evaluate({"post": {"json": {"id": 7}}}, CLOCK)
    assert undone["url"] == "https://api.ledger.example/lines/7"
    assert isinstance(note, PythonStep)
    assert sorted(note.with_) == ["posted", "total"]


def test_settings_and_tests_are_read(rest: Document):
    assert rest.priority == -3
    assert isinstance(rest.debounce, Debounce)
    assert (rest.debounce.window_s, rest.debounce.max_s, rest.debounce.collect) == (5, 60, True)
    assert rest.rate == Rate(None, 100, 60.0, "reject")
    assert rest.tests == (
        TestCase(
            name="nobody answers",
            input={"a": 1},
            vars={"b": "c"},
            mocks={"kept": {"error": {"type": "timeout"}}},
            expect={"outcome": "failed", "output": "${{ x }}"},
        ),
    )
    assert rest.callees == ("other", "third")
    assert rest.connectors == ("http-request@1",)


def test_parallel_and_sub_workflows_are_read(rest: Document):
    both = rest.steps[0]
    assert isinstance(both, ParallelStep)
    assert (list(both.branches), both.failures) == (["one", "two"], "collect")
    (a,), (b,) = (block.steps for block in both.branches.values())
    assert isinstance(a, WorkflowStep)
    assert (a.workflow, a.version, a.detached) == ("other", 7, False)
    assert isinstance(b, WorkflowStep)
    assert (b.version, b.with_, b.detached) == (None, None, True)


def test_try_and_a_wait_for_an_event_are_read(rest: Document):
    safe = rest.steps[1]
    assert isinstance(safe, TryStep)
    assert [(h.on, h.undo) for h in safe.handlers] == [
        (("wait-timeout", "expression"), False), (None, True),
    ]  # fmt: skip
    assert safe.finally_ is not None
    (paid,) = safe.body.steps
    assert isinstance(paid, WaitStep)
    assert paid.event is not None
    assert (paid.event.type, paid.event.look_back_s) == ("custom.paid", 3600.0)
    assert (paid.timeout_s, paid.on_timeout) == (3 * 86400.0, "continue")


def test_pages_approvals_python_and_undo_are_read(rest: Document):
    pages, asked, code, kept = rest.steps[2:]
    assert isinstance(pages, ForEachStep)
    assert isinstance(pages.items, Pages)
    assert (pages.items.connector, pages.items.limit) == ("http-request", 10_000)
    assert isinstance(asked, ApprovalStep)
    assert (asked.by, asked.quorum) == (("role:admin", "role:owner"), 2)
    assert (asked.timeout_s, asked.on_timeout, asked.on_reject) == (None, "reject", "continue")
    assert (asked.remind_s, asked.not_the_starter) == (86400.0, True)
    assert isinstance(code, PythonStep)
    assert (code.uses, code.timeout_s) == ((("http-request", 1),), 5.0)
    assert isinstance(kept, UsesStep)
    assert kept.retry == Retry(attempts=2, then="pause")
    assert kept.undo is not None
    assert (kept.undo.retry, kept.undo.timeout_s) == (Retry(attempts=2, then="fail"), 7.0)
