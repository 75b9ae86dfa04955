"""What is wrong with a message is said by place and rule; the refused value is never repeated."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from libs.common.bus import invalid
from libs.common.fields import AnyJson, Count, Email, Flag, Moment, Name, Seconds, Word

MARKER = "mArKeR-7f3a"


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    word: Word = "w"
    name: Name = "n"
    email: Email = "a@b"
    count: Count = 0
    seconds: Seconds = 0
    flag: Flag = True
    when: Moment | None = None
    kind: Literal["a", "b"] = "a"
    many: list[Count] = []
    pairs: dict[Name, Count] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    either: Count | Flag = 0
    anything: AnyJson = None
    checked: Word = "ok"

    @field_validator("checked")
    @classmethod
    def _ok(cls, value: str) -> str:
        if value != "ok":
            raise ValueError("must be ok")
        return value


def _problems(data: Any) -> Any:
    try:
        Form.model_validate(data)
    except ValidationError as error:
        return invalid(error)
    raise AssertionError("was accepted")


VALUES: list[Any] = [
    MARKER, f"{MARKER} with blanks", [MARKER], {"kind": MARKER}, {"a": MARKER}, [{}], [[MARKER]],
]  # fmt: skip


@pytest.mark.parametrize(
    "field", ["word", "name", "count", "seconds", "flag", "when", "kind", "many", "pairs", "pet",
              "either"],
)  # fmt: skip
@pytest.mark.parametrize("value", VALUES, ids=str)
def test_no_refused_value_is_in_the_problems(field: str, value: Any) -> None:
    said = json.dumps(_problems({field: value}).to_wire())
    assert MARKER not in said
    assert f'"/{field}' in said


def test_each_problem_has_its_place_and_rule() -> None:
    error = _problems({"count": -1, "many": [0, -5], "unknown": 1, "checked": "no"})
    found = {p.pointer: p.rule for p in error.errors}
    assert found == {
        "/count": "greater-than-equal", "/many/1": "greater-than-equal",
        "/unknown": "extra-forbidden", "/checked": "value-error",
    }  # fmt: skip
    assert error.code == "invalid-input"


def test_a_pointer_escapes_what_json_pointer_escapes() -> None:
    error = _problems({"a/b~c": 1})
    assert [p.pointer for p in error.errors] == ["/a~1b~0c"]


def test_a_message_with_a_thousand_problems_names_fifty() -> None:
    error = _problems({"many": [-1] * 1000})
    assert len(error.errors) == 50
    assert "1000" in error.detail
