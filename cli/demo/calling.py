"""The caller: a signed call of the webhook that waits for its answer in a thread of its own."""

import json
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from cli.demo.failed import DemoFailed

TIMEOUT_S = 75.0


class Call:
    """One POST, signed as Standard Webhooks says; the same id again is the same call."""

    def __init__(self, url: str, secret: str, body: Any) -> None:
        self.url, self._secret = url, secret
        self.id = f"msg_{uuid.uuid4().hex}"
        self.body = json.dumps(body)
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.answer: Any = None
        self.took_s = 0.0
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._call, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the answer came; raises DemoFailed when the connection broke."""
        if self._failure is not None:
            raise DemoFailed(f"the caller lost its answer: {self._failure}")
        return self.status is not None

    def again(self) -> "Call":
        """The same call a second time, as a caller repeats it who lost the answer."""
        second = Call(self.url, self._secret, None)
        second.id, second.body = self.id, self.body
        return second

    def _call(self) -> None:
        import httpx

        begun = time.monotonic()
        try:
            answer = httpx.post(
                self.url, content=self.body, headers=self._signed(), timeout=TIMEOUT_S
            )
            self.answer, self.headers = answer.json(), dict(answer.headers)
        except (httpx.TransportError, ValueError) as error:
            self._failure = f"{type(error).__name__}: {error}"
            return
        self.took_s = time.monotonic() - begun
        self.status = answer.status_code

    def _signed(self) -> dict[str, str]:
        from standardwebhooks import Webhook

        now = datetime.now(UTC)
        return {
            "content-type": "application/json", "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(self._secret).sign(self.id, now, self.body),
        }  # fmt: skip
