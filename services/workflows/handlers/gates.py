"""What has to hold before a version is published: its own tests, and how past executions went."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, NotFound
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
from services.workflows.contract import (
    SERVICE,
    FindPublishingGate,
    GoldenDiffers,
    PublishGate,
    PublishingGateShown,
    SetPublishingGate,
    TestsFailed,
    workflow_stream,
)
from services.workflows.domain.policy import Policy
from services.workflows.domain.state import State, Workflow
from services.workflows.domain.workflow import Accepted, Facts, SetGate, workflow
from services.workflows.handlers import preparing, reviews

ASK_S = 40.0


def register(r: NatsRouter, service: Service) -> None:
    @r.subscriber(SetPublishingGate.type, queue=SERVICE)
    async def set_gate(command: SetPublishingGate, meta: CausedBy) -> NatsResponse:
        stream = workflow_stream(meta.organization, preparing.resolve(meta, command.workflow))
        policy = await reviews.policy_of(service, meta.organization)
        change = SetGate(command.golden_replay, preparing.now())
        return await service.decide(
            workflow, stream, change, meta, answer=lambda state, _: gate_shown(state, policy)
        )

    @r.subscriber(FindPublishingGate.type, queue=SERVICE)
    async def find_gate(query: FindPublishingGate, meta: CausedBy) -> NatsResponse:
        stream = workflow_stream(meta.organization, preparing.resolve(meta, query.workflow))
        state, _, _ = await service.store.state(workflow, stream)
        if not isinstance(state, Workflow):
            raise NotFound()
        policy = await reviews.policy_of(service, meta.organization)
        return reply(gate_shown(state, policy))


def gate_shown(state: State, policy: Policy) -> PublishingGateShown:
    assert isinstance(state, Workflow)
    return PublishingGateShown(
        golden_replay=state.golden_replay, organization_golden_replay=policy.golden_replay,
        wanted=wanted(None, state, policy),
    )  # fmt: skip


def wanted(gate: PublishGate | None, state: Workflow, policy: Policy) -> int:
    """How many past executions have to go the same way: nobody asks for less than another."""
    asked = gate.golden_replay if gate is not None else 0
    return max(asked, state.golden_replay, policy.golden_replay)


async def tests_must_pass(service: Service, meta: Meta, workflow_id: str, facts: Facts) -> None:
    """Raises TestsFailed; Unavailable when the executor, which runs them, is away."""
    if not facts.tests:
        return
    asked = TestDocument(workflow_id=workflow_id, document=facts.document)
    tests = (await service.bus.ask(asked, meta, ASK_S)).as_a(TestsShown)
    if not tests.passed:
        failed = [one for one in tests.cases if not one.passed]
        raise TestsFailed(
            f"{tests.failed} of {tests.total} tests failed",
            errors=[_of_case(one) for one in failed],
        )


async def golden_must_hold(
    service: Service, meta: Meta, workflow_id: str, facts: Facts, last: int, *, accept: bool
) -> Accepted | None:
    """The differences that are accepted, None without any. Raises GoldenDiffers, Unavailable."""
    asked = GoldenDocument(workflow_id=workflow_id, document=facts.document, last=last)
    shown = (await service.bus.ask(asked, meta, ASK_S)).as_a(GoldenShown)
    if shown.same:
        return None
    differing = [one for one in shown.executions if not one.same]
    if accept:
        return Accepted([one.execution for one in differing], shown.total)
    raise GoldenDiffers(
        f"{shown.differing} of {shown.total} past executions would go another way; the first:"
        f" {_told(differing[0])}",
        errors=[
            FieldProblem(pointer="/accept_differences", rule="differs", detail=_told(one))
            for one in differing
        ],
    )


def _of_case(one: CaseShown) -> FieldProblem:
    first = one.differences[0]
    detail = f"{one.name}: {first.pointer or 'the case'}: {first.detail or first.rule}"
    return FieldProblem(pointer="/tests", rule="test-failed", detail=detail[:1000])


def _told(one: GoldenOne) -> str:
    first = one.first
    where = "" if first is None else f" at {first.step or 'the end'} ({first.what})"
    return f"{one.execution} differs{where}"
