"""The users of the bus, generated from grants of keys and from what the services' readers read."""

import re

import pytest

from cli.checks_bus import differences
from cli.permissions import HEARS_EVENTS, SERVICES, as_configuration, user, users
from libs.common.grants import GRANTS
from libs.common.messages import ASKS
from tools.docs.nats import readers
from tools.inventory import ROOT, import_everything

READERS = {"audit": [("trail_executor", "executor"), ("gaps", "audit")]}
PASSWORDS = {service: f"password of {service}" for service in SERVICES}


def made(service):
    return next(one for one in users(READERS, PASSWORDS) if one.name == service)


def test_every_service_is_a_user_with_its_own_password():
    found = users(READERS, PASSWORDS)

    assert [one.name for one in found] == list(SERVICES)
    assert len({one.password for one in found}) == len(SERVICES)


def test_a_service_publishes_events_under_its_own_name_only():
    for service in SERVICES:
        events = [s for s in made(service).publish if ".event." in s or ".relay." in s]
        assert events == [f"{service}.event.>", f"{service}.relay.>"]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_asks_for_keys_of_its_granted_purposes_and_as_nobody_else(service):
    asked = {s for s in made(service).publish if ".find-key" in s}

    assert asked == {
        f"identity.query.{asked}.{purpose}.{service}"
        for asked in ("find-key", "find-key-by-id")
        for purpose in GRANTS[service]
    }


def test_nothing_that_is_asked_without_a_purpose_needs_more_than_three_words():
    import_everything()

    assert {len(subject.split(".")) for subject in ASKS} == {3}


def test_nobody_may_say_more_than_one_word_behind_command_or_query_but_to_ask_for_keys():
    for one in users(READERS, PASSWORDS):
        longer = [s for s in one.publish if re.search(r"\.(command|query)\..*(>|\.)", s)]
        assert all(s.startswith("identity.query.find-key") for s in longer), one.name


def test_a_service_hears_the_events_and_heads_of_those_that_are_declared_for_it():
    declared = users(readers(), PASSWORDS)
    for one in declared:
        heard = {s.partition(".")[0] for s in one.subscribe if ".event." in s}
        assert heard == set(HEARS_EVENTS.get(one.name, ())), one.name
        heads = {s.partition(".")[0] for s in one.subscribe if s.endswith(".relay.head")}
        assert heads == {p for _, p in readers().get(one.name, [])} - {one.name}, one.name
        assert not any(s.startswith("*") for s in one.subscribe), one.name


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_listens_to_in_its_code_is_what_it_may_hear(service):
    """By the calls themselves: a producer's name, its contract, or the list beside them."""
    heard: set[str] = set()
    for file in (ROOT / "services" / service).rglob("*.py"):
        text = file.read_text()
        for told in re.findall(r"subscribe\(\s*subject_of\(([^)]+)\)", text):
            if told == "producer":
                (names,) = re.findall(r"^PRODUCERS = \((.+)\)$", text, re.MULTILINE)
                heard |= set(re.findall(r"\w+", names))
            else:
                heard.add(told.removesuffix(".SERVICE").strip('"'))

    assert heard == set(HEARS_EVENTS.get(service, ()))


def test_only_who_starts_executions_may_put_work_on_the_queue():
    may = {s for s in SERVICES if "executor.work.>" in made(s).publish}

    assert may == {"gateway", "workflows", "executor"}


def test_only_the_executor_answers_into_the_inbox_of_the_gateway():
    may = {s for s in SERVICES if any("_INBOX" in p for p in made(s).publish)}

    assert may == {"executor"}


def test_a_reader_gets_its_consumer_and_no_other():
    calls = [s for s in made("audit").publish if s.startswith("$JS.API.CONSUMER")]

    assert {call.rpartition("EXECUTOR.")[2] for call in calls} == {"audit-trail-executor"}


def test_a_reader_of_the_own_log_needs_no_consumer():
    assert not any("audit-gaps" in subject for subject in made("audit").publish)


def test_nobody_may_change_or_delete_a_stream():
    for one in users(READERS, PASSWORDS):
        for verb in ("DELETE", "UPDATE", "PURGE"):
            assert not any(verb in subject for subject in one.publish), one.name


def test_nobody_listens_to_everything():
    for one in users(READERS, PASSWORDS):
        assert ">" not in one.subscribe
        assert "_INBOX.>" not in one.subscribe
        foreign = [s for s in one.subscribe if ".command." in s or ".query." in s]
        assert foreign == [f"{one.name}.command.>", f"{one.name}.query.>"]


def test_an_external_server_is_given_the_same_permissions():
    one = user("billing", [("metering", "executor")], "secret")

    configured = as_configuration(one)

    assert configured["user"] == "billing"
    assert configured["permissions"]["publish"]["allow"] == list(one.publish)
    assert configured["permissions"]["subscribe"]["allow"] == list(one.subscribe)


def test_where_streams_are_made_by_somebody_else_no_service_may_make_one():
    for one in users(READERS, PASSWORDS, makes_streams=False):
        assert not any("STREAM.CREATE" in subject for subject in one.publish), one.name


def live(publish, subscribe):
    allowed = {"publish": {"allow": publish}, "subscribe": {"allow": subscribe}}
    return {"data": {"user": "billing", "permissions": allowed}}


def test_a_server_that_lets_a_user_do_more_or_less_is_found_out():
    one = user("billing", [("metering", "executor")], "secret")
    publish, subscribe = list(one.publish), list(one.subscribe)

    assert differences(one, live(publish, subscribe)) == []
    assert differences(one, live([*publish, ">"], subscribe)) == ["may publish >"]
    assert differences(one, live(publish, subscribe[1:])) == [f"may not subscribe {subscribe[0]}"]
    assert differences(one, {"data": {"user": "billing"}}) == [
        "may publish everything", "may subscribe everything",
    ]  # fmt: skip
