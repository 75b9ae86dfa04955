"""Documents in short, simulated."""

from datetime import UTC, datetime
from typing import Any

from libs.language import ExpressionWorker
from libs.language.check import check
from libs.language.document import Document
from libs.language.source import read_document
from libs.sandbox import Sandbox
from services.executor.mocks import CaseMocks
from services.executor.simulate import Simulator, names_for
from services.executor.simulation import Simulation

AT = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://api.example.com"


def document(text: str) -> Document:
    checked = check(read_document("troth: 1\nname: simulated\n" + text, "yaml"))
    assert checked.document is not None, [(p.pointer, p.detail) for p in checked.problems]
    return checked.document


def call(name: str, path: str = "/x", *, more: str = "") -> str:
    """A POST as a step in flow style."""
    return f'{{id: {name}, uses: http-request@1, with: {{method: POST, url: "{URL}{path}"}}{more}}}'


def simulator() -> Simulator:
    return Simulator(ExpressionWorker(), Sandbox())


async def simulated(
    text: str, mocks: dict[str, Any] | None = None, given: Any = None
) -> Simulation:
    made, doc = simulator(), document(text)
    try:
        names = names_for(doc, given or {}, {}, AT, "exe_1")
        return await made.run(doc, names, CaseMocks(mocks or {}))
    finally:
        await made.close()
