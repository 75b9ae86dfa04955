"""The checker on webhooks, hosts, connectors' inputs and retries."""

import textwrap

import pytest

from libs.language.check import Checked, Known, Problem
from tests.unit.language.judging import KNOWN, judged, rules

SET = "steps: [{id: a, set: {x: 1}}]\n"


def checked(text: str, known: Known = KNOWN) -> Checked:
    whole = f"troth: 1\nname: case\n{textwrap.dedent(text)}"
    return judged(whole, known)


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("webhook", "rule"),
    [
        ("{path: a}", "verify-missing"),
        ("{verify: {scheme: none}}", "key-missing"),
        ("{path: a/b, verify: {scheme: none}}", "bad-path"),
        ("{path: '${{ input.x }}', verify: {scheme: none}}", "expression-not-here"),
        ("{path: a, verify: {scheme: md5}}", "not-one-of"),
        ("{path: a, verify: {scheme: github}}", "key-missing"),
        ("{path: a, verify: {scheme: github, secret: hunter2}}", "secret-expected"),
        ("{path: a, verify: {scheme: github, secret: 'x${{ secret.a }}'}}", "secret-expected"),
        ("{path: a, verify: {scheme: github, secret: '${{ vars.a }}'}}", "unknown-name"),
        ("{path: a, verify: {scheme: none, secret: '${{ secret.a }}'}}", "unknown-key"),
        ("{path: a, verify: {scheme: none}, respond: maybe}", "not-one-of"),
        ("{path: a, verify: {scheme: none}, timeout: 5s}", "timeout-without-result"),
        ("{path: a, verify: {scheme: none}, respond: result, timeout: 2m}", "out-of-range"),
        ("{path: a, verify: {scheme: none}, headers: [Authorization]}", "header-not-allowed"),
        ("{path: a, verify: {scheme: none}, headers: [1]}", "bad-name"),
        ("{path: a, verify: {scheme: none}, with: '${{ execution.id }}'}", "unknown-name"),
        ("{path: a, verify: {scheme: none}, method: GET}", "unknown-key"),
    ],
)
def test_a_webhook_that_breaks_a_rule_is_refused_by_that_rule_alone(webhook, rule):
    assert rules(checked(f"on: [{{webhook: {webhook}}}]\n{SET}")) == {rule}


def test_a_webhook_that_anybody_can_call_is_warned_about():
    found = checked(f"on: [{{webhook: {{path: a, verify: {{scheme: none}}}}}}]\n{SET}")

    assert only(found.warnings).rule == "verify-none"


def test_two_webhooks_of_one_document_have_two_paths():
    hook = "{webhook: {path: a, verify: {scheme: none}}}"

    assert rules(checked(f"on: [{hook}, {hook}]\n{SET}")) == {"path-taken"}


def test_a_host_that_is_written_out_must_be_in_egress():
    text = """\
    egress: [api.example]
    steps:
      - {id: a, uses: http-request@1, with: {url: "https://api.example/x/${{ input.id }}"}}
      - {id: b, uses: http-request@1, with: {url: "https://${{ input.host }}/x"}}
      - {id: c, uses: http-request@1, with: {url: "https://other.example"}}
    """

    problem = only(checked(text).problems)

    assert (problem.rule, problem.found) == ("host-not-in-egress", "other.example")


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("https://a.example", ("a.example",)),
        ("HTTP://A.Example:8080/x", ("a.example:8080",)),
        ("https://u:p@a.example/x", ("a.example",)),
        ("https://a.example${{ input.rest }}", ()),
        ("https://a.${{ input.rest }}/x", ()),
        ("${{ vars.base }}/x", ()),
    ],
)
def test_only_a_host_that_is_surely_meant_is_noted(url, hosts):
    text = f'steps: [{{id: a, uses: http-request@1, with: {{url: "{url}"}}}}]\n'
    found = checked(text).document

    assert found is not None
    assert found.hosts == hosts


@pytest.mark.parametrize(
    ("with_", "rule"),
    [
        ("{}", "key-missing"),
        ("{url: 5}", "input-invalid"),
        ("{url: 'https://a.example', method: FETCH}", "input-invalid"),
        ("{url: 'https://a.example', headers: {a: 1}}", "input-invalid"),
        ("{url: 'https://a.example', headers: '${{ input.h }}'}", None),
        ("{url: 'https://a.example', body: x}", "unknown-key"),
        ("'${{ input }}'", "wrong-type"),
    ],
)
def test_what_is_written_for_a_connector_fits_its_card(with_, rule):
    found = checked(f"steps: [{{id: a, uses: http-request@1, with: {with_}}}]\n")

    assert rules(found) == ({rule} if rule else set())


@pytest.mark.parametrize(
    ("retry", "rule"),
    [
        ("{attempts: 0}", "out-of-range"),
        ("{attempts: 101}", "out-of-range"),
        ("{attempts: '3'}", "wrong-type"),
        ("{attempts: true}", "wrong-type"),
        ("{attempts: '${{ input.n }}'}", "expression-not-here"),
        ("{backoff: linear}", "not-one-of"),
        ("{initial: 1}", "wrong-type"),
        ("{on: [time-out]}", "not-one-of"),
        ("{on: [200]}", "not-one-of"),
        ("{on: ['${{ input.n }}']}", "expression-not-here"),
        ("{tries: 3}", "unknown-key"),
        ("3", "wrong-type"),
    ],
)
def test_a_retry_that_breaks_a_rule_is_refused_by_that_rule_alone(retry, rule):
    step = f"{{id: a, uses: http-request@1, with: {{url: 'https://a.example'}}, retry: {retry}}}"

    assert rules(checked(f"steps: [{step}]\n")) == {rule}


def test_an_unknown_connector_is_refused_when_connectors_are_known():
    text = "steps: [{id: a, uses: email-send@1, with: {to: a}}]\n"

    assert rules(checked(text)) == {"unknown-connector"}
    assert rules(checked(text, Known())) == set()
