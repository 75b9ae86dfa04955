"""What values are processed for, on which legal basis, about whom, and how long they are kept.

A field type says all of it (`libs/common/fields.py`); what depends on where a value stands is said
by the record's rule of retention (`services/*/retention.py`), and the inventory puts both together.
"""

from enum import StrEnum


class Purpose(StrEnum):
    """What for. `ITS_RECORD`: the purpose of the record in which the value stands."""

    ITS_RECORD = "that of its record"
    ACCOUNTS = "people, organizations, and who may do what"
    WORKFLOWS = "carry out the workflows of an organization"
    MESSAGES = "tell people and their systems what happened"
    BILLING = "measure what is used, and bill it"
    SECURITY = "find and stop abuse"
    TRAIL = "prove what happened"
    RUNNING = "run the installation and repair it"


class Basis(StrEnum):
    """The legal basis under Article 6(1) GDPR."""

    ITS_RECORD = "that of its record"
    CONSENT = "consent"
    CONTRACT = "contract"
    LEGAL_OBLIGATION = "legal obligation"
    LEGITIMATE_INTEREST = "legitimate interest"


class Kept(StrEnum):
    """How long: a rule by its name (`<service>.<rule>`), the record's own rule, or never at all."""

    ITS_RECORD = "as long as its record"
    NEVER = "never stored as it is"
    TRAIL_DETAIL = "audit.detail"


class Subject(StrEnum):
    """Whom a value is about, if anybody."""

    NOBODY = "nobody"
    PERSON = "people with an account"
    ORGANIZATION = "organizations and their people"
    OTHERS = "people in the data of an organization"


LEGAL_BASES = frozenset(
    {Basis.CONSENT, Basis.CONTRACT, Basis.LEGAL_OBLIGATION, Basis.LEGITIMATE_INTEREST}
)
