"""The users of the bus, generated from what the services' readers read."""

from cli.permissions import SERVICES, as_configuration, user, users

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
