"""The record of processing activities (Article 30 GDPR) as audit answers it.

Part of `services.audit.contract`, where others find it.
"""

from typing import Annotated, Literal

from pydantic import Field

from libs.common.fields import Count, DataClass, Flag, Meaning, Word, plain
from libs.common.messages import Message, Query
from libs.common.purposes import Basis, Kept, Purpose, Subject

Phrase = Annotated[str, Field(max_length=500), plain("words of the inventory")]
# What the operator has said in settings; it is answered and stored nowhere.
OperatorText = Annotated[
    str, Field(max_length=500),
    Meaning(DataClass.DIRECT, "who runs the installation", Subject.PERSON, Purpose.TRAIL,
            Basis.LEGAL_OBLIGATION, Kept.NEVER, sealed=False),
]  # fmt: skip
CountryCode = Annotated[str, Field(pattern=r"^[A-Z]{2}$"), plain("country")]
RecordDigest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$"), plain("SHA-256 of the record")]


class ControllerShown(Message):
    """Article 30(1)(a), 30(2)(a): null is what the operator has not said."""

    name: OperatorText | None
    contact: OperatorText | None
    representative: OperatorText | None
    protection_officer: OperatorText | None


class RecipientShown(Message):
    """Article 30(1)(d), (e): somebody outside; `safeguard` null where none is said."""

    name: OperatorText
    purpose: OperatorText
    country: CountryCode
    safeguard: OperatorText | None


class DataShown(Message):
    """One kind of personal data: what, of whom, on which basis, sealed or not, how long.

    `limit` is the time in words, also where there is no number of days.
    """

    category: Phrase
    data_class: DataClass
    subject: Phrase
    basis: Basis
    sealed: Flag
    rule: Phrase
    keep_days: Count | None
    limit: Phrase


class ActivityShown(Message):
    """Article 30(1)(b), (c), (f): one purpose, with the data that is processed for it.

    `role`: processor where the data is an organization's, which is its controller.
    """

    purpose: Phrase
    role: Literal["controller", "processor"]
    bases: list[Basis]
    subjects: list[Phrase]
    services: list[Word]
    data: list[DataShown]


class OnBehalfShown(Message):
    """Article 30(2): `controllers` says who they are without naming them."""

    controllers: Phrase
    categories: list[Phrase]


class RecordShown(Message):
    """`digest` is the SHA-256 of the record's canonical JSON without `digest`.

    `absent` points at what the operator has not said; `inventory` is the digest of the inventory
    from which everything else was made. `recipients` and `transfers` null: not said. Transfers are
    the recipients outside the EEA.
    """

    format: Literal["troth.processing-record.v1"]
    digest: RecordDigest
    release: Word
    inventory: RecordDigest
    controller: ControllerShown
    recipients: list[RecipientShown] | None
    transfers: list[RecipientShown] | None
    activities: list[ActivityShown]
    on_behalf: OnBehalfShown
    security: list[Phrase]
    absent: list[Phrase]


class FindProcessingRecord(
    Query, type="audit.query.find-processing-record", permission="audit:read", answers=RecordShown
):
    """What is processed here, what for, and on which basis; of the whole installation."""
