"""Builds the service of workflows."""

from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.service import Service
from libs.common.settings import Settings
from services.workflows.contract import SERVICE
from services.workflows.handlers import router
from services.workflows.views.catalogue import catalogue
from services.workflows.views.tables import metadata

PROJECTIONS = (catalogue,)
SCHEMA = Schema(SERVICE, metadata, projections=PROJECTIONS)


def build(settings: Settings, fetch_key: Fetch | None = None) -> Service:
    """The service, not yet started; `fetch_key` stands in for identity in tests."""
    service = Service(SERVICE, settings, projections=PROJECTIONS, fetch_key=fetch_key)
    service.include(router(service))
    return service
