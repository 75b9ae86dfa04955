"""Settings of identity alone."""

import base64
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from libs.common.settings import Settings


class IdentitySettings(Settings):
    """`TROTH_PEPPER` goes into every password's hash: who loses it resets all passwords.

    For `counts_gathered_s` uses and refusals are counted before they are events of the trail.
    """

    model_config = SettingsConfigDict(populate_by_name=True)

    pepper: SecretStr
    sign_up: Literal["open", "invited", "closed"] = "open"
    operator_token: SecretStr | None = None
    identity_keystore_url: str | None = None
    counts_gathered_s: float = Field(default=30, gt=0, le=45)
    bcrypt_rounds: int = Field(default=12, ge=4, le=16, validation_alias="TROTH_TEST_BCRYPT_ROUNDS")

    @cached_property
    def pepper_bytes(self) -> bytes:
        """32 bytes in base 64, made once for the installation."""
        raw = base64.b64decode(self.pepper.get_secret_value())
        if len(raw) != 32:
            raise SystemExit("TROTH_PEPPER must be 32 bytes in base 64")
        return raw

    @property
    def keystore_url(self) -> str:
        """Where the data keys are: in no service's database, log, event or backup."""
        path = Path(self.data_dir).resolve() / "keys" / "keys.db"
        return self.identity_keystore_url or f"sqlite:///{path}"
