"""Answers what is asked of workflows: read, prepare, decide, show."""

from faststream.nats import NatsRouter

from libs.common.service import Service
from services.workflows.handlers import (
    comparing,
    documents,
    drafts,
    gates,
    inside,
    lists,
    reviews,
    secrets,
    states,
    variables,
)


def router(service: Service) -> NatsRouter:
    r = NatsRouter()
    parts = (
        documents,
        states,
        gates,
        reviews,
        comparing,
        lists,
        secrets,
        variables,
        inside,
        drafts,
    )
    for part in parts:
        part.register(r, service)
    return r
