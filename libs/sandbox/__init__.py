"""The sandbox of `python` steps: a Python of its own, in processes of its own (pydantic-monty).

    sandbox = Sandbox()                                  # nothing is imported or started yet
    step = await sandbox.begin(code, {"order": {...}}, ("http_request",))
    while isinstance(step, Paused):                      # the code called a function
        stored = seal(step.snapshot, key, "exe_1:sum.1") # store this, then make the call …
        step = await sandbox.go_on(unseal(stored, key, "exe_1:sum.1"), answer, ("http_request",))
    step.value                                           # what the code returned

The code is the body of a function: it sees the names it is given as plain values, and ends with
`return`. It has no file, network, environment or process, and imports only what Monty has (json,
re, math, datetime, decimal, itertools, collections, hashlib, base64, csv …). A call of a function
suspends it: its snapshot goes on in any process, with all its variables, as often as is asked.
"""

from libs.sandbox.errors import LimitReached, PythonFailed, SnapshotRefused, WorkerLost
from libs.sandbox.outcomes import CallFailed, Limits, Paused, Returned
from libs.sandbox.sandbox import Sandbox
from libs.sandbox.snapshots import seal, unseal

__all__ = [
    "CallFailed", "LimitReached", "Limits", "Paused", "PythonFailed", "Returned", "Sandbox",
    "SnapshotRefused", "WorkerLost", "seal", "unseal",
]  # fmt: skip
