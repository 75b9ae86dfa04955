"""Events of other services, heard on the bus as they pass: what is kept in memory is dropped."""

import asyncio
import logging
from collections.abc import Callable

import msgspec
from nats.aio.msg import Msg

from libs.common.messages import Recorded, decode_batch
from libs.common.streams import subject_of
from services.billing.contract import EntitlementsSet, PlanChanged, UsageAlarmRaised
from services.gateway.door import Door
from services.identity.contract import (
    ApiKeyRevoked,
    KeysDestroyed,
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    OperatorAppointed,
    OrganizationFounded,
    PasswordChanged,
    SessionClosed,
)
from services.workflows.contract import (
    SecretDeleted,
    SecretStored,
    WorkflowArchived,
    WorkflowDisabled,
    WorkflowDrafted,
    WorkflowEnabled,
    WorkflowPublished,
)

log = logging.getLogger(__name__)
PRODUCERS = ("identity", "workflows", "billing")


class Heard:
    """Hearing is a convenience: what is missed is forgotten by its age, seconds later."""

    def __init__(self, door: Door) -> None:
        self.door = door
        by_caller = (SessionClosed, ApiKeyRevoked, PasswordChanged)
        by_member = (MemberAdded, MemberRemoved, MemberRoleChanged, OrganizationFounded,
                     OperatorAppointed)  # fmt: skip
        by_workflow = (WorkflowDrafted, WorkflowPublished, WorkflowEnabled, WorkflowDisabled,
                       WorkflowArchived, SecretStored, SecretDeleted)  # fmt: skip
        by_account = (EntitlementsSet, PlanChanged, UsageAlarmRaised)
        self._react: dict[str, Callable[[Recorded], None]] = {
            **{kind.type: self._caller for kind in by_caller},
            **{kind.type: self._members for kind in by_member},
            **{kind.type: self._workflow for kind in by_workflow},
            **{kind.type: self._account for kind in by_account},
            KeysDestroyed.type: self._keys,
        }

    async def run(self) -> None:
        """Listens for ever; after a lost connection everything kept is forgotten."""
        nc = self.door.bus.nc
        for producer in PRODUCERS:
            await nc.subscribe(subject_of(producer), cb=self._came)
        reconnects = nc.stats["reconnects"]
        while True:
            await asyncio.sleep(0.5)
            if nc.stats["reconnects"] != reconnects:
                reconnects = nc.stats["reconnects"]
                self.door.forget_all()

    async def _came(self, message: Msg) -> None:
        try:
            for recorded in decode_batch(message.data):
                react = self._react.get(recorded.type)
                if react is not None:
                    react(recorded)
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            log.warning("batch not understood", extra={"error_type": type(error).__name__})
            self.door.forget_all()

    def _caller(self, recorded: Recorded) -> None:
        """The session or key that the event names; a person's own when it names none."""
        named = {value for value in recorded.json().values() if isinstance(value, str)}
        named.add(recorded.subject.rpartition("-")[2])
        self.door.forget_callers(
            lambda caller: (
                not named.isdisjoint({caller.session_id, caller.key_id, caller.person_id} - {None})
            )
        )

    def _members(self, recorded: Recorded) -> None:
        """The person's sessions, and all keys of the organization (their scopes follow roles)."""
        named = {value for value in recorded.json().values() if isinstance(value, str)}
        self.door.forget_callers(
            lambda caller: (
                caller.person_id in named
                or (
                    caller.organization is not None
                    and caller.organization.id == recorded.organization
                )
            )
        )

    def _workflow(self, recorded: Recorded) -> None:
        self.door.forget_workflows(recorded.organization)

    def _account(self, recorded: Recorded) -> None:
        self.door.accounts.drop(lambda organization, _: organization == recorded.organization)

    def _keys(self, recorded: Recorded) -> None:
        self.door.keys.drop(str(recorded.json().get("owner_id", "")))
