"""What can happen to a person, and to small things beside."""

from datetime import UTC, datetime, timedelta

from libs.common.decider import given
from libs.common.errors import NotFound
from services.identity.contract import (
    CredentialInvalid,
    EmailTaken,
    KeysDestroyed,
    NotificationRaised,
    NotificationRead,
    OperatorAppointed,
    PasswordChanged,
    PersonRegistered,
    SessionClosed,
    SessionOpened,
    SetUpAlready,
    SignInLinkMade,
    SignInLinkUsed,
)
from services.identity.domain.person import Close, MakeLink, Open, OpenByLink, Register, person
from services.identity.domain.small import Raise, Read, destruction, notification, operator

NOW = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
REGISTERED = PersonRegistered(
    person_id="per_ann", name="v1.k.n.c", email="v1.k.n.d", email_index="i", old_enough=True,
    policies={"privacy": "2026-12"}, password_scheme="bcrypt-12-hmac-sha384", registered_at=NOW,
)  # fmt: skip
OPENED = SessionOpened(session_id="ses_1", method="password", expires_at=NOW)
RAISED = NotificationRaised(
    notification_id="ntf_1", person_id=None, audience="usage:read", category="usage",
    template="usage-at-80", facts={"used": 80}, raised_at=NOW,
)  # fmt: skip


def test_a_person_is_registered_once() -> None:
    given(person).when(Register(REGISTERED)).then(REGISTERED)
    given(person, REGISTERED).when(Register(REGISTERED)).then_refused(EmailTaken)


def test_nobody_signs_in_who_is_not_registered() -> None:
    given(person).when(Open("ses_1", NOW, "s")).then_refused(CredentialInvalid)


def test_a_sign_in_with_an_old_hash_says_that_it_was_made_new() -> None:
    given(person, REGISTERED).when(Open("ses_1", NOW, "bcrypt-12-hmac-sha384")).then(OPENED)
    given(person, REGISTERED).when(Open("ses_1", NOW, "bcrypt-13-hmac-sha384")).then(
        PasswordChanged(reason="rehashed", scheme="bcrypt-13-hmac-sha384"), OPENED
    )


def test_a_session_is_closed_once() -> None:
    closed = SessionClosed(session_id="ses_1", reason="signed-out")
    given(person, REGISTERED, OPENED).when(Close("ses_1", "signed-out")).then(closed)
    given(person, REGISTERED, OPENED, closed).when(Close("ses_1", "signed-out")).then_refused(
        NotFound
    )


def test_the_operator_is_appointed_once() -> None:
    first = OperatorAppointed(person_id="per_ann", how="first-start")
    given(operator).when(first).then(first)
    given(operator, first).when(first).then_refused(SetUpAlready)


def test_keys_are_destroyed_once() -> None:
    gone = KeysDestroyed(owner_id="per_ann", kids=["k1"])
    given(destruction).when(gone).then(gone)
    given(destruction, gone).when(gone).then_nothing()


def test_a_notification_is_raised_once_and_read_once_by_each() -> None:
    read = NotificationRead(notification_id="ntf_1", person_id="per_ann", read_at=NOW)
    given(notification).when(Raise(RAISED)).then(RAISED)
    given(notification, RAISED).when(Raise(RAISED)).then_nothing()
    given(notification, RAISED).when(Read("per_ann", NOW)).then(read)
    given(notification, RAISED, read).when(Read("per_ann", NOW)).then_nothing()
    given(notification, RAISED, read).when(Read("per_bob", NOW)).then_kinds(NotificationRead)
    given(notification).when(Read("per_ann", NOW)).then_refused(NotFound)


def test_a_link_signs_in_once_and_within_its_time() -> None:
    end = NOW + timedelta(minutes=10)
    made = SignInLinkMade(link_id="lnk_1", expires_at=end)
    use = OpenByLink("lnk_1", "ses_1", NOW, NOW)
    opened = SessionOpened(session_id="ses_1", method="link", expires_at=NOW)
    used = SignInLinkUsed(link_id="lnk_1")
    given(person, REGISTERED).when(MakeLink("lnk_1", end)).then(made)
    given(person).when(MakeLink("lnk_1", end)).then_refused(NotFound)
    given(person, REGISTERED, made).when(use).then(used, opened)
    given(person, REGISTERED, made, used, opened).when(use).then_refused(CredentialInvalid)
    late = OpenByLink("lnk_1", "ses_1", NOW, end)
    given(person, REGISTERED, made).when(late).then_refused(CredentialInvalid)
