"""E-mail addresses: their normal form, and the index under which an account is found."""

import re
import unicodedata

from libs.common.errors import FieldProblem, InvalidInput
from libs.common.privacy import keyed_digest

_ADDRESS = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@\x00-\x1f\x7f]+")


def checked(email: str) -> str:
    """The address as it was given, without white space around it; InvalidInput when it is none."""
    given = email.strip()
    if not _ADDRESS.fullmatch(given):
        detail = "this is no e-mail address"
        problem = FieldProblem(pointer="/email", rule="email-address", detail=detail)
        raise InvalidInput(detail, errors=[problem])
    return given


def normal_form(email: str) -> str:
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def index_of(key: bytes, email: str) -> str:
    """Equal for one mailbox however it is typed; tells nothing without the key."""
    return keyed_digest(key, f"email\x00{normal_form(email)}")
