"""The witnesses that an operator names, each by its verifier key and where it is asked."""

import re
from dataclasses import dataclass

from libs.egress import EgressRefused
from libs.egress.urls import parse, port_of
from libs.trail.cosignatures import Cosigner
from libs.trail.notes import BadNote

WITNESSES_MAX = 8
NAME_MAX = 100
PREFIX_MAX = 500
SETTING = "TROTH_AUDIT_WITNESSES"


@dataclass(frozen=True)
class Witness:
    """`prefix` is where it is asked: `<prefix>/add-checkpoint`."""

    key: Cosigner
    prefix: str

    @property
    def name(self) -> str:
        return self.key.name

    @property
    def label(self) -> str:
        """As it is counted: two keys may have one name, while one follows the other."""
        return f"{self.name}+{self.key.id.hex()}"

    @property
    def pair(self) -> str:
        """Host and port, which the operator allows by naming them."""
        url = parse(self.prefix)
        host = url.raw_host.decode()
        return f"[{host}]:{port_of(url)}" if ":" in host else f"{host}:{port_of(url)}"


def witnesses_in(text: str) -> tuple[Witness, ...]:
    """Of `<verifier key>@<prefix>`, with commas or spaces between. SystemExit names a bad one."""
    found = tuple(_witness(one) for one in re.split(r"[\s,]+", text) if one)
    if len(found) > WITNESSES_MAX:
        raise SystemExit(f"{SETTING} names {len(found)} witnesses, {WITNESSES_MAX} are possible")
    for at, one in enumerate(found):
        if one.key in [before.key for before in found[:at]]:
            raise SystemExit(f"{SETTING} names {one.name} twice")
    return found


def _witness(text: str) -> Witness:
    key, at, prefix = text.partition("@")
    try:
        if not at:
            raise BadNote("it has no @ with an address behind it")
        witness = Witness(Cosigner.parse(key), prefix.rstrip("/"))
        if len(witness.name) > NAME_MAX or len(prefix) > PREFIX_MAX:
            raise BadNote(f"up to {NAME_MAX} characters of a name, {PREFIX_MAX} of an address")
        if parse(prefix).query or "#" in prefix:
            raise BadNote("an address has no ? and no #")
    except (BadNote, EgressRefused) as error:
        raise SystemExit(f"{SETTING}: {text[:200]} is no witness: {error}") from None
    return witness
