"""Passwords: bcrypt over base64(HMAC-SHA-384(pepper, password)), which hashes all of its bytes."""

import asyncio
import base64
import functools
import gzip
import hmac
from importlib import resources

import bcrypt

from libs.common.errors import FieldProblem
from services.identity.contract import PasswordRefused

BYTES_MIN, BYTES_MAX = 8, 256
AT_ONCE = 2


@functools.cache
def common_passwords() -> frozenset[str]:
    """The 10,000 most common ones; where they come from stands in common_passwords.md."""
    packed = resources.files("services.identity").joinpath("common_passwords.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode().splitlines())


def check(password: str) -> None:
    """Raises PasswordRefused with the rule that it breaks."""
    size = len(password.encode())
    if size < BYTES_MIN:
        _refuse("too-short", f"a password has at least {BYTES_MIN} bytes")
    if size > BYTES_MAX:
        _refuse("too-long", f"a password has at most {BYTES_MAX} bytes")
    if password in common_passwords() or password.lower() in common_passwords():
        _refuse("too-common", "this is one of the 10,000 most common passwords")


def _refuse(rule: str, detail: str) -> None:
    raise PasswordRefused(
        detail, errors=[FieldProblem(pointer="/password", rule=rule, detail=detail)]
    )


class Hasher:
    """Hashes in threads, two at once, so that sign-ins do not stop the service."""

    def __init__(self, pepper: bytes, rounds: int) -> None:
        self._pepper, self._rounds = pepper, rounds
        self.scheme = f"bcrypt-{rounds}-hmac-sha384"
        self._seats = asyncio.Semaphore(AT_ONCE)
        self._nobodys: bytes | None = None

    def _short(self, password: str) -> bytes:
        return base64.b64encode(hmac.digest(self._pepper, password.encode(), "sha384"))

    async def hash(self, password: str) -> str:
        async with self._seats:
            made = await asyncio.to_thread(
                bcrypt.hashpw, self._short(password), bcrypt.gensalt(self._rounds)
            )
        return made.decode()

    async def fits(self, password: str, hashed: str | None) -> bool:
        """Takes the same time for an account that is not there (`None`)."""
        if self._nobodys is None:
            self._nobodys = (await self.hash("nobody has this password")).encode()
        against = hashed.encode() if hashed is not None else self._nobodys
        async with self._seats:
            good = await asyncio.to_thread(bcrypt.checkpw, self._short(password), against)
        return good and hashed is not None
