"""Drafts: run, tried step by step, tested, held against past executions."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.eventstore import stream_of
from services.executor.contract import (
    SERVICE,
    DraftStartedShown,
    GoldenDocument,
    ReplayGolden,
    StartDraft,
    TestDocument,
    TestDraft,
    TryStep,
)  # fmt: skip
from services.executor.drafting import draft_of, opened, pins_of, start_draft, tested, try_step
from services.executor.engine import Engine
from services.executor.goldens import golden
from services.executor.noted import NOTED
from services.executor.versions import drafted


def register(r: NatsRouter, engine: Engine) -> None:
    @r.subscriber(StartDraft.type, queue=SERVICE)
    async def start_execution(command: StartDraft, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        draft = await draft_of(engine, command.workflow, meta, effects=True)
        given = command.input if command.input is not None else {}
        made = await start_draft(engine, draft, given, pins_of(command.pins), meta)
        shown = DraftStartedShown(execution=made, draft_version=draft.version)
        stream = stream_of("execution", meta.organization, made)
        return await engine.service.decide(
            NOTED, stream, [], meta, answer=lambda state, version: shown
        )

    @r.subscriber(TryStep.type, queue=SERVICE)
    async def try_a_step(command: TryStep, meta: CausedBy) -> NatsResponse:
        if (before := await engine.service.answered_before(meta)) is not None:
            return before
        effects = command.effects and command.mock is None
        draft = await draft_of(engine, command.workflow, meta, effects=effects)
        shown = await try_step(engine, draft, command, meta)
        stream = stream_of("tried", meta.organization, draft.found.workflow)
        return await engine.service.decide(
            NOTED, stream, [], meta, answer=lambda state, version: shown
        )

    @r.subscriber(TestDraft.type, queue=SERVICE)
    async def test_draft(command: TestDraft, meta: CausedBy) -> NatsResponse:
        draft = await draft_of(engine, command.workflow, meta)
        return reply(await tested(engine, draft.found))

    @r.subscriber(ReplayGolden.type, queue=SERVICE)
    async def replay_golden(command: ReplayGolden, meta: CausedBy) -> NatsResponse:
        draft = await draft_of(engine, command.workflow, meta)
        return reply(await golden(engine, draft.found, command.last, meta))

    @r.subscriber(GoldenDocument.type, queue=SERVICE)
    async def golden_document(query: GoldenDocument, meta: CausedBy) -> NatsResponse:
        value = await opened(engine, meta.organization, query.workflow_id, query.document)
        found = drafted(meta.organization, query.workflow_id, 0, value)
        return reply(await golden(engine, found, query.last, meta))

    @r.subscriber(TestDocument.type, queue=SERVICE)
    async def test_document(query: TestDocument, meta: CausedBy) -> NatsResponse:
        value = await opened(engine, meta.organization, query.workflow_id, query.document)
        return reply(await tested(engine, drafted(meta.organization, query.workflow_id, 0, value)))
