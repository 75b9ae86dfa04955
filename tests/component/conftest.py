"""What a service answers in these tests is what its contract says that it answers."""

from typing import Any

import pytest
from faststream._internal.testing import calls

from libs.common.bus import Answered, Bus
from libs.common.messages import Ask


class Unheard:
    """In place of the MagicMock that FastStream makes for each handler of each service that
    starts: what was called is recorded for assertions that no test here makes."""

    def __call__(self, *_: Any) -> None: ...

    def reset_mock(self) -> None: ...


calls.MagicMock = Unheard  # pyright: ignore[reportPrivateImportUsage, reportAttributeAccessIssue] - see there
OF_NO_SERVICE = ("gateway", "common")  # their answers are made up by the tests


@pytest.fixture(autouse=True)
def answers_as_declared(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.path.parent.name in OF_NO_SERVICE:
        return
    ask = Bus.ask

    async def checked(bus: Bus, message: Ask, *more: Any, **named: Any) -> Answered:
        answered = await ask(bus, message, *more, **named)
        if message.answers is not None:
            message.answers.model_validate_json(answered.body)
        return answered

    monkeypatch.setattr(Bus, "ask", checked)
