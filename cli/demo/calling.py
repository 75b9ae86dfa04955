"""The caller: a signed call of the webhook that waits for its answer in a thread of its own."""

import http.client
import json
import threading
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from cli.demo.failed import DemoFailed
from libs.common import clock

TIMEOUT_S = 75.0


class Call:
    """One POST, signed as Standard Webhooks says; the same id again is the same call."""

    def __init__(self, url: str, secret: str, body: Any) -> None:
        self.url, self._secret = url, secret
        self.id = f"msg_{uuid.uuid4().hex}"
        self.body = json.dumps(body)
        self._webhook = Webhook(secret)
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.answer: Any = None
        self.took_s = 0.0
        self._failure: str | None = None
        self._thread = threading.Thread(target=self.run, daemon=True)

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

    def run(self) -> None:
        """The call itself, in the thread of who asks for it."""
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=TIMEOUT_S
        )
        begun = time.monotonic()
        try:
            connection.request("POST", address.path, self.body, self._signed())
            answer = connection.getresponse()
            self.answer = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._failure = f"{type(error).__name__}: {error}"
            return
        finally:
            connection.close()
        self.took_s = time.monotonic() - begun
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.status = answer.status

    def _signed(self) -> dict[str, str]:
        now = clock.now()
        return {
            "content-type": "application/json", "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._webhook.sign(self.id, now, self.body),
        }  # fmt: skip
