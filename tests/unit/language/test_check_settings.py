"""Schedules, events, and what holds for all executions: what is taken and what is refused."""

import textwrap

import pytest

from libs.language.check import Checked
from libs.language.check_events import SERVICES
from tests.unit.language.judging import judged, rules
from tools.inventory import service_names

HEAD = """\
troth: 1
name: case
input:
  type: object
  additionalProperties: false
  required: [name]
  properties: {name: {type: string}, items: {type: array}}
"""
STEPS = "steps: [{id: a, set: {x: 1}}]\n"


def checked(above: str, head: str = HEAD) -> Checked:
    return judged(f"{head}{textwrap.dedent(above)}\n{STEPS}")


WITH = "with: {name: x}"
SCHEDULES: list[tuple[str, set[str]]] = [
    (f"{{cron: '0 9 * * MON-FRI', timezone: Europe/Vilnius, missed: run-once, {WITH}}}", set()),
    (f"{{cron: '*/5 * * * *', {WITH}}}", set()),
    ("{cron: '*/5 * * * *', with: {name: 'at ${{ trigger.at }} ${{ vars.x }}'}}", set()),
    (f"{{{WITH}}}", {"key-missing"}),
    (f"{{cron: '* * * *', {WITH}}}", {"bad-cron"}),
    (f"{{cron: '0 * * * * *', {WITH}}}", {"bad-cron"}),
    (f"{{cron: '0 0 30 2 *', {WITH}}}", {"bad-cron"}),
    (f"{{cron: '${{{{ vars.x }}}}', {WITH}}}", {"expression-not-here"}),
    (f"{{cron: 5, {WITH}}}", {"wrong-type"}),
    (f"{{cron: '* * * * *', timezone: Europe/Vilnus, {WITH}}}", {"bad-timezone"}),
    (f"{{cron: '* * * * *', timezone: ../etc/passwd, {WITH}}}", {"bad-timezone"}),
    (f"{{cron: '* * * * *', timezone: localtime, {WITH}}}", {"bad-timezone"}),
    (f"{{cron: '* * * * *', missed: run-twice, {WITH}}}", {"not-one-of"}),
    (f"{{cron: '* * * * *', zone: UTC, {WITH}}}", {"unknown-key"}),
    ("{cron: '* * * * *', with: {name: '${{ input.name }}'}}", {"unknown-name"}),
    ("{cron: '* * * * *', with: {name: '${{ event.data }}'}}", {"unknown-name"}),
    ("{cron: '* * * * *', with: {name: '${{ secret.a }}'}}", {"secret-not-here"}),
    ("{cron: '* * * * *'}", {"input-invalid"}),
    ("{cron: '* * * * *', with: {name: 1}}", {"input-invalid"}),
]


@pytest.mark.parametrize(("schedule", "broken"), SCHEDULES)
def test_each_schedule_has_its_answer(schedule: str, broken: set[str]):
    found = checked(f"on: [{{schedule: {schedule}}}]")

    assert rules(found) == broken, found.problems


def test_a_schedule_may_say_nothing_of_an_input_that_needs_nothing():
    found = checked("on: [{schedule: {cron: '* * * * *'}}]", "troth: 1\nname: a\n")

    assert rules(found) == set()


def test_a_zone_that_is_close_gets_a_suggestion():
    found = checked(f"on: [{{schedule: {{cron: '* * * * *', timezone: Europe/Vilnus, {WITH}}}}}]")

    assert [p.did_you_mean for p in found.problems] == ["Europe/Vilnius"]


