"""What others may ask about workflows, and the facts that workflows records.

Documents and notes are sealed for `workflow_stream(org, workflow_id)`, variables for
`variable_stream(org, name)`, both under the organization's purpose `content`; a secret's value
for `secret_stream(org, name)` under the purpose `secrets`.
"""

# ruff: noqa: F403 - the parts are one module to others: `from services.workflows.contract import …`

from libs.common.streams import stream_of
from services.workflows.contract.answers import *
from services.workflows.contract.asks import *
from services.workflows.contract.comparing import *
from services.workflows.contract.errors import *
from services.workflows.contract.events import *
from services.workflows.contract.gates import *
from services.workflows.contract.internal import *
from services.workflows.contract.reviews import *
from services.workflows.contract.ticks import *

SERVICE = "workflows"
SECRETS_MAX = 200
SECRET_BYTES_MAX = 65_536
VARIABLES_MAX = 200
VARIABLE_BYTES_MAX = 65_536
PUBLISHED_BYTES_MAX = 524_288


def workflow_stream(organization: str, workflow_id: str) -> str:
    return stream_of("workflow", organization, workflow_id)


def secret_stream(organization: str, name: str) -> str:
    return stream_of("secret", organization, name)


def variable_stream(organization: str, name: str) -> str:
    return stream_of("variable", organization, name)
