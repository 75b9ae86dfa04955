"""What witnesses write below a checkpoint: cosignatures with Ed25519 (C2SP tlog-cosignature).

Those with ML-DSA-44 (type 0x06) are not known here; a note that carries them is read all the same.
"""

from typing import ClassVar

from libs.trail.notes import DASH, BadNote, Verifier, b64

TIME_BYTES = 8
TIME_MAX = 2**63 - 1


def signed_text(time: int, text: str) -> str:
    """What is signed by who has seen this checkpoint's text at this time (seconds since 1970)."""
    return f"cosignature/v1\ntime {time}\n{text}"


class Cosigner(Verifier):
    """The public key of a witness. It says: of all trees of this log that I saw this is the
    largest, and every one before was its beginning."""

    kind: ClassVar[bytes] = b"\x04"
    says: ClassVar[str] = "cosignatures with Ed25519"

    def line(self, time: int, signature: bytes) -> str:
        """For who has the private key: the line of a signature over `signed_text`."""
        return f"{DASH}{self.name} {b64(self.id + time.to_bytes(TIME_BYTES, 'big') + signature)}\n"

    def _verify(self, text: str, signature: bytes) -> None:
        time = int.from_bytes(signature[:TIME_BYTES], "big")
        if time > TIME_MAX:
            raise BadNote(f"the time of {self.name} is none")
        super()._verify(signed_text(time, text), signature[TIME_BYTES:])
