"""Who runs the installation, as it says so itself: for the record of processing activities."""

from pydantic import BaseModel, ConfigDict, Field

from libs.common.settings import Settings


class Recipient(BaseModel):
    """Somebody outside who gets personal data from the operator."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=200)
    purpose: str = Field(min_length=1, max_length=300)
    country: str = Field(pattern=r"^[A-Z]{2}$")
    safeguard: str | None = Field(default=None, max_length=300)


class OperatorSettings(Settings):
    """What no code can know. Absent values are said to be absent in the record, never invented.

    `TROTH_OPERATOR_RECIPIENTS` is a list in JSON, `[]` when there are none: each with `name`,
    `purpose`, `country` (two letters) and, outside the EEA, `safeguard`.
    """

    operator_name: str | None = None
    operator_contact: str | None = None
    operator_representative: str | None = None
    operator_protection_officer: str | None = None
    operator_recipients: list[Recipient] | None = None
