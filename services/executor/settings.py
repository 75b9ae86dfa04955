"""Settings of the executor."""

from pydantic import Field

from libs.common.settings import Settings


class ExecutorSettings(Settings):
    """`egress_allow`: named host:port pairs that the operator allows, with commas between.
    `files_max_mb`: how much an organization may keep in files.
    """

    egress_allow: str = ""
    executor_places: int = Field(default=200, ge=1, le=5000)
    executor_pull: int = Field(default=256, ge=1, le=1000)
    files_max_mb: int = Field(default=10_240, ge=1)

    @property
    def allowed_pairs(self) -> list[str]:
        return [pair.strip() for pair in self.egress_allow.split(",") if pair.strip()]
