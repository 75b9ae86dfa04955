"""Signatures of hooks, with vectors of those who specify them."""

import hmac
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from services.gateway.refusals import SignatureInvalid
from services.gateway.signatures import check

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
STANDARD = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}  # fmt: skip
NOW = 1614265330.0
SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands"
    b"%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)
SLACK = {
    "x-slack-request-timestamp": "1531420618",
    "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
}


def test_the_vector_of_standard_webhooks_is_right() -> None:
    check("standard-webhooks", SECRET, STANDARD, BODY, now_s=NOW)


def test_what_their_library_signs_is_right_and_one_of_several_is_enough() -> None:
    at = datetime.fromtimestamp(NOW, UTC)
    signed = Webhook(SECRET).sign("msg_1", at, BODY.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(NOW)),
               "webhook-signature": f"v1a,zzz v1,AAAA {signed}"}  # fmt: skip
    check("standard-webhooks", SECRET, headers, BODY, now_s=NOW)


def test_the_vector_of_github_is_right() -> None:
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    check("github", "It's a Secret to Everybody", {"x-hub-signature-256": signature},
          b"Hello, World!")  # fmt: skip


def test_the_vector_of_slack_is_right() -> None:
    check("slack", "8f742231b10e8888abcd99yyyzzz85a5", SLACK, SLACK_BODY, now_s=1531420618.0)


def test_stripe_signs_time_and_body_and_may_have_two_secrets() -> None:
    mac = hmac.new(b"whsec_x", b"1614265330." + BODY, sha256).hexdigest()
    header = {"stripe-signature": f"t=1614265330,v1={'0' * 64},v1={mac},v0=old"}
    check("stripe", "whsec_x", header, BODY, now_s=NOW)
    with pytest.raises(SignatureInvalid):
        check("stripe", "whsec_y", header, BODY, now_s=NOW)


def test_a_token_is_in_its_header_or_the_bearers() -> None:
    check("token", "s3cret", {"x-token": "s3cret"}, b"", token_header="x-token")
    check("token", "s3cret", {"authorization": "Bearer s3cret"}, b"")
    with pytest.raises(SignatureInvalid):
        check("token", "s3cret", {"x-token": "s3cret "}, b"", token_header="x-token")


@pytest.mark.parametrize("scheme", ["standard-webhooks", "github", "stripe", "slack", "token", "x"])
def test_without_a_secret_no_signature_is_right(scheme: str) -> None:
    for secret in (None, ""):
        with pytest.raises(SignatureInvalid):
            check(scheme, secret, {"authorization": "", **STANDARD}, BODY, now_s=NOW)


def test_the_scheme_none_checks_nothing() -> None:
    check("none", None, {}, b"anything")


@pytest.mark.parametrize("off_s", [-301, 301, 10**9])
def test_a_time_more_than_five_minutes_off_is_refused(off_s: int) -> None:
    for scheme, secret, headers, body, at in (
        ("standard-webhooks", SECRET, STANDARD, BODY, NOW),
        ("slack", "8f742231b10e8888abcd99yyyzzz85a5", SLACK, SLACK_BODY, 1531420618.0),
    ):
        with pytest.raises(SignatureInvalid):
            check(scheme, secret, headers, body, now_s=at + off_s)


@given(st.binary(min_size=1, max_size=60), st.integers(0, 19))
def test_no_other_body_has_the_same_signature(noise: bytes, place: int) -> None:
    changed = BODY[:place] + noise + BODY[place:]
    with pytest.raises(SignatureInvalid):
        check("standard-webhooks", SECRET, STANDARD, changed, now_s=NOW)


@given(st.text(max_size=80))
def test_a_header_of_any_characters_is_refused_and_not_a_fault(text: str) -> None:
    for scheme, name in (
        ("standard-webhooks", "webhook-signature"), ("github", "x-hub-signature-256"),
        ("stripe", "stripe-signature"), ("slack", "x-slack-signature"), ("token", "authorization"),
    ):  # fmt: skip
        with pytest.raises(SignatureInvalid):
            check(scheme, SECRET, {**STANDARD, name: text}, BODY, now_s=NOW)