EVENTS: list[tuple[str, set[str]]] = [
    ("{type: custom.paid}", set()),
    ("{type: billing.event.invoice-paid, with: {name: '${{ event.data.supplier }}'}}", set()),
    ("{type: 'custom.orders.*', match: '${{ event.data.x == vars.x }}'}", set()),
    ("{type: custom.paid, with: {name: '${{ trigger.kind }} ${{ workflow.name }}'}}", set()),
    ("{}", {"key-missing"}),
    ("{type: paid}", {"bad-event-type"}),
    ("{type: custom.paid, match: '${{ input.name }}'}", {"unknown-name"}),
    ("{type: custom.paid, match: '${{ trigger.kind }}'}", {"unknown-name"}),
    ("{type: custom.paid, match: 'yes'}", {"expression-expected"}),
    ("{type: custom.paid, with: {name: '${{ input.name }}'}}", {"unknown-name"}),
    ("{type: custom.paid, wiht: {}}", {"unknown-key"}),
    ("[]", {"wrong-type"}),
]


@pytest.mark.parametrize(("event", "broken"), EVENTS)
def test_each_trigger_by_an_event_has_its_answer(event: str, broken: set[str]):
    found = checked(f"on: [{{event: {event}}}]")

    assert rules(found) == broken, found.problems


def test_an_attribute_that_events_do_not_have_is_warned_about():
    found = checked("on: [{event: {type: custom.paid, match: '${{ event.dta == 1 }}'}}]")

    assert [(w.found, w.did_you_mean) for w in found.warnings] == [("dta", "data")]


def test_services_with_events_are_those_that_there_are():
    assert set(SERVICES) == set(service_names()) - {"gateway"}


def test_a_trigger_is_of_one_kind_and_has_its_own_id():
    event = "event: {type: custom.a}"

    assert rules(checked(f"on: [{{{event}, schedule: {{cron: '* * * * *'}}}}]")) == {"one-kind"}
    assert rules(checked(f"on: [{{id: a, {event}}}, {{id: a, {event}}}]")) == {"id-taken"}
    assert rules(checked(f"on: [{{id: a, {event}}}, {{{event}}}, {{{event}}}]")) == set()
    assert rules(checked("on: [{evnt: {type: custom.a}}]")) == {"unknown-key", "one-kind"}


KEY = "key: '${{ input.name }}'"
SETTINGS: list[tuple[str, set[str]]] = [
    (f"concurrency: {{{KEY}, limit: 1, then: queue}}", set()),
    ("concurrency: {limit: 1000, then: cancel-running}", set()),
    ("concurrency: {key: '${{ [trigger.kind, workflow.name, vars.x] }}', limit: 5}", set()),
    ("concurrency: {}", {"key-missing"}),
    ("concurrency: 5", {"wrong-type"}),
    ("concurrency: {limit: 0}", {"out-of-range"}),
    ("concurrency: {limit: 1001}", {"out-of-range"}),
    ("concurrency: {limit: '${{ input.name }}'}", {"expression-not-here"}),
    ("concurrency: {limit: 1, then: drop}", {"not-one-of"}),
    ("concurrency: {limit: 1, key: name}", {"expression-expected"}),
    ("concurrency: {limit: 1, key: '${{ execution.id }}'}", {"unknown-name"}),
    ("concurrency: {limit: 1, key: '${{ a.x }}'}", {"unknown-name"}),
    ("concurrency: {limit: 1, key: '${{ secret.a }}'}", {"secret-not-here"}),
    ("concurrency: {limit: 1, max: 2}", {"unknown-key"}),
    (f"debounce: {{{KEY}, window: 5s, max: 1m, collect: true}}", set()),
    ("debounce: {window: 5s}", set()),
    ("debounce: {window: 5s, collect: true, key: '${{ input.anything }}'}", set()),
    ("debounce: {max: 5s}", {"key-missing"}),
    ("debounce: {window: 5}", {"wrong-type"}),
    ("debounce: {window: 1m, max: 5s}", {"out-of-range"}),
    ("debounce: {window: 1m, collect: 'yes'}", {"wrong-type"}),
    ("debounce: {windw: 1m}", {"unknown-key", "key-missing"}),
    (f"rate: {{{KEY}, limit: 100, per: 1m, then: reject}}", set()),
    ("rate: {limit: 100, per: 1m}", set()),
    ("rate: {limit: 100}", {"key-missing"}),
    ("rate: {per: 1m}", {"key-missing"}),
    ("rate: {limit: 0, per: 1m}", {"out-of-range"}),
    ("rate: {limit: 1, per: 1m, then: cancel-running}", {"not-one-of"}),
    ("rate: {limit: 1, per: 1m, perr: 1m}", {"unknown-key"}),
    ("priority: 10", set()),
    ("priority: -10", set()),
    ("priority: 11", {"out-of-range"}),
    ("priority: high", {"wrong-type"}),
    ("priority: '${{ 1 }}'", {"expression-not-here"}),
    ("budget: {steps: 10, duration: 7d}", set()),
    ("budget: {duration: 0s}", {"bad-duration"}),
    ("budget: {tokens: 5}", {"comes-later"}),
    ("budget: {cost: 0.50 EUR}", {"comes-later"}),
    ("budget: {stepps: 5}", {"unknown-key"}),
    ("concurency: {limit: 1}", {"unknown-key"}),
]


