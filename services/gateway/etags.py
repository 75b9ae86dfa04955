"""Versions of things in headers: `ETag`, `If-Match`, `If-None-Match`; strong tags only."""

import re

from libs.common.errors import FieldProblem, Malformed, PreconditionRequired

_TAG = re.compile(r'"([0-9]{1,18})"')
_ANY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')


def tag(version: int) -> str:
    return f'"{version}"'


def expected_version(if_match: str | None, if_none_match: str | None, *, creates: bool) -> int:
    """The version that a change expects: of `If-Match`, or 0 for `If-None-Match: *`.

    Raises PreconditionRequired when neither is there, Malformed when it is no version.
    """
    if if_match is None:
        if creates and if_none_match is not None:
            if if_none_match.strip() == "*":
                return 0
            raise _malformed("If-None-Match", 'a change takes only "*" here')
        hint = " (or If-None-Match: * to create it)" if creates else ""
        problem = FieldProblem(pointer="If-Match", rule="missing", detail=f"send the ETag{hint}")
        raise PreconditionRequired(f"send the ETag as If-Match{hint}", errors=[problem])
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise _malformed("If-Match", 'one strong tag as the ETag header had it, like "7"')
    return int(found[1])


def unchanged(if_none_match: str | None, version: int | None) -> bool:
    """Whether a GET may answer 304; weak comparison, as RFC 9110 says for GET."""
    if if_none_match is None or version is None:
        return False
    if if_none_match.strip() == "*":
        return True
    tags = _ANY_TAG.findall(if_none_match)
    return tag(version) in [found.removeprefix("W/") for found in tags]


def _malformed(header: str, detail: str) -> Malformed:
    problem = FieldProblem(pointer=header, rule="entity-tag", detail=detail)
    return Malformed(f"{header} can't be read", errors=[problem])
