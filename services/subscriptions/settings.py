"""Settings of subscriptions."""

from pydantic import Field, field_validator

from libs.common.settings import Settings


class SubscriptionSettings(Settings):
    """Lists have commas between; `egress_allow` names host:port pairs that the operator allows."""

    egress_allow: str = ""
    delivery_retries_s: str = "5,30,120,600,3600,10800,21600,43200"
    delivery_timeout_s: float = Field(default=15.0, gt=0, le=60)
    delivery_lease_spare_s: float = Field(default=5.0, gt=0, le=60)
    delivery_dead_after_s: float = Field(default=86_400.0, gt=0)
    delivery_sweep_s: float = Field(default=10.0, gt=0)
    deliveries_at_once_max: int = Field(default=64, ge=1, le=200)
    deliveries_per_endpoint_max: int = Field(default=8, ge=1, le=200)

    @field_validator("delivery_retries_s")
    @classmethod
    def _numbers(cls, text: str) -> str:
        if any(float(part) < 0 for part in text.split(",")):
            raise ValueError("a wait is not negative")
        return text

    @property
    def allowed_pairs(self) -> list[str]:
        return [pair.strip() for pair in self.egress_allow.split(",") if pair.strip()]

    @property
    def retries_s(self) -> tuple[float, ...]:
        return tuple(float(part) for part in self.delivery_retries_s.split(","))
