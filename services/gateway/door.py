"""What the door holds in memory: connections, answers kept for seconds, limits, open requests."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from libs.common.bus_service import BusService
from libs.common.errors import DomainError, NotFound
from libs.common.messages import Ask, Meta
from services.billing.contract import AccountShown, FindAccount
from services.gateway import rates
from services.gateway.kept import Kept
from services.gateway.ledger import Ledger
from services.gateway.origins import Origins
from services.gateway.reports import Reports
from services.gateway.settings import GatewaySettings
from services.gateway.starts import Starts
from services.gateway.streams import Streams
from services.identity.contract import (
    CallerShown,
    FindCaller,
    MakeSignInLink,
    OpenSession,
    OpenSessionByLink,
    OrganizationResolved,
    ReadNotification,
    RegisterPerson,
    ResolveOrganization,
)
from services.workflows.contract import FindHook, FindTrigger, HookFound, TriggerFound

if TYPE_CHECKING:
    from services.gateway.routing import Known

log = logging.getLogger(__name__)
CALLERS_S, HOOKS_S, ORGANIZATIONS_S, ACCOUNTS_S = 5.0, 5.0, 30.0, 5.0
UNMATCHED = rates.Limit("unmatched", 50, 200)
_SAY_NOTHING_OF_CALLERS = (
    MakeSignInLink, OpenSession, OpenSessionByLink, ReadNotification, RegisterPerson,
)  # fmt: skip


@dataclass
class Rates:
    """The buckets of this process, one family per limit."""

    hooks: rates.Buckets
    api: rates.Buckets = field(default_factory=lambda: rates.Buckets(rates.API))
    public: rates.Buckets = field(default_factory=lambda: rates.Buckets(rates.PUBLIC))
    events: rates.Buckets = field(default_factory=lambda: rates.Buckets(rates.CUSTOM_EVENTS))
    unmatched: rates.Buckets = field(default_factory=lambda: rates.Buckets(UNMATCHED))
    account: rates.Buckets = field(default_factory=lambda: rates.Buckets(rates.SIGN_IN_ACCOUNT))
    nobody: rates.Taken = field(default_factory=lambda: rates.Taken(rates.PUBLIC, True, 200, 0, 0))
    address: rates.Buckets = field(default_factory=lambda: rates.Buckets(rates.SIGN_IN_ADDRESS))


class Door:
    """One per process; owns nothing that must survive it."""

    def __init__(self, service: BusService, settings: GatewaySettings) -> None:
        self.service, self.settings = service, settings
        self.bus, self.keys = service.bus, service.keys
        self.rates = Rates(rates.Buckets(rates.hooks(settings.hooks_per_s)))
        self.starts = Starts(self.bus, self.keys)
        self.ledger = Ledger(self.bus, self.keys)
        self.origins = Origins(self.bus, settings.kek_bytes)
        self.reports = Reports(self.bus, self.origins)
        self.streams = Streams(self.bus)
        self.known: dict[Any, Known] = {}
        self.in_flight: set[str] = set()
        self._looking: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.draining = False
        self.opened = False
        self.callers: Kept[tuple[str, str | None], CallerShown] = Kept(self._find_caller, CALLERS_S)
        self.organizations: Kept[str, OrganizationResolved] = Kept(self._resolve, ORGANIZATIONS_S)
        self.hooks: Kept[tuple[str, str], HookFound] = Kept(self._find_hook, HOOKS_S)
        self.triggers: Kept[tuple[str, str], TriggerFound] = Kept(self._find_trigger, HOOKS_S)
        self.accounts: Kept[str, AccountShown] = Kept(self._find_account, ACCOUNTS_S)

    # -- lookups ----------------------------------------------------------------------------

    async def caller(
        self, credential_digest: str, organization: str | None, *, fresh: bool = False
    ) -> CallerShown:
        """Who holds the token. Raises CredentialInvalid. `fresh` asks identity in any case."""
        key = (credential_digest, organization)
        if fresh:
            self.callers.drop(lambda held, _: held == key)
        return await self.callers.get(key)

    async def _find_caller(self, key: tuple[str, str | None]) -> CallerShown:
        query = FindCaller(credential_digest=key[0], organization=key[1])
        return (await self.bus.ask(query, Meta.system("gateway"))).as_a(CallerShown)

    async def _resolve(self, name: str) -> OrganizationResolved:
        answer = await self.bus.ask(ResolveOrganization(name=name), Meta.system("gateway"))
        return answer.as_a(OrganizationResolved)

    async def _find_hook(self, key: tuple[str, str]) -> HookFound:
        meta = Meta.system("gateway", key[0])
        return (await self.bus.ask(FindHook(path=key[1]), meta)).as_a(HookFound)

    async def _find_trigger(self, key: tuple[str, str]) -> TriggerFound:
        meta = Meta.system("gateway", key[0])
        return (await self.bus.ask(FindTrigger(workflow=key[1]), meta)).as_a(TriggerFound)

    async def _find_account(self, organization: str) -> AccountShown:
        meta = Meta.system("gateway", organization, permissions=frozenset({"usage:read"}))
        return (await self.bus.ask(FindAccount(), meta)).as_a(AccountShown)

    def look_up_account(self, organization: str) -> None:
        """Asks billing in the background, so that the next call knows."""
        if organization not in self._looking:
            self._looking.add(organization)
            task = asyncio.create_task(self._look_up(organization))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _look_up(self, organization: str) -> None:
        try:
            await self.accounts.get(organization)
        except DomainError as error:
            log.info("no account at hand", extra={"cause": error.code})
            await asyncio.sleep(1)
        finally:
            self._looking.discard(organization)

    async def workflow_id(self, organization: str, name: str) -> str:
        """The id of a workflow by its id or name; raises NotFound for one never published."""
        found = await self.triggers.get((organization, name))
        if name not in (found.workflow_id, found.name):
            raise NotFound()
        return found.workflow_id

    # -- forgetting -------------------------------------------------------------------------

    def changed(self, message: Ask, organization: str) -> None:
        """Forgets at once what a change through this very door made stale."""
        service = message.type.partition(".")[0]
        if service == "identity" and not isinstance(message, _SAY_NOTHING_OF_CALLERS):
            self.callers.clear()
        elif service == "workflows":
            self.forget_workflows(organization)
        elif service == "billing":
            self.accounts.clear()

    def forget_callers(self, concerned: Callable[[CallerShown], bool]) -> None:
        """What is known of some callers is doubtful: their next call, and their streams, ask."""
        self.callers.drop(lambda _, caller: concerned(caller))
        self.streams.doubt(concerned)

    def forget_workflows(self, organization: str) -> None:
        self.hooks.drop(lambda key, _: key[0] == organization)
        self.triggers.drop(lambda key, _: key[0] == organization)

    def forget_all(self) -> None:
        for kept in (self.callers, self.organizations, self.hooks, self.triggers, self.accounts):
            kept.clear()
        self.streams.doubt(lambda _: True)

    # -- the way of a process ---------------------------------------------------------------

    async def open(self) -> None:
        """Called when the bus is there: from then on starts can be answered."""
        await self.starts.open()
        self.opened = True
