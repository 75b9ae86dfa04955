"""What identity refuses."""

from libs.common.errors import Conflict, Forbidden, NotSignedIn, Rejected


class CredentialInvalid(NotSignedIn):
    """Unknown, wrong, expired or revoked: one answer."""

    code = "credential-invalid"


class EmailTaken(Conflict):
    code = "email-taken"


class PasswordRefused(Rejected):
    """`errors[0].rule` says which rule: too-short, too-long, too-common."""

    code = "password-refused"


class SignUpClosed(Forbidden):
    code = "sign-up-closed"


class InvitationNeeded(Forbidden):
    """Only invited people sign up here, and the request had no invitation."""

    code = "invitation-needed"


class InvitationInvalid(Forbidden):
    """Unknown, withdrawn, or of somebody who may not invite any more: one answer."""

    code = "invitation-invalid"


class InvitationExpired(Forbidden):
    code = "invitation-expired"


class InvitationForeign(Forbidden):
    """It was made for another e-mail address."""

    code = "invitation-foreign"


class InvitationUsed(Conflict):
    code = "invitation-used"


class SignedUpAlready(Conflict):
    """The invited person has signed up: they can be added as a member."""

    code = "signed-up-already"


class SetUpAlready(Conflict):
    """The installation has its operator; the one-time token is used up."""

    code = "set-up-already"


class OrganizationExists(Conflict):
    code = "organization-exists"


class MemberExists(Conflict):
    code = "member-exists"


class LastOwner(Conflict):
    code = "last-owner"


class RoleAboveOwn(Forbidden):
    code = "role-above-own"


class ScopeAboveOwn(Forbidden):
    code = "scope-above-own"


class LimitReached(Conflict):
    code = "limit-reached"


class PersonNeeded(Forbidden):
    """An API key asked for what only a person can have."""

    code = "person-needed"
