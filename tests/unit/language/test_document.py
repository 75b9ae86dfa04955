"""The checked document: what the executor gets, from a draft or from a published version."""

import json

import pytest

from libs.language.check import HTTP_REQUEST, DocumentError, Known, check, parse
from libs.language.document import Document, WebhookTrigger
from libs.language.source import read_document
from libs.language.steps import ChooseStep, ForEachStep, Retry, SetStep, UsesStep, WaitStep

TEXT = """\
troth: 1
name: review
title: Review
description: What this is for.
labels: {team: core}
input:
  type: object
  properties: {lines: {type: array, items: {type: object}}}
on:
  - id: hook
    webhook:
      path: review
      verify: {scheme: token, secret: "${{ secret.hook }}", header: X-Token}
      respond: result
      timeout: 15s
      headers: [X-GitHub-Event]
      query: [page]
      with: {lines: "${{ input.commits }}"}
timeout: 2h
budget: {steps: 500}
egress: [api.example, "[::1]:8080"]
steps:
  - id: total
    title: Adds up
    set: {amount: "${{ sum([l.price for l in input.lines]) }}", fixed: [1, "a"]}
  - id: route
    choose:
      - when: ${{ total.amount > 10 }}
        name: high
        steps:
          - {id: pause, wait: {for: 2s}}
        output: {big: true}
    else:
      steps: []
  - id: posted
    for_each: ${{ input.lines }}
    as: line
    index_as: nr
    concurrency: 5
    failures: collect
    steps:
      - id: post
        uses: http-request@1
        with: {method: POST, url: "https://api.example/lines", json: "${{ line }}"}
        retry: {attempts: 5, backoff: fixed, initial: 100ms, max: 1m, on: [timeout, 429, 5xx]}
        timeout: 5s
        deadline: 1h
        once: true
    output: ${{ post.status }}
  - {id: later, wait: {until: "${{ add_time(now(), '1s') }}"}}
  - {id: soon, wait: {for: "${{ total.amount }}s"}}
  - {id: plain, uses: http-request@1, with: {url: "${{ vars.base }}/x"}}
output: {amount: "${{ total.amount }}"}
"""
KNOWN = Known(connectors={"http-request@1": HTTP_REQUEST})
CLOCK = "2026-01-01T00:00:00Z"


@pytest.fixture
def document() -> Document:
    found = check(read_document(TEXT, "yaml"), known=KNOWN)
    assert found.problems == []
    assert found.document is not None
    return found.document


def test_the_head_of_a_document_is_read(document):
    assert (document.name, document.title, document.labels) == (
        "review",
        "Review",
        {"team": "core"},
    )
    assert (document.timeout_s, document.budget_steps) == (7200.0, 500)
    assert document.egress == ("api.example", "[::1]:8080")
    assert document.steps_count == 8
    assert document.input_schema is not None


def test_what_a_document_uses_is_gathered(document):
    assert document.hosts == ("api.example",)
    assert document.connectors == ("http-request@1",)
    assert document.secrets == ("hook",)
    assert document.variables == ("base",)


def test_a_webhook_is_read(document):
    (hook,) = document.triggers
    with_ = hook.with_

    assert with_ is not None
    assert with_.evaluate({"input": {"commits": [1]}}, CLOCK) == {"lines": [1]}
    assert hook == WebhookTrigger(
        id="hook",
        path="review",
        scheme="token",
        secret="hook",
        header="x-token",
        respond="result",
        timeout_s=15.0,
        headers=("x-github-event",),
        query=("page",),
        with_=with_,
    )


def test_each_kind_of_step_is_read(document):
    total, route, posted, later, soon, plain = document.steps

    assert isinstance(total, SetStep)
    assert (total.id, total.title, total.pointer) == ("total", "Adds up", "/steps/0")
    scope = {"input": {"lines": [{"price": 2}, {"price": 3}]}}
    assert total.values["amount"].evaluate(scope, CLOCK) == 5
    assert total.values["fixed"].evaluate({}, CLOCK) == [1, "a"]
    assert isinstance(route, ChooseStep)
    assert [branch.name for branch in route.branches] == ["high"]
    assert route.branches[0].when.evaluate({"total": {"amount": 11}}, CLOCK) is True
    assert route.otherwise is not None
    assert route.otherwise.steps == ()
    assert route.otherwise.output is None
    assert isinstance(posted, ForEachStep)
    assert (posted.as_, posted.index_as) == ("line", "nr")
    assert (posted.concurrency, posted.failures) == (5, "collect")
    assert isinstance(later, WaitStep)
    assert later.for_ is None
    assert later.until is not None
    assert isinstance(soon, WaitStep)
    assert soon.for_ is not None
    assert soon.for_.evaluate({"total": {"amount": 3}}, CLOCK) == "3s"
    assert isinstance(plain, UsesStep)
    assert (plain.retry, plain.timeout_s, plain.deadline_s, plain.once) == (None, 30.0, None, False)


def test_a_connectors_step_is_read(document):
    posted = document.steps[2]
    assert isinstance(posted, ForEachStep)
    (post,) = posted.block.steps

    assert isinstance(post, UsesStep)
    assert (post.connector, post.version, post.pointer) == ("http-request", 1, "/steps/2/steps/0")
    assert (post.timeout_s, post.deadline_s, post.once) == (5.0, 3600.0, True)
    assert post.retry == Retry(5, "fixed", 0.1, 60.0, ("timeout", 429, "5xx"))


def test_a_retry_knows_what_was_not_said():
    text = """\
troth: 1
name: a
steps: [{id: a, uses: http-request@1, with: {url: "https://a.example"}, retry: {attempts: 2}}]
"""
    found = check(read_document(text, "yaml"), known=KNOWN).document

    assert found is not None
    step = found.steps[0]
    assert isinstance(step, UsesStep)
    assert step.retry == Retry(attempts=2)


def test_a_published_version_gives_the_same_document(document):
    value = json.loads(json.dumps(read_document(TEXT, "yaml").value))

    again = parse(value)

    assert [step.pointer for step in again.steps] == [step.pointer for step in document.steps]
    assert (again.hosts, again.secrets, again.timeout_s) == (("api.example",), ("hook",), 7200.0)


def test_a_published_version_may_use_a_connector_that_nobody_knows_any_more():
    value = {"troth": 1, "name": "a", "steps": [{"id": "s", "uses": "gone@7", "with": {"x": 1}}]}

    step = parse(value).steps[0]

    assert isinstance(step, UsesStep)
    assert (step.connector, step.version) == ("gone", 7)


def test_what_never_passed_a_check_is_not_run():
    with pytest.raises(DocumentError, match="comes-later"):
        parse({"troth": 1, "name": "a", "steps": [{"id": "s", "agent": {}}]})


def test_a_document_cannot_be_changed(document):
    with pytest.raises(AttributeError):
        document.name = "other"
