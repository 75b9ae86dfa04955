"""The guard: the only way out to the network, and the only importer of an HTTP client."""

from libs.egress.client import Client, Response
from libs.egress.errors import EgressFailed, EgressRefused, FailureKind
from libs.egress.policy import Policy
from libs.egress.redirects import Streamed

__all__ = [
    "Client",
    "EgressFailed",
    "EgressRefused",
    "FailureKind",
    "Policy",
    "Response",
    "Streamed",
]
