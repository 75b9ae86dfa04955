"""Settings of audit alone."""

import os
from pathlib import Path

from pydantic import Field

from services.audit.operator import OperatorSettings
from services.audit.witnesses import Witness, witnesses_in


def places_in(data: Path) -> tuple[Path, Path]:
    """Where the day keys are in a data folder."""
    return data / "keys" / "audit-days", data / "keys-second" / "audit-days"


class AuditSettings(OperatorSettings):
    """`TROTH_AUDIT_KEYS` names the two files of the day keys, with `:` between them.

    They belong on two disks, outside every database and every backup: losing both loses the details
    of the trail, a copy of them keeps what was to be forgotten. `audit_signing_key` is the file of
    the key that signs checkpoints, `audit_origin` the name of the installation in them, and
    `audit_checkpoint_s` how long a trail waits for its next one.

    `audit_witnesses` names up to eight who sign checkpoints along (C2SP tlog-witness), each as
    `<verifier key>@<address>`, with commas or spaces between; one has `audit_witness_timeout_s` for
    an answer.

    Live streams to a SIEM: `egress_allow` names host:port pairs that the operator allows, with
    commas between; entries are gathered for `siem_gather_s`; what failed is tried again after
    `siem_retry_s`, doubled each time up to `siem_retry_max_s`.
    """

    audit_keys: str | None = None
    audit_signing_key: str | None = None
    audit_origin: str = Field(default="troth", pattern=r"^[a-z0-9][a-z0-9.-]{0,99}$")
    audit_checkpoint_s: float = Field(default=60.0, gt=0, le=3600)
    audit_witnesses: str = ""
    audit_witness_timeout_s: float = Field(default=10.0, gt=0, le=60)
    egress_allow: str = ""
    siem_gather_s: float = Field(default=1.0, gt=0, le=60)
    siem_sweep_s: float = Field(default=10.0, gt=0, le=600)
    siem_timeout_s: float = Field(default=15.0, gt=0, le=60)
    siem_retry_s: float = Field(default=1.0, gt=0)
    siem_retry_max_s: float = Field(default=300.0, gt=0)

    @property
    def allowed_pairs(self) -> list[str]:
        return [pair.strip() for pair in self.egress_allow.split(",") if pair.strip()]

    @property
    def witnesses(self) -> tuple[Witness, ...]:
        return witnesses_in(self.audit_witnesses)

    @property
    def key_places(self) -> tuple[Path, Path]:
        if self.audit_keys is None:
            return places_in(Path(self.data_dir).resolve())
        places = [Path(place).resolve() for place in self.audit_keys.split(os.pathsep)]
        if len(places) != 2 or places[0] == places[1]:
            raise SystemExit("TROTH_AUDIT_KEYS needs two different files, with : between them")
        return places[0], places[1]

    @property
    def signing_place(self) -> Path:
        if self.audit_signing_key is None:
            return Path(self.data_dir).resolve() / "keys" / "audit-signing"
        return Path(self.audit_signing_key).resolve()
