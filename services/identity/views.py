"""The read models of identity, derived from its log alone."""

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.messages import Recorded
from libs.common.readers import Projection
from services.identity.contract import (
    ROLES,
    ApiKeyCreated,
    ApiKeyRevoked,
    ApiUsageRecorded,
    InvitationAccepted,
    InvitationIssued,
    InvitationWithdrawn,
    MemberAdded,
    MemberRemoved,
    MemberRoleChanged,
    NotificationRaised,
    NotificationRead,
    OperatorAppointed,
    OrganizationFounded,
    PersonRegistered,
)
from services.identity.tables import (
    VIEWS,
    api_keys,
    invitations,
    members,
    memberships,
    notifications,
    operators,
    organizations,
    people,
)

view = Projection("identity", version=2, tables=VIEWS)


@view.on(PersonRegistered)
async def _registered(db: AsyncConnection, event: PersonRegistered, _: Recorded) -> None:
    await db.execute(insert(people).values(
        org=event.person_id, name=event.name, email=event.email, policies=event.policies,
        created_at=event.registered_at,
    ))  # fmt: skip


@view.on(OperatorAppointed)
async def _appointed(db: AsyncConnection, event: OperatorAppointed, _: Recorded) -> None:
    await db.execute(insert(operators).values(person_id=event.person_id))


@view.on(OrganizationFounded)
async def _founded(db: AsyncConnection, event: OrganizationFounded, recorded: Recorded) -> None:
    await db.execute(insert(organizations).values(
        org=event.organization_id, slug=event.slug, name=event.name, founded_at=event.founded_at,
        created_by=event.owner_id, version=recorded.streamversion,
    ))  # fmt: skip


async def _at_version(db: AsyncConnection, recorded: Recorded) -> None:
    await db.execute(
        update(organizations)
        .where(organizations.c.org == recorded.organization)
        .values(version=recorded.streamversion)
    )


@view.on(MemberAdded)
async def _added(db: AsyncConnection, event: MemberAdded, recorded: Recorded) -> None:
    org = recorded.organization
    who = select(
        literal(org), people.c.org, people.c.name, people.c.email,
        literal(event.role.value), literal(event.added_at),
    ).where(people.c.org == event.person_id)  # fmt: skip
    await db.execute(insert(members).from_select(
        ["org", "person_id", "name", "email", "role", "added_at"], who))  # fmt: skip
    where = select(
        literal(event.person_id), organizations.c.org, organizations.c.slug,
        organizations.c.name, literal(event.role.value), literal(event.added_at),
    ).where(organizations.c.org == org)  # fmt: skip
    await db.execute(insert(memberships).from_select(
        ["org", "organization_id", "slug", "name", "role", "added_at"], where))  # fmt: skip
    await _at_version(db, recorded)


@view.on(MemberRoleChanged)
async def _role_changed(db: AsyncConnection, event: MemberRoleChanged, recorded: Recorded) -> None:
    org, role = recorded.organization, event.to_role.value
    await db.execute(
        update(members)
        .where(members.c.org == org, members.c.person_id == event.person_id)
        .values(role=role)
    )
    await db.execute(
        update(memberships)
        .where(memberships.c.org == event.person_id, memberships.c.organization_id == org)
        .values(role=role)
    )
    await _at_version(db, recorded)


@view.on(MemberRemoved)
async def _removed(db: AsyncConnection, event: MemberRemoved, recorded: Recorded) -> None:
    org, person = recorded.organization, event.person_id
    await db.execute(delete(members).where(members.c.org == org, members.c.person_id == person))
    for table in (memberships, notifications):
        await db.execute(delete(table).where(table.c.org == person, table.c.organization_id == org))
    await _at_version(db, recorded)


@view.on(InvitationIssued)
async def _invited(db: AsyncConnection, event: InvitationIssued, recorded: Recorded) -> None:
    await db.execute(insert(invitations).values(
        org=recorded.organization, invitation_id=event.invitation_id, email=event.email,
        role=event.role.value, invited_by=event.invited_by, issued_at=event.issued_at,
        expires_at=event.expires_at,
    ))  # fmt: skip
    await _at_version(db, recorded)


@view.on(InvitationAccepted)
async def _accepted(db: AsyncConnection, event: InvitationAccepted, recorded: Recorded) -> None:
    await _invitation_ended(db, event.invitation_id, recorded)


@view.on(InvitationWithdrawn)
async def _withdrawn(db: AsyncConnection, event: InvitationWithdrawn, recorded: Recorded) -> None:
    await _invitation_ended(db, event.invitation_id, recorded)


async def _invitation_ended(db: AsyncConnection, invitation: str, recorded: Recorded) -> None:
    mine = invitations.c.org == recorded.organization
    await db.execute(delete(invitations).where(mine, invitations.c.invitation_id == invitation))
    await _at_version(db, recorded)


@view.on(ApiKeyCreated)
async def _key_created(db: AsyncConnection, event: ApiKeyCreated, recorded: Recorded) -> None:
    await db.execute(insert(api_keys).values(
        org=recorded.organization, key_id=event.key_id, name=event.name, scopes=event.scopes,
        created_by=event.created_by, created_at=event.created_at, expires_at=event.expires_at,
    ))  # fmt: skip
    await _at_version(db, recorded)


@view.on(ApiKeyRevoked)
async def _key_revoked(db: AsyncConnection, event: ApiKeyRevoked, recorded: Recorded) -> None:
    await db.execute(
        update(api_keys)
        .where(api_keys.c.org == recorded.organization, api_keys.c.key_id == event.key_id)
        .values(revoked_at=event.revoked_at)
    )
    await _at_version(db, recorded)


@view.on(ApiUsageRecorded)
async def _used(db: AsyncConnection, event: ApiUsageRecorded, recorded: Recorded) -> None:
    """When a key was last used is known to the minute."""
    await db.execute(
        update(api_keys)
        .where(api_keys.c.org == recorded.organization, api_keys.c.key_id == event.actor)
        .values(last_used_at=func.greatest(api_keys.c.last_used_at, event.minute))
    )


@view.on(NotificationRaised)
async def _raised(db: AsyncConnection, event: NotificationRaised, recorded: Recorded) -> None:
    """One row for each person who is to be told: those who are members at this moment."""
    told, organization = [event.person_id], None
    if recorded.organization != "instance":
        organization = recorded.organization
        may = [
            role.value for role, granted in ROLES.items()
            if event.audience in granted or event.audience == f"role:{role.value}"
        ]  # fmt: skip
        mine = members.c.org == organization
        mine &= (
            members.c.role.in_(may)
            if event.person_id is None
            else members.c.person_id == event.person_id
        )
        told = list((await db.execute(select(members.c.person_id).where(mine))).scalars())
    rows = [
        {
            "org": person, "notification_id": event.notification_id,
            "organization_id": organization, "category": event.category,
            "template": event.template, "facts": event.facts, "raised_at": event.raised_at,
        }
        for person in told if person is not None
    ]  # fmt: skip
    if rows:
        await db.execute(insert(notifications), rows)


@view.on(NotificationRead)
async def _read(db: AsyncConnection, event: NotificationRead, _: Recorded) -> None:
    await db.execute(
        update(notifications)
        .where(
            notifications.c.org == event.person_id,
            notifications.c.notification_id == event.notification_id,
        )
        .values(read_at=event.read_at)
    )
