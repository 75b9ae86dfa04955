"""Settings of billing."""

from pydantic import Field

from libs.common.settings import Settings


class BillingSettings(Settings):
    """`billing_jurisdiction`: the country whose law says how long what was billed is kept, as two
    letters (`services/billing/jurisdictions.json`); where none is given, the longest of all.
    """

    billing_jurisdiction: str = Field(default="", pattern="^([A-Z]{2})?$")
