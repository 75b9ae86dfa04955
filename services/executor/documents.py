"""Published documents, compiled once and kept; which one a path or a workflow means right now."""

import logging
import time
from dataclasses import dataclass
from typing import Any

from libs.common.errors import NotFound, Unavailable
from libs.common.messages import Meta
from libs.common.service import Service
from libs.language.check import parse
from libs.language.document import Document, WebhookTrigger
from libs.language.schema import Validator, compile_schema
from services.executor import subscribers
from services.workflows.contract import (
    FindTrigger,
    OpenSecrets,
    SecretsOpened,
    TriggerFound,
    secret_stream,
    variable_stream,
    workflow_stream,
)  # fmt: skip

log = logging.getLogger(__name__)
KEEP_S = 30.0
FRESH_S = 1.0
COMPILED_MAX = 512


@dataclass(frozen=True, slots=True)
class Published:
    """One version, ready to run, and the state of its workflow when it was looked up."""

    workflow: str
    version: int
    name: str
    enabled: bool
    archived: bool
    document: Document
    validator: Validator | None

    def webhook(self, path: str | None) -> WebhookTrigger | None:
        return next((t for t in self.document.triggers if t.path == path), None)


class Documents:
    """Asks workflows, and its own view when workflows does not answer. Kept for seconds; dropped
    when an event of the organization's workflows is heard."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._current: dict[tuple[str, str, str, int | None], tuple[float, Published | None]] = {}
        self._compiled: dict[tuple[str, int], tuple[Document, Validator | None]] = {}
        self._variables: dict[str, tuple[float, dict[str, Any]]] = {}
        self._changed: dict[str, float] = {}

    def drop(self, org: str) -> None:
        """Something about the organization's workflows changed; what is asked now may still be
        answered from before, so it is kept for a second only."""
        self._changed[org] = time.monotonic()
        self._current = {k: v for k, v in self._current.items() if k[0] != org}
        self._variables.pop(org, None)

    def _keep_until(self, org: str) -> float:
        now = time.monotonic()
        return now + (FRESH_S if now - self._changed.get(org, -9.0) < FRESH_S else KEEP_S)

    async def find(
        self, org: str, *, path: str | None = None, workflow: str | None = None,
        version: int | None = None,
    ) -> Published | None:  # fmt: skip
        """The version meant, or None when there is none."""
        key = (org, path or "", workflow or "", version)
        kept = self._current.get(key)
        if kept is None or kept[0] < time.monotonic():
            found = await self._look_up(org, path, workflow, version)
            kept = self._current[key] = (self._keep_until(org), found)
        return kept[1]

    async def _look_up(
        self, org: str, path: str | None, workflow: str | None, version: int | None
    ) -> Published | None:
        query = FindTrigger(path=path, workflow=workflow, version=version)
        meta = Meta.system("executor", org)
        try:
            found = (await self._service.bus.ask(query, meta, 2.0)).as_a(TriggerFound)
            return await self._published(
                org, found.workflow_id, found.workflow_version, found.name, found.enabled,
                found.archived, found.document,
            )  # fmt: skip
        except NotFound:
            return None
        except Unavailable:
            log.warning("workflows does not answer; the executor's own view is used")
        async with self._service.database.work() as db:
            row = await subscribers.find_published(
                db, org, path=path, workflow=workflow, version=version
            )
        if row is None:
            return None
        return await self._published(
            org, row.workflow, row.version, row.name, row.enabled, row.archived, row.document
        )

    async def _published(
        self, org: str, workflow: str, version: int, name: str, enabled: bool, archived: bool,
        sealed: str,
    ) -> Published:  # fmt: skip
        if (workflow, version) not in self._compiled:
            if len(self._compiled) >= COMPILED_MAX:
                self._compiled.clear()
            key = await self._service.keys.key(org, "content")
            document = parse(key.open(sealed, workflow_stream(org, workflow)))
            schema = document.input_schema
            validator = compile_schema(schema) if schema is not None else None
            self._compiled[workflow, version] = (document, validator)
        document, validator = self._compiled[workflow, version]
        return Published(workflow, version, name, enabled, archived, document, validator)

    async def variables(self, org: str, names: tuple[str, ...]) -> dict[str, Any]:
        """The values of variables, opened; a missing one is left out."""
        if not names:
            return {}
        until, kept = self._variables.get(org, (0.0, {}))
        if until < time.monotonic() or any(name not in kept for name in names):
            async with self._service.database.work() as db:
                found = await subscribers.find_variables(db, org, list(names))
            key = await self._service.keys.key(org, "content")
            fresh = {n: key.open(v, variable_stream(org, n)) for n, v in found.items()}
            kept = (kept if until >= time.monotonic() else {}) | fresh
            self._variables[org] = (self._keep_until(org), kept)
        return {name: kept[name] for name in names if name in kept}

    async def secrets(self, org: str, names: list[str]) -> dict[str, str]:
        """Values of secrets, for the process that makes the call, at that moment."""
        if not names:
            return {}
        answer = await self._service.bus.ask(OpenSecrets(names=names), Meta.system("executor", org))
        key = await self._service.keys.key(org, "secrets")
        opened = answer.as_a(SecretsOpened).secrets
        return {s.name: str(key.open(s.value, secret_stream(org, s.name))) for s in opened}
