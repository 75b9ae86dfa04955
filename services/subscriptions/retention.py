"""What subscriptions keep, and for how long; the leading process applies it."""

from libs.common.purposes import Basis, Purpose
from libs.common.retention import Retention
from libs.common.sweeping import sql_sweep
from services.subscriptions.feeding import KEEP_DAYS

SUBJECTS_KEEP_DAYS = 30
# Those of executions and days: they end by themselves.
QUIET = r"""(subject like 'exe\_%' or subject ~ '[0-9]{4}-[0-9]{2}-[0-9]{2}$')
  and open = 0 and at < :before"""
OVER = """f.time < :before and not exists (select 1 from deliveries d
  where d.org = f.org and d.number = f.n and d.ended_at is null)"""

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
        by="its sweep: deleted endpoints with their last delivery, replaced secrets after a day",
        events=(
            "subscription-created", "subscription-changed", "subscription-deleted",
            "subscription-disabled", "subscription-enabled", "signing-secret-rotated",
            "delivery-ended", "delivery-resent", "test-sent",
        ),
    ),
)  # fmt: skip
SWEEPS = (
    sql_sweep(
        "deliveries",
        "delete from deliveries where id in"
        " (select id from deliveries where ended_at < :before limit :bite)",
        "select min(ended_at) from deliveries",
        KEEP_DAYS,
    ),
    sql_sweep(
        "feed",
        f"""with gone as (delete from feed where event_id in (select f.event_id from feed f
              where {OVER} limit :bite) returning org, n),
            floors as (insert into feed_floors as b (org, n)
              select org, max(n) from gone group by org order by org
              on conflict (org) do update set n = greatest(b.n, excluded.n))
            select n from gone""",
        f"select f.time from feed f where {OVER} order by f.time limit 1",
        KEEP_DAYS,
    ),
    sql_sweep(
        "delivery-streams",
        "delete from delivery_streams where (subscription, subject) in"
        f" (select subscription, subject from delivery_streams where {QUIET} limit :bite)",
        f"select at from delivery_streams where {QUIET} order by at limit 1",
        SUBJECTS_KEEP_DAYS,
    ),
    sql_sweep(
        "delivery-streams",
        """delete from delivery_streams where (subscription, subject) in (
            select s.subscription, s.subject from delivery_streams s join endpoints e
              using (subscription) where e.deleted and s.open = 0 limit :bite)""",
        "select null::timestamptz",  # they go with their endpoint, at once
        0,
    ),
    sql_sweep(
        "subscriptions",
        """delete from endpoints where subscription in (
            select e.subscription from endpoints e where e.deleted and not exists (
              select 1 from delivery_streams s where s.subscription = e.subscription)
            and not exists (select 1 from deliveries d where d.subscription = e.subscription
              and (d.ended_at is null or d.ended_at >= :before)) limit :bite)""",
        "select null::timestamptz",  # they go with their last delivery
        KEEP_DAYS,
    ),
    sql_sweep(
        "subscriptions",
        """delete from signing_secrets where ctid = any(array(
            select ctid from signing_secrets where valid_until < :before limit :bite))""",
        "select min(valid_until) from signing_secrets",
        0,
    ),
)
