"""What the door reads from headers: the session cookie, versions, rates."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import Malformed, PreconditionRequired, TooMany
from services.gateway import cookies, etags, rates


def cookie(*lines: bytes, secure: bool = True) -> str | None:
    return cookies.session_cookie([(b"cookie", line) for line in lines], secure=secure)


def test_the_session_is_found_among_other_cookies() -> None:
    assert cookie(b"theme=dark; __Host-troth=abc; a=b=c") == "abc"
    assert cookie(b"theme=dark", b"\t__Host-troth=abc ") == "abc"
    assert cookie(b"troth=abc", secure=False) == "abc"


def test_the_plain_name_is_not_taken_under_tls() -> None:
    assert cookie(b"troth=abc") is None
    assert cookie(b"") is None
    assert cookie(b"__Host-troth") is None
    assert cookie(b"__Host-troth=") is None


@pytest.mark.parametrize("line", [
    b"\xa0__Host-troth=evil; __Host-troth=good", b"\x85__Host-troth=evil",
    b"__Host-troth=evil; __Host-troth=good", b"__Host-troth=a b", b'__Host-troth="a"',
    b"__Host-troth =evil", b"__Host-troth=a\x00", b"a=b\x7f", b"__Host-troth=a\\b",
    "__Host-troth=ü".encode(), b"(__host-troth)=evil",
])  # fmt: skip
def test_what_another_parser_could_read_as_ours_is_refused(line: bytes) -> None:
    with pytest.raises(Malformed):
        cookie(line)


@given(st.binary(max_size=100))
def test_only_one_clear_session_is_ever_found(noise: bytes) -> None:
    with contextlib.suppress(Malformed):
        assert cookie(noise + b"; __Host-troth=good") == "good"


def test_the_cookie_is_bound_to_host_and_hidden_from_scripts() -> None:
    line = cookies.set_cookie("abc", secure=True, max_age_s=60)
    assert line == "__Host-troth=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
    assert "Domain" not in line
    assert "Secure" not in cookies.set_cookie("abc", secure=False, max_age_s=60)


def test_a_change_says_the_version_that_it_expects() -> None:
    assert etags.expected_version('"7"', None, creates=False) == 7
    assert etags.expected_version(None, "*", creates=True) == 0
    for wrong in ("7", 'W/"7"', '"7", "8"', "*", '"x"', '""'):
        with pytest.raises(Malformed):
            etags.expected_version(wrong, None, creates=True)
    for creates in (True, False):
        with pytest.raises(PreconditionRequired):
            etags.expected_version(None, None, creates=creates)
    with pytest.raises(PreconditionRequired):
        etags.expected_version(None, "*", creates=False)


def test_a_get_is_unchanged_for_who_has_this_version() -> None:
    assert etags.unchanged('"6", W/"7"', 7)
    assert etags.unchanged("*", 7)
    for header, version in (('"6"', 7), (None, 7), ('"7"', None), ("7", 7), ('"77"', 7)):
        assert not etags.unchanged(header, version)


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    now = [0.0]
    buckets = rates.Buckets(rates.Limit("api", 50, 200), clock=lambda: now[0])
    assert all(buckets.take("a").allowed for _ in range(200))
    refused = buckets.take("a")
    assert (refused.allowed, refused.left, refused.retry_after_s) == (False, 0, 1)
    with pytest.raises(TooMany):
        refused.or_refuse()
    assert buckets.take("b").allowed
    now[0] = 1.0
    assert sum(buckets.take("a").allowed for _ in range(100)) == 50


def test_the_headers_tell_the_policy_and_what_is_left() -> None:
    taken = rates.Buckets(rates.API, clock=lambda: 0.0).take("a")
    assert dict(taken.headers()) == {
        b"ratelimit-policy": b'"api";q=200;w=4', b"ratelimit": b'"api";r=199;t=1',
    }  # fmt: skip
