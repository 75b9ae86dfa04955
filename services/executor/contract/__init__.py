"""What others may ask of the executor, and the facts it records.

Values of an execution are sealed for its stream, those of a call for `call-<org>-<call>`, both
under the purpose `executions`.
"""

# ruff: noqa: F403 - the parts are one module to others

from services.executor.contract.asks import *
from services.executor.contract.errors import *
from services.executor.contract.events import *

SERVICE = "executor"
