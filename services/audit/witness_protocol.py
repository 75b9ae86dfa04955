"""What is said to a witness and by it, on the wire (C2SP tlog-witness, `add-checkpoint`)."""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from libs.egress import Client, EgressFailed, EgressRefused, Response
from libs.trail.notes import BadNote, b64, split_note
from services.audit.witnesses import Witness

ANSWER_BYTES_MAX = 16 * 1024
SIZE = re.compile(rb"(0|[1-9][0-9]{0,17})\n")
Trouble = Literal["away", "unknown", "refused", "bad-answer", "longer", "another", "not-whole"]
MEANS: dict[Trouble, str] = {
    "away": "a witness does not answer",
    "unknown": "a witness does not know the origin of a trail (yet)",
    "refused": "a witness refuses a checkpoint",
    "bad-answer": "a witness's answer is no signature of its key, and was not kept",
    "longer": "a witness has seen a longer trail than there is here: it was rolled back",
    "another": "a witness has seen another trail than there is here: it was rewritten",
    "not-whole": "a trail is not whole, nothing of it can be proved to a witness",
}
GRAVE: frozenset[Trouble] = frozenset({"longer", "another", "not-whole"})


class Refused(Exception):
    """This witness has not signed; `trouble` says why."""

    def __init__(self, trouble: Trouble, size: int = 0) -> None:
        super().__init__(trouble)
        self.trouble: Trouble = trouble
        self.size = size


class Asking(NamedTuple):
    """What a witness is asked: to sign this note, from the size that it signed last."""

    old: int
    size: int
    note: str
    proof: Sequence[bytes]

    def body(self) -> bytes:
        lines = "".join(f"{b64(hash_)}\n" for hash_ in self.proof)
        return f"old {self.old}\n{lines}\n{self.note}".encode()


async def add_checkpoint(
    client: Client, witness: Witness, asking: Asking, timeout_s: float
) -> str | int:
    """Its line below the note, or the size that it wants to be asked from. Raises Refused."""
    try:
        answer = await client.request(
            "POST", f"{witness.prefix}/add-checkpoint", {}, asking.body(), timeout_s,
            max_bytes=ANSWER_BYTES_MAX, redirects_max=0,
        )  # fmt: skip
    except (EgressRefused, EgressFailed):
        raise Refused("away") from None
    match answer.status:
        case 200:
            return _line_of(witness, asking, answer)
        case 409 if asking.old == asking.size:  # it has signed this size, and another root
            raise Refused("another", asking.size)
        case 409 if (told := _size_in(answer)) is not None and told != asking.old:
            return told
        case 404:
            raise Refused("unknown", asking.size)
        case 422:  # the proof is right for our tree, so its beginning is not what was signed
            raise Refused("another", asking.old)
        case status:
            away = status == 429 or status >= 500
            raise Refused("away" if away else "refused", asking.size)


def _line_of(witness: Witness, asking: Asking, answer: Response) -> str:
    try:
        return witness.key.line_of(f"{split_note(asking.note)[0]}\n{answer.body.decode()}")
    except (BadNote, UnicodeDecodeError):
        raise Refused("bad-answer", asking.size) from None


def _size_in(answer: Response) -> int | None:
    """What a conflict says that the witness signed last."""
    found = SIZE.fullmatch(answer.body)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    return int(found[1]) if found and kind == "text/x.tlog.size" else None
