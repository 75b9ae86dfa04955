"""What others may ask of the executor, and the facts it records.

Values of an execution are sealed for its stream, those of a call for `call-<org>-<call>`, both
under the purpose `executions`.
"""

# ruff: noqa: F403 - the parts are one module to others

from services.executor.contract.approving import *
from services.executor.contract.asks import *
from services.executor.contract.controls import *
from services.executor.contract.custom import *
from services.executor.contract.drafts import *
from services.executor.contract.effects import *
from services.executor.contract.errors import *
from services.executor.contract.events import *
from services.executor.contract.exporting import *
from services.executor.contract.files import *
from services.executor.contract.following import *
from services.executor.contract.forgetting import *
from services.executor.contract.looking import *
from services.executor.contract.operations import *
from services.executor.contract.replays import *
from services.executor.contract.signals import *

SERVICE = "executor"
