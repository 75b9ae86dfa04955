"""Settings of every process, read once from `TROTH_…`; a missing secret stops the start."""

import base64
from functools import cached_property

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What all services share; each service adds its own in its `settings.py`."""

    model_config = SettingsConfigDict(env_prefix="TROTH_", frozen=True, extra="ignore")

    nats_url: str = "nats://127.0.0.1:4222"
    database_url: str = "postgresql://127.0.0.1:5432"
    database_prefix: str = "troth_"
    data_dir: str = "."
    kek: SecretStr
    index_key: SecretStr
    log_level: str = "INFO"
    traces_file: str | None = None
    ops_port: int = Field(default=0, ge=0, le=65535)
    ops_open: bool = False
    retention_every_s: float = Field(default=600.0, gt=0, le=3600)
    drain_s: float = Field(default=10.0, gt=0, le=60)

    @cached_property
    def kek_bytes(self) -> bytes:
        """The installation's key-encryption key: 32 bytes in base 64."""
        raw = base64.b64decode(self.kek.get_secret_value())
        if len(raw) != 32:
            raise SystemExit("TROTH_KEK must be 32 bytes in base 64")
        return raw

    @cached_property
    def index_bytes(self) -> bytes:
        return base64.b64decode(self.index_key.get_secret_value())


class ServiceSecrets(BaseSettings):
    """Passwords of one service: `TROTH_WORKFLOWS_SYSTEM_PASSWORD` and so on."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    system_password: SecretStr = SecretStr("")
    reader_password: SecretStr = SecretStr("")
    signer_password: SecretStr = SecretStr("")  # audit alone has a signer
    nats_password: SecretStr = SecretStr("")


def secrets_of(service: str) -> ServiceSecrets:
    return ServiceSecrets(_env_prefix=f"TROTH_{service.upper()}_")  # pyright: ignore[reportCallIssue] - pydantic-settings' own parameter
