"""Wires the gateway: its connection, the door, the routes, the front."""

from libs.common.bus_service import BusService
from services.gateway.application import application
from services.gateway.door import Door
from services.gateway.front import Front
from services.gateway.heard import Heard
from services.gateway.routes import (
    api_keys,
    approvals,
    audit,
    audit_holds,
    audit_proofs,
    billing,
    connectors,
    controls,
    custom_events,
    documents,
    drafts,
    event_subscriptions,
    events,
    executions,
    files,
    home,
    instance,
    inventory,
    members,
    notifications,
    operations,
    organizations,
    people,
    replays,
    reviews,
    schema,
    secrets,
    siem_streams,
    trigger_calls,
    triggers,
    variables,
    workflows,
)
from services.gateway.settings import GatewaySettings

SERVICE = "gateway"
FILES = (
    people, organizations, members, api_keys, notifications, workflows, reviews, secrets, variables,
    triggers, trigger_calls, executions, files, controls, replays, drafts, operations, approvals,
    connectors, schema, billing, events, custom_events, event_subscriptions, audit,
    audit_proofs, audit_holds, siem_streams, inventory, instance,
    home, documents,
)  # fmt: skip


def build(settings: GatewaySettings) -> tuple[BusService, Front]:
    """The service (no log, no database) and the ASGI application in front of it."""
    service = BusService(SERVICE, settings)
    door = Door(service, settings)
    app = application(door, [file.routes for file in FILES])
    service.background += [door.open, door.origins.run, Heard(door).run, door.reports.run]
    return service, Front(door, app)
