"""Signatures, waits, addresses and bodies of deliveries."""

import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from libs.egress import Policy
from libs.egress.webhooks import Attempt, new_secret, retry_after, signature
from services.subscriptions.addresses import host_of
from services.subscriptions.contract import UrlNotAllowed
from services.subscriptions.schedule import verdict
from services.subscriptions.sending import body_of, headers
from services.subscriptions.settings import SubscriptionSettings

NOW = datetime(2026, 12, 1, 9, 0, 0, tzinfo=UTC)
DAY = (5.0, 30.0, 120.0, 600.0, 3600.0, 10800.0, 21600.0, 43200.0)


def test_the_vector_of_the_specification_is_reproduced() -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    made = signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_independent_library_verifies_each_of_two_and_refuses_a_change() -> None:
    old, new, body, at = new_secret(), new_secret(), b'{"a":"\xc3\xa4"}', int(time.time())
    sent = {
        "webhook-id": "evt_1", "webhook-timestamp": str(at),
        "webhook-signature": signature([new, old], "evt_1", at, body),
    }  # fmt: skip
    for secret in (old, new):
        assert Webhook(secret).verify(body, sent)
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body + b" ", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, sent)


def test_a_secret_has_the_length_that_the_specification_asks_for() -> None:
    raw = base64.b64decode(new_secret().removeprefix("whsec_"))
    assert 24 <= len(raw) <= 64


def test_a_body_counts_and_headers_name_the_event() -> None:
    assert body_of({"id": "evt_1"}, 3) == b'{"id":"evt_1","sequence":"3","sequencetype":"Integer"}'
    row = {"event_id": "evt_1", "resend_of": None}
    assert headers([new_secret()], row, 5, b"")["webhook-id"] == "evt_1"
    again = headers([new_secret()], row | {"resend_of": "del_1"}, 5, b"")
    assert again["troth-resend-of"] == "del_1"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_two_hundred_is_delivered(status: int) -> None:
    assert verdict(Attempt(status=status), 1, DAY, 0.5).outcome == "delivered"


def test_waits_grow_to_a_day_and_then_it_is_given_up() -> None:
    for attempt in (Attempt(status=500), Attempt(trouble="timeout"), Attempt(status=302)):
        said = [verdict(attempt, made, DAY, 0.5) for made in range(1, 10)]
        assert [v.after_s for v in said[:8]] == list(DAY)
        assert [v.outcome for v in said] == [None] * 8 + ["undelivered"]
    assert 0.9 * 86400 < sum(DAY) < 86400


def test_jitter_is_a_tenth_to_both_sides() -> None:
    assert verdict(Attempt(status=500), 2, DAY, 0.0).after_s == pytest.approx(27)
    assert verdict(Attempt(status=500), 2, DAY, 1.0).after_s == pytest.approx(33)


def test_retry_after_can_only_make_it_later_and_a_day_at_most() -> None:
    def after(asked_s: float) -> float:
        return verdict(Attempt(status=429, retry_after_s=asked_s), 1, DAY, 0.5).after_s

    assert (after(0), after(90), after(10**9)) == (5, 90, 86400)


def test_gone_ends_it_at_once() -> None:
    said = verdict(Attempt(status=410), 1, DAY, 0.5)
    assert said.outcome == "undelivered" and said.gone


def test_a_forgotten_organization_gets_nothing_more() -> None:
    assert verdict(Attempt(trouble="forgotten"), 1, DAY, 0.5).outcome == "undelivered"


@pytest.mark.parametrize(("header", "seconds"), [
    ("120", 120.0), ("Tue, 01 Dec 2026 09:01:00 GMT", 60.0), (None, None), ("soon", None),
    ("Tue, 01 Dec 2026 08:00:00 GMT", 0.0), ("-5", None), ("٣", None), ("9" * 400, 999999999.0),
    ("Tue, 01 Dec 2026 09:01:00 -0000", None),
])  # fmt: skip
def test_retry_after_is_seconds_or_a_date_or_nothing(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after(header, NOW) == seconds


def test_a_host_is_read_as_the_guard_reads_it() -> None:
    assert host_of("https://Hooks.Example.com./a?token=1", Policy()) == "hooks.example.com"
    assert host_of("http://127.0.0.1:8099/a", Policy(["127.0.0.1:8099"])) == "127.0.0.1"


@pytest.mark.parametrize("url", [
    "http://127.0.0.1:8098/", "http://localhost/", "http://x.localhost/", "http://0177.0.0.1/",
    "http://[fd00::1]/", "https://user@example.com/", "file:///etc/passwd",
    "http://example.com:6667/", "http://127.1/", "//example.com/", "",
])  # fmt: skip
def test_inside_and_odd_urls_are_refused(url: str) -> None:
    with pytest.raises(UrlNotAllowed):
        host_of(url, Policy(["127.0.0.1:8099"]))


def test_the_schedule_of_the_settings_is_the_documented_one() -> None:
    fields = SubscriptionSettings.model_fields
    assert tuple(map(float, fields["delivery_retries_s"].default.split(","))) == DAY
    assert fields["delivery_timeout_s"].default == 15
    assert fields["delivery_dead_after_s"].default == 86_400
