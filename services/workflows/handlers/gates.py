"""What has to hold before a version is published: its own tests, and how past executions went."""

from libs.common.errors import FieldProblem
from libs.common.messages import Meta
from libs.common.service import Service
from services.executor.contract import (
    CaseShown,
    GoldenDocument,
    GoldenOne,
    GoldenShown,
    TestDocument,
    TestsShown,
)
from services.workflows.contract import GoldenDiffers, PublishGate, TestsFailed
from services.workflows.domain.workflow import Facts

ASK_S = 40.0


async def must_hold(
    service: Service, meta: Meta, workflow_id: str, facts: Facts, gate: PublishGate | None
) -> None:
    """Raises TestsFailed, GoldenDiffers; Unavailable when the executor, which knows, is away."""
    if facts.tests:
        asked = TestDocument(workflow_id=workflow_id, document=facts.document)
        tests = (await service.bus.ask(asked, meta, ASK_S)).as_a(TestsShown)
        if not tests.passed:
            failed = [one for one in tests.cases if not one.passed]
            raise TestsFailed(
                f"{tests.failed} of {tests.total} tests failed",
                errors=[_of_case(one) for one in failed],
            )
    if gate is not None:
        golden = GoldenDocument(
            workflow_id=workflow_id, document=facts.document, last=gate.golden_replay
        )
        shown = (await service.bus.ask(golden, meta, ASK_S)).as_a(GoldenShown)
        if not shown.same:
            differing = [one for one in shown.executions if not one.same]
            raise GoldenDiffers(
                f"{shown.differing} of {shown.total} past executions would go another way",
                errors=[_of_execution(one) for one in differing],
            )


def _of_case(one: CaseShown) -> FieldProblem:
    first = one.differences[0]
    detail = f"{one.name}: {first.pointer or 'the case'}: {first.detail or first.rule}"
    return FieldProblem(pointer="/tests", rule="test-failed", detail=detail[:1000])


def _of_execution(one: GoldenOne) -> FieldProblem:
    first = one.first
    where = "" if first is None else f" at {first.step or 'the end'} ({first.what})"
    detail = f"{one.execution} differs{where}"
    return FieldProblem(pointer="/gate/golden_replay", rule="differs", detail=detail)
