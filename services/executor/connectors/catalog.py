"""All connectors, by `type@version`; one line for each."""

from services.executor.connectors.connector import Connector
from services.executor.connectors.http_request import http_request


def catalog(*connectors: Connector) -> dict[str, Connector]:
    return {connector.name: connector for connector in connectors}


CATALOG = catalog(http_request)
