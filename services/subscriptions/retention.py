"""What subscriptions keep, and for how long; the leading process applies it."""

import asyncio
import logging

from sqlalchemy import text

from libs.common.database import LOST
from libs.common.errors import DomainError
from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention
from libs.common.service import Service
from services.subscriptions.feeding import KEEP_DAYS

log = logging.getLogger(__name__)
APPLY_S = 600.0
AT_ONCE_MAX = 5000
SUBJECTS_KEEP_DAYS = 30

RULES = (
    Retention(
        "feed", KEEP_DAYS, "public events, for customers to read",
        Purpose.MESSAGES, Basis.CONTRACT, tables=("feed", "feed_floors", "feed_heads"),
    ),
    Retention(
        "deliveries", KEEP_DAYS, "the log of deliveries, from their end",
        Purpose.MESSAGES, Basis.CONTRACT, tables=("deliveries",),
    ),
    Retention(
        "delivery-streams", SUBJECTS_KEEP_DAYS,
        "numbers given per endpoint and execution or day, from the last one",
        Purpose.MESSAGES, Basis.CONTRACT, tables=("delivery_streams",),
    ),
    Retention(
        "subscriptions", None, "event subscriptions, and what became of deliveries, in streams",
        Purpose.MESSAGES, Basis.CONTRACT,
        keys=("content", "secrets"),
        tables=("subscriptions", "endpoints", "signing_secrets"),
        events=(
            "subscription-created", "subscription-changed", "subscription-deleted",
            "subscription-disabled", "subscription-enabled", "signing-secret-rotated",
            "delivery-ended", "delivery-resent", "test-sent",
        ),
    ),
)  # fmt: skip
STATEMENTS = tuple(map(text, (
    f"""delete from deliveries where id in (select id from deliveries
        where ended_at < now() - interval '{KEEP_DAYS} days' limit {AT_ONCE_MAX})""",
    f"""with gone as (delete from feed where event_id in (select f.event_id from feed f
          where f.time < now() - interval '{KEEP_DAYS} days' and not exists (
            select 1 from deliveries d where d.org = f.org and d.number = f.n
              and d.ended_at is null) limit {AT_ONCE_MAX}) returning org, n),
        floors as (insert into feed_floors as b (org, n) select org, max(n) from gone group by org
          on conflict (org) do update set n = greatest(b.n, excluded.n))
        select n from gone""",
    f"""delete from delivery_streams where (subscription, subject) in (
        select subscription, subject from delivery_streams
        where (subject like 'exe\\_%' or subject ~ '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$')
          and open = 0 and at < now() - interval '{SUBJECTS_KEEP_DAYS} days'
        limit {AT_ONCE_MAX})""",
    f"""delete from delivery_streams where (subscription, subject) in (
        select s.subscription, s.subject from delivery_streams s join endpoints e
          using (subscription) where e.deleted and s.open = 0 limit {AT_ONCE_MAX})""",
    f"""delete from endpoints e where e.deleted and not exists (
        select 1 from delivery_streams s where s.subscription = e.subscription)
      and not exists (select 1 from deliveries d where d.subscription = e.subscription
        and (d.ended_at is null or d.ended_at > now() - interval '{KEEP_DAYS} days'))""",
    "delete from signing_secrets where valid_until < now()",
)))  # fmt: skip


async def apply(service: Service) -> None:
    """Once through all rules, in bites."""
    for statement in STATEMENTS:
        while True:
            async with service.database.work() as db:
                found = await db.execute(statement)
                gone = len(found.all()) if found.returns_rows else found.rowcount
            if gone < AT_ONCE_MAX:
                break
            await asyncio.sleep(0.1)


async def keep_applying(service: Service) -> None:
    while True:
        try:
            await apply(service)
        except (DomainError, *LOST) as error:
            log.warning("retention waits", extra={"cause": type(error).__name__})
        await asyncio.sleep(APPLY_S)
