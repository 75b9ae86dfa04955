"""Answers what is asked of workflows: read, prepare, decide, show."""

from faststream.nats import NatsRouter

from libs.common.service import Service
from services.workflows.handlers import documents, inside, lists, secrets, states, variables


def router(service: Service) -> NatsRouter:
    r = NatsRouter()
    for part in (documents, states, lists, secrets, variables, inside):
        part.register(r, service)
    return r
