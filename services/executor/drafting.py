"""Drafts: run as they are now, one step of them tried, their tests carried out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from libs.common import clock, ids
from libs.common.errors import Forbidden, InvalidInput
from libs.common.eventstore import rows, stream_of
from libs.common.messages import Meta
from libs.language.steps import Block
from services.executor.commit import Admission, Decision
from services.executor.contract import (
    CaseShown,
    DifferenceShown,
    DraftFact,
    EffectAsked,
    ExecutionStarted,
    StepTried,
    TestsShown,
    TriedError,
    TriedShown,
    TriggerFact,
    TryStep,
    UnknownStep,
)  # fmt: skip
from services.executor.documents import Published
from services.executor.mocks import CaseMocks
from services.executor.names import names_of
from services.executor.outline import outline, steps_of
from services.executor.pins import must_fit
from services.executor.reaching import Reaching, Trial
from services.executor.simulate import Simulator, names_for
from services.executor.simulation import Simulation
from services.executor.testing_cases import CaseResult, effects_of, run_cases
from services.executor.versions import drafted
from services.executor.work import PURPOSE
from services.workflows.contract import (
    AlreadyArchived,
    DraftDocument,
    FindDraftDocument,
    ReviewNeeded,
    workflow_stream,
)  # fmt: skip

if TYPE_CHECKING:
    from services.executor.engine import Engine

TEXT_MAX = 4000
TRY_S = 60.0
COMPUTE_S = 5.0
EDIT = "workflows:edit"


@dataclass(frozen=True, slots=True)
class Draft:
    """A draft without problems; `value` is its document as JSON."""

    found: Published
    version: int
    value: Any
    reviewed: bool


async def draft_of(engine: "Engine", workflow: str, meta: Meta, *, effects: bool = False) -> Draft:
    """With `effects` what it does is done: that takes who may write it, and a review where the
    organization publishes with four eyes.

    Raises NotFound, WorkflowInvalid, AlreadyArchived, Forbidden, ReviewNeeded.
    """
    if effects and EDIT not in meta.permissions:
        raise Forbidden(f"a draft with its effects needs {EDIT}", permission=EDIT)
    answer = await engine.bus.ask(FindDraftDocument(workflow=workflow, effects=effects), meta)
    said = answer.as_a(DraftDocument)
    if said.archived:
        raise AlreadyArchived("the workflow is archived")
    value = await opened(engine, meta.organization, said.workflow_id, said.document)
    found = drafted(meta.organization, said.workflow_id, 0, value)
    return Draft(found, said.draft_version, value, said.reviewed)


async def opened(engine: "Engine", org: str, workflow: str, sealed: str) -> Any:
    key = await engine.service.keys.key(org, "content")
    return key.open(sealed, workflow_stream(org, workflow))


# -- run -------------------------------------------------------------------------------------------


async def start_draft(
    engine: "Engine", draft: Draft, given: Any, pins: Mapping[str, Any], meta: Meta
) -> str:
    """The execution's id once it is promised. Nothing of it is counted, nor waits for a place."""
    org, found = meta.organization, draft.found
    must_fit(pins, steps_of(found.document), approvals=not draft.reviewed)
    key = await engine.service.keys.key(org, PURPOSE)
    execution = ids.derived("exe", org, "draft", found.workflow, meta.command_id or ids.new("call"))
    stream = stream_of("execution", org, execution)
    call = ids.derived("call", org, execution)
    trigger = {"kind": "manual", "headers": {}, "query": {}, "call": call}
    names = await names_of(engine, org, found, execution, trigger, given, mode="draft")
    body = msgspec.json.encode(given)
    started = ExecutionStarted(
        execution_id=execution, workflow_id=found.workflow, workflow_version=found.version,
        mode="draft", trigger=TriggerFact(kind="manual", call_id=call),
        idempotency_digest=key.digest(execution, "key"), body_digest=key.digest(body, "body"),
        input=key.seal(names, stream), input_bytes=len(body), labels=dict(found.document.labels),
        draft=DraftFact(
            draft_version=draft.version, document=key.seal(draft.value, stream),
            pins=key.seal(dict(pins), stream) if pins else None,
        ),
    )  # fmt: skip
    admission = Admission(priority=found.document.priority)
    await engine.commit(
        Decision(stream, execution, org, rows(stream, 1, [started], meta), "keep",
                 admission=admission)
    )  # fmt: skip
    engine.leases.wake.set()
    return execution


