"""Published documents, compiled once and kept; which one a path or a workflow means right now."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from libs.common.errors import NotFound, Unavailable
from libs.common.messages import Meta
from libs.common.once import Kept
from libs.common.service import Service
from libs.language.check import parse
from libs.language.document import Document, Trigger
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

    org: str
    workflow: str
    version: int
    name: str
    enabled: bool
    archived: bool
    document: Document
    validator: Validator | None
    callees: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def trigger(self, path: str | None, key: str | None) -> Trigger | None:
        """The webhook of a path, or the trigger with this id or number."""
        if path is not None:
            return next((t for t in self.document.webhooks if t.path == path), None)
        for number, trigger in enumerate(self.document.triggers):
            if key is not None and key in (trigger.id, str(number)):
                return trigger
        return None


class OpenedSecret(NamedTuple):
    """A secret at the moment of a call: the value, which nobody keeps, and which version it is."""

    value: str
    version: int


class Documents:
    """Asks workflows, and its own view when workflows does not answer. Kept for seconds; dropped
    when an event of the organization's workflows is heard."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._current: Kept[tuple[str, str, str, int | None], Published | None] = Kept(
            lambda found: self._keep_s(found.org if found else None)
        )
        self._compiled: dict[tuple[str, int], tuple[Document, Validator | None]] = {}
        self._variables: Kept[tuple[str, tuple[str, ...]], dict[str, Any]] = Kept(lambda _: FRESH_S)
        self._changed: dict[str, float] = {}

    def drop(self, org: str) -> None:
        """Something about the organization's workflows changed; what is asked now may still be
        answered from before, so it is kept for a second only."""
        self._changed[org] = time.monotonic()
        self._current.drop(lambda key: key[0] == org)
        self._variables.drop(lambda key: key[0] == org)

    def _keep_s(self, org: str | None) -> float:
        fresh = org is None or time.monotonic() - self._changed.get(org, -9.0) < FRESH_S
        return FRESH_S if fresh else KEEP_S

    async def find(
        self, org: str, *, path: str | None = None, workflow: str | None = None,
        version: int | None = None,
    ) -> Published | None:  # fmt: skip
        """The version meant, or None when there is none."""
        return await self._current.get(
            (org, path or "", workflow or "", version),
            lambda: self._look_up(org, path, workflow, version),
        )

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
                {c.name: (c.workflow_id, c.workflow_version) for c in found.callees},
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
            org, row.workflow, row.version, row.name, row.enabled, row.archived, row.document,
            {c["name"]: (c["workflow_id"], c["workflow_version"]) for c in row.callees},
        )  # fmt: skip

    async def _published(
        self, org: str, workflow: str, version: int, name: str, enabled: bool, archived: bool,
        sealed: str, callees: Mapping[str, tuple[str, int]],
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
        return Published(
            org, workflow, version, name, enabled, archived, document, validator, callees
        )

    async def callee(
        self, org: str, workflow: str, version: int, name: str
    ) -> tuple[str, int] | None:
        """The workflow and version that a name meant when the caller was published."""
        caller = await self.find(org, workflow=workflow, version=version)
        return caller.callees.get(name) if caller is not None else None

    async def variables(self, org: str, names: tuple[str, ...]) -> dict[str, Any]:
        """The values of variables, opened; a missing one is left out."""
        if not names:
            return {}
        return await self._variables.get((org, names), lambda: self._opened(org, names))

    async def _opened(self, org: str, names: tuple[str, ...]) -> dict[str, Any]:
        async with self._service.database.work() as db:
            found = await subscribers.find_variables(db, org, list(names))
        key = await self._service.keys.key(org, "content")
        return {name: key.open(v, variable_stream(org, name)) for name, v in found.items()}

    async def secrets(self, org: str, names: list[str]) -> dict[str, OpenedSecret]:
        """Secrets by name, for the process that makes the call, at that moment; a missing one is
        left out."""
        if not names:
            return {}
        answer = await self._service.bus.ask(OpenSecrets(names=names), Meta.system("executor", org))
        key = await self._service.keys.key(org, "secrets")
        opened = answer.as_a(SecretsOpened).secrets
        return {
            s.name: OpenedSecret(
                str(key.open(s.value, secret_stream(org, s.name))), s.secret_version
            )
            for s in opened
        }
