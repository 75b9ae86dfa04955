"""Notifications: what the system has to say to a person; nobody else notifies."""

from faststream.nats import NatsRouter
from faststream.nats.response import NatsResponse

from libs.common.bus import CausedBy, reply
from libs.common.errors import FieldProblem, InvalidInput, NotFound
from libs.common.eventstore import stream_of
from libs.common.pages import page_of
from services.identity import reading
from services.identity.contract import (
    SERVICE,
    FindNotifications,
    NotificationRaised,
    NotificationRaisedShown,
    NotificationShown,
    RaiseNotification,
    ReadNotification,
)
from services.identity.domain.small import Raise, Read, notification
from services.identity.parts import Parts, a_person, acting, new_id, now, only_services


def router(parts: Parts) -> NatsRouter:
    r = NatsRouter()
    service = parts.service

    @r.subscriber(RaiseNotification.type, queue=SERVICE)
    async def raise_notification(command: RaiseNotification, meta: CausedBy) -> NatsResponse:
        only_services(meta)
        if command.person is None and meta.organization == "instance":
            detail = "a notification is for a person or for an organization"
            problem = FieldProblem(pointer="/person", rule="missing", detail=detail)
            raise InvalidInput(detail, errors=[problem])
        note_id = new_id("ntf", meta)
        fact = NotificationRaised(
            notification_id=note_id, person_id=command.person, audience=command.audience,
            category=command.category, template=command.template, facts=command.facts,
            raised_at=now(),
        )  # fmt: skip
        return await service.decide(
            notification, stream_of("notification", meta.organization, note_id), Raise(fact), meta,
            answer=lambda _, version: NotificationRaisedShown(id=note_id),
        )  # fmt: skip

    @r.subscriber(FindNotifications.type, queue=SERVICE)
    async def find_notifications(query: FindNotifications, meta: CausedBy) -> NatsResponse:
        me = a_person(meta)
        async with service.database.read(me) as db:
            found = await reading.notifications_page(db, me, query)
        shown = [_shown(row) for row in found]
        return reply(page_of(found, query, lambda r: (r.raised_at, r.notification_id), shown))

    @r.subscriber(ReadNotification.type, queue=SERVICE)
    async def read_notification(command: ReadNotification, meta: CausedBy) -> NatsResponse:
        me, at = a_person(meta), now()
        async with service.database.read(me) as db:
            row = await reading.notification(db, me, command.notification)
        if row is None:
            raise NotFound
        where = row.organization_id or "instance"
        shown = _shown(row).model_copy(update={"read_at": row.read_at or at})
        return await service.decide(
            notification, stream_of("notification", where, command.notification), Read(me, at),
            acting(meta, where), answer=lambda _, version: shown,
        )  # fmt: skip

    return r


def _shown(row: reading.Found) -> NotificationShown:
    return NotificationShown(
        id=row.notification_id, organization=row.organization_id, category=row.category,
        template=row.template, facts=row.facts, raised_at=row.raised_at, read_at=row.read_at,
    )  # fmt: skip