# -- one step --------------------------------------------------------------------------------------


async def try_step(engine: "Engine", draft: Draft, command: TryStep, meta: Meta) -> TriedShown:
    """The step's result with the names that are given; each expression sees nothing else."""
    org, document = meta.organization, draft.found.document
    stand = outline(document).get(command.step)
    if stand is None:
        raise UnknownStep(f"there is no step {command.step!r} in the draft")
    alone = replace(
        document, block=Block((stand.step,), None), on_error=None, debounce=None,
        budget_duration_s=None, timeout_s=None,
    )  # fmt: skip
    scope = command.scope if command.scope is not None else {}
    if not isinstance(scope, dict):
        raise InvalidInput("scope is an object: names and their values")
    given = command.input if command.input is not None else {}
    variables = await engine.documents.variables(org, document.variables)
    execution = ids.derived("exe", org, "try", meta.command_id or ids.new("call"))
    names = names_for(alone, given, variables, clock.now(), execution, "draft") | scope
    mocks = {} if command.mock is None else {command.step: command.mock}
    if command.effects and not mocks:
        if draft.reviewed:
            raise ReviewNeeded("nobody has reviewed a step with names of your own", review=None)
        fact = StepTried(
            workflow_id=draft.found.workflow, draft_version=draft.version, step=command.step
        )
        await engine.store.note(stream_of("tried", org, draft.found.workflow), [fact], meta)
    trial = Trial(draft.found.workflow, meta)
    beside = Reaching(engine, trial) if command.effects and not mocks else None
    came = await simulator(engine).run(
        alone,
        names,
        CaseMocks(mocks),
        budget_s=TRY_S if beside else COMPUTE_S,
        beside=beside,
        org=org,
    )
    return _tried(came, command.step)


def _tried(came: Simulation, step: str) -> TriedShown:
    error = None
    if came.error is not None:
        error = TriedError(
            type=came.error["type"], message=str(came.error["message"])[:TEXT_MAX],
            path=came.error["path"], attempts=came.error["attempts"], column=came.column,
        )  # fmt: skip
    outcome: Any = came.outcome or "stopped"
    return TriedShown(
        outcome=outcome, result=came.values.get(step), error=error,
        stopped=came.stopped[:TEXT_MAX] if came.stopped else None,
        effects=[
            EffectAsked(path=one["path"], connector=one["connector"], attempts=one["attempts"],
                        sent=one["with"])
            for one in effects_of(came) if not one["undo"]
        ],
    )  # fmt: skip


# -- its tests -------------------------------------------------------------------------------------


def simulator(engine: "Engine") -> Simulator:
    return Simulator(engine.worker, engine.sandbox)


async def tested(engine: "Engine", found: Published) -> TestsShown:
    results = await run_cases(simulator(engine), found.document)
    failed = sum(not one.passed for one in results)
    return TestsShown(
        workflow=found.workflow, passed=failed == 0, total=len(results), failed=failed,
        cases=[_case_shown(one) for one in results],
    )  # fmt: skip


def _case_shown(one: CaseResult) -> CaseShown:
    return CaseShown(
        name=one.name, passed=one.passed, outcome=one.outcome,  # pyright: ignore[reportArgumentType] - one of the contract's words
        duration_ms=one.duration_ms,
        differences=[
            DifferenceShown(
                pointer=d.pointer[:400], rule=d.rule, detail=d.detail[:TEXT_MAX],
                expected=d.expected, got=d.got,
            )
            for d in one.differences
        ],
    )  # fmt: skip


def pins_of(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise InvalidInput("pins is an object: results by step")
    return given
