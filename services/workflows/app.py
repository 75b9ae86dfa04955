"""Builds the service of workflows."""

from pathlib import Path

from libs.common.migrate import Schema
from libs.common.privacy import Fetch
from libs.common.service import Service
from libs.common.settings import Settings
from services.workflows.contract import SERVICE
from services.workflows.handlers import router
from services.workflows.settings import WorkflowSettings
from services.workflows.ticking import Ticker
from services.workflows.views.catalogue import catalogue
from services.workflows.views.tables import metadata

PROJECTIONS = (catalogue,)
SCHEMA = Schema(SERVICE, metadata, Path(__file__).with_name("migrations"), PROJECTIONS)


def build(settings: Settings, fetch_key: Fetch | None = None) -> Service:
    """The service, not yet started; `fetch_key` stands in for identity in tests.

    What is not in `settings` is read from the environment, as the settings themselves are.
    """
    mine = settings
    if not isinstance(mine, WorkflowSettings):
        mine = WorkflowSettings()  # pyright: ignore[reportCallIssue] - from the environment
    service = Service(SERVICE, mine, projections=PROJECTIONS, fetch_key=fetch_key)
    service.include(router(service))
    ticker = Ticker(service, mine)
    service.lead.append(ticker.run)
    return service
