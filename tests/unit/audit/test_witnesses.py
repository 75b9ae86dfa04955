"""Whom an operator names as witnesses: read exactly, and a bad one refuses the start."""

import pytest

from libs.trail.cosignatures import Cosigner
from libs.trail.notes import Signer
from services.audit.witnesses import WITNESSES_MAX, witnesses_in


def key(n: int = 1, name: str = "witness.example/one") -> str:
    return str(Cosigner(name, bytes([n]) * 32))


def test_witnesses_are_named_with_commas_or_spaces_between():
    text = f" {key(1)}@https://one.example/log/, {key(2)}@http://[::1]:8000\n{key(3)}@https://c.d/a"
    found = witnesses_in(text)

    assert [str(one.key) for one in found] == [key(1), key(2), key(3)]
    assert [one.prefix for one in found] == [
        "https://one.example/log", "http://[::1]:8000", "https://c.d/a"
    ]  # fmt: skip
    assert [one.pair for one in found] == ["one.example:443", "[::1]:8000", "c.d:443"]
    assert witnesses_in("") == witnesses_in(" , ") == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "nonsense is no witness: it has no @"),
        (f"{key()}", "it has no @"),
        (f"{key()[:-2]}AA@https://a.example", "the key's id is"),
        (f"{Signer.of_seed('a', bytes(32)).verifier}@https://a.example", "not for cosignatures"),
        ("a+00000000+" + "A" * 60 + "@https://a.example", "bytes where 33 belong"),
        (f"{key()}@ftp://a.example", "refused a.example: scheme"),
        (f"{key()}@a.example", "scheme"),
        (f"{key()}@https://me:word@a.example", "userinfo"),
        (f"{key()}@https://a.example/?x=1", "no ? and no #"),
        (f"{key()}@https://a.example/#x", "no ? and no #"),
        (f"{key(name='n' * 101)}@https://a.example", "up to 100 characters"),
        (f"{key()}@https://a.example/{'x' * 500}", "500 of an address"),
        (f"{key()}@https://a.example,{key()}@https://b.example", "witness.example/one twice"),
        (
            ",".join(f"{key(n)}@https://a.example" for n in range(WITNESSES_MAX + 1)),
            "9 witnesses, 8 are possible",
        ),
    ],
)
def test_one_that_cannot_be_asked_refuses_the_start_and_is_named(text, says):
    with pytest.raises(SystemExit) as refused:
        witnesses_in(text)

    assert str(refused.value).startswith("TROTH_AUDIT_WITNESSES")
    assert says in str(refused.value)