@pytest.mark.parametrize(("setting", "broken"), SETTINGS)
def test_each_setting_has_its_answer(setting: str, broken: set[str]):
    found = checked(setting)

    assert rules(found) == broken, found.problems


def test_collected_inputs_must_be_what_the_schema_says():
    closed = "input: {type: object, additionalProperties: false, properties: {name: {}}}\n"
    found = checked("debounce: {window: 5s, collect: true}", f"troth: 1\nname: a\n{closed}")

    assert rules(found) == {"input-invalid"}


TESTS: list[tuple[str, set[str]]] = [
    ("[{name: t, input: {name: x}, expect: {output: {a: 1}}}]", set()),
    ("[{name: t, vars: {x: 1}, mocks: {a: {error: {type: timeout}}}, expect: {outcome: failed,"
     " error: {type: timeout, step: a}, steps: {a: 1}, effects: [{step: a}]}}]", set()),
    ("[{name: t, expect: {output: 'a $${{ b }}'}}]", set()),
    ("[{expect: {output: 1}}]", {"key-missing"}),
    ("[{name: t}]", {"key-missing"}),
    ("[{name: t, expect: {}}]", {"too-few"}),
    ("[{name: t, expect: {result: 1}}]", {"unknown-key"}),
    ("[{name: t, expect: {outcome: good}}]", {"not-one-of"}),
    ("[{name: t, expect: {error: timeout}}]", {"wrong-type"}),
    ("[{name: t, expect: {error: {kind: timeout}}}]", {"unknown-key"}),
    ("[{name: t, expect: {steps: {b: 1}}}]", {"unknown-step"}),
    ("[{name: t, expect: {effects: [{step: b}]}}]", {"unknown-step"}),
    ("[{name: t, expect: {effects: [a]}}]", {"block-shape"}),
    ("[{name: t, mocks: {b: 1}, expect: {output: 1}}]", {"unknown-step"}),
    ("[{name: t, mocks: [a], expect: {output: 1}}]", {"wrong-type"}),
    ("[{name: t, mocks: {a: '${{ now() }}'}, expect: {output: 1}}]", {"expression-not-here"}),
    ("[{name: t, expect: {output: 1}}, {name: t, expect: {output: 1}}]", {"name-taken"}),
    ("[{name: t, inputs: 1, expect: {output: 1}}]", {"unknown-key"}),
    ("[t]", {"block-shape"}),
    ("{}", {"wrong-type"}),
]  # fmt: skip


@pytest.mark.parametrize(("tests", "broken"), TESTS)
def test_each_list_of_tests_has_its_answer(tests: str, broken: set[str]):
    found = checked(f"tests: {tests}")

    assert rules(found) == broken, found.problems


def test_a_mock_of_a_step_that_is_close_gets_a_suggestion():
    text = f"{HEAD}steps: [{{id: total, set: {{}}}}]\n"
    found = judged(text + "tests: [{name: t, mocks: {totl: 1}, expect: {output: 1}}]")

    assert [(p.line, p.did_you_mean) for p in found.problems] == [(9, "total")]
