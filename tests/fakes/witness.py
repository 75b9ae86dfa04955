"""A witness on a socket, as C2SP tlog-witness says: it believes nothing and remembers in memory.

It shares with the code only how keys are written; signatures, proofs and its own line are made by
`tests_support.trail_reference` and here.
"""

import base64
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from tests_support import trail_reference as reference

from libs.trail.cosignatures import Cosigner
from libs.trail.notes import Verifier
from tests.fakes.receiver import Answer, Receiver, Reply, Said, Seen

SIZE = {"content-type": "text/x.tlog.size"}


@dataclass
class Tree:
    """The largest tree of a log that was signed."""

    size: int
    root: bytes


class Witness:
    """`async with Witness("witness.example/one") as witness`; `known` are the logs that it signs.

    `instead` answers in its place, and `seen` are the sizes that it was asked from and for.
    """

    def __init__(self, name: str, seed: int = 1, port: int = 0) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.key = str(Cosigner(name, self._private.public_key().public_bytes_raw()))
        self.known: dict[str, Verifier] = {}
        self.trees: dict[str, Tree] = {}
        self.seen: list[tuple[int, int]] = []
        self.answered: list[int] = []
        self.time = 1_700_000_000
        self.instead: Reply | None = None
        self._receiver = Receiver(self.reply, port)

    async def __aenter__(self) -> Self:
        await self._receiver.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._receiver.__aexit__(kind, error, trace)

    @property
    def setting(self) -> str:
        """As an operator names it."""
        return self.setting_at(self._receiver.url)

    def setting_at(self, url: str) -> str:
        return f"{self.key}@{url}/log"

    def knows(self, verifier: Verifier, *origins: str) -> None:
        self.known |= dict.fromkeys(origins, verifier)

    async def reply(self, seen: Seen) -> Said:
        assert (seen.method, seen.path) == ("POST", "/log/add-checkpoint"), seen
        said = self.instead(seen) if self.instead is not None else self.judge(seen.body.decode())
        answer = (
            said if isinstance(said, Answer) else Answer(said) if isinstance(said, int) else None
        )
        self.answered.append(answer.status if answer else 0)
        return answer

    def judge(self, body: str) -> Answer:
        """What the standard says, in its order."""
        head, _, note = body.partition("\n\n")
        old_line, *proof = head.split("\n")
        text, _, signatures = note.rpartition("\n\n")
        text += "\n"
        origin, size_line, root_line, *more = text.split("\n")
        assert more == [""], "three lines, as our checkpoints have them"
        old, size = int(old_line.removeprefix("old ")), int(size_line)
        assert old_line == f"old {old}" and size_line == str(size) and len(proof) <= 63
        self.seen.append((old, size))
        if origin not in self.known:
            return Answer(404)
        if not signed(self.known[origin], text, signatures):
            return Answer(403)
        if old > size:
            return Answer(400)
        tree = self.trees.get(origin, Tree(0, reference.mth([])))
        root = base64.b64decode(root_line)
        if old != tree.size or (old == size and root != tree.root):
            return Answer(409, f"{tree.size}\n".encode(), SIZE)
        hashes = [base64.b64decode(line) for line in proof]
        if not reference.leads(old, size, tree.root, root, hashes):
            return Answer(422)
        self.trees[origin] = Tree(size, root)
        return Answer(200, self.line(text).encode())

    def line(self, text: str) -> str:
        """Its own signature of a checkpoint's text."""
        name, id_, _ = self.key.split("+", 2)
        self.time += 1
        signature = self._private.sign(f"cosignature/v1\ntime {self.time}\n{text}".encode())
        data = bytes.fromhex(id_) + struct.pack(">Q", self.time) + signature
        return f"— {name} {base64.b64encode(data).decode()}\n"


def signed(log: Verifier, text: str, signatures: str) -> bool:
    """Whether one of the lines is the log's own signature."""
    for line in signatures.splitlines():
        name, data = line.removeprefix("— ").split(" ")
        raw = base64.b64decode(data)
        if (name, raw[:4]) == (log.name, log.id):
            try:
                Ed25519PublicKey.from_public_bytes(log.public).verify(raw[4:], text.encode())
            except InvalidSignature:
                return False
            return True
    return False
