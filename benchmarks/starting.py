"""W4: from `troth up` on a warm folder to the first finished execution, and what is held idle."""

import http.client
import time
from pathlib import Path
from typing import Any

from benchmarks import documents, size
from benchmarks.prepare import Prepared
from benchmarks.stack import Failed, Stack

WITHIN_S = 60.0
ANSWER_S = 10.0


def measure(stack: Stack, prepared: Prepared, idle_s: float) -> dict[str, Any]:
    """Starts the stack and leaves it running."""
    first_s = _first_execution(stack, prepared)
    stack.wait_until_ready()
    before, begun = stack.cpu_s(), time.monotonic()
    time.sleep(idle_s)
    took, after = time.monotonic() - begun, stack.cpu_s()
    memory = stack.pss_mb()
    return {
        "first_s": first_s, "idle_rss_mb": sum(memory.values()), "idle_pss_mb": memory,
        "idle_cpu_ms_per_s": {n: (after[n] - before[n]) * 1000 / took for n in after},
        "install_mb": size.installed_mb(size.ROOT / "requirements.lock") + size.own_mb(),
        "own_code_mb": size.own_mb(), "installer_mb": _installer_mb(size.ROOT / "bootstrap.lock"),
    }  # fmt: skip


def _installer_mb(lock: Path) -> float:
    """What `make setup` installs with, beside the installation (pip, uv)."""
    return size.installed_mb(lock)


def _first_execution(stack: Stack, prepared: Prepared) -> float:
    """Seconds until the first call is answered; all tries have one key, so one is started."""
    begun = stack.start()
    state = stack.state()
    if state.address != prepared.address:
        raise Failed(f"the second start listens at {state.address}, not {prepared.address}")
    while (said := _call(prepared)) != "200":
        stack.must_run()
        if time.monotonic() - begun > WITHIN_S:
            raise Failed(f"no execution {WITHIN_S:g} s after the start: {said}")
        time.sleep(0.01)
    return time.monotonic() - begun


def _call(prepared: Prepared) -> str:
    """The status of one try, or why there was none."""
    connection = http.client.HTTPConnection(
        prepared.address.removeprefix("http://"), timeout=ANSWER_S
    )
    headers = {
        "authorization": f"Bearer {prepared.secret}", "content-type": "application/json",
        "idempotency-key": "first-execution",
    }  # fmt: skip
    try:
        connection.request(
            "POST", f"/hooks/{prepared.organizations[0]}/bench-answer",
            documents.body(21, prepared.marker), headers,
        )  # fmt: skip
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
