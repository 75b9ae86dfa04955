"""Tables of subscriptions: one view, and what is born here and stands in no log."""

from typing import Annotated

from pydantic import JsonValue
from sqlalchemy import Index, MetaData, PrimaryKeyConstraint, Table, text

from libs.common.fields import (
    Count,
    DeliveryId,
    EventId,
    Flag,
    HostName,
    Moment,
    Number,
    OpenJson,
    OrganizationId,
    PublicSubject,
    SealedSecret,
    SealedUrl,
    SubscriptionId,
    Version,
    Word,
    plain,
)  # fmt: skip
from libs.common.tables import column, moment_now
from services.subscriptions.contract import DeliveryOutcome

Filter = Annotated[JsonValue, plain("types and conditions")]
Attempts = Annotated[JsonValue, plain("times and statuses of attempts")]

metadata = MetaData()

# The view of callers, derived from the log.
subscriptions = Table(
    "subscriptions", metadata,
    column("org", OrganizationId), column("id", SubscriptionId, primary_key=True),
    column("url", SealedUrl), column("host", HostName), column("types", Filter),
    column("conditions", Filter), column("disabled_reason", Word | None),
    column("disabled_at", Moment | None), column("created_at", Moment),
    column("rotated_at", Moment | None), column("old_valid_until", Moment | None),
    column("version", Version), Index("subscriptions_listed", "org", "created_at", "id"),
)  # fmt: skip

# The order of arrival is known to nobody else, so the numbers are never made again; what a row
# says is. Numbers of an organization have no gaps and become visible in their order.
feed = Table(
    "feed", metadata,
    column("org", OrganizationId), column("n", Number), column("event_id", EventId),
    column("type", Word), column("subject", PublicSubject), column("time", Moment),
    column("event", OpenJson), moment_now("arrived_at", Moment),
    PrimaryKeyConstraint("org", "n"), Index("feed_by_event", "event_id", unique=True),
    Index("feed_by_subject", "org", "subject"), Index("feed_by_time", "time"),
)  # fmt: skip
feed_heads = Table(
    "feed_heads", metadata, column("org", OrganizationId, primary_key=True), column("n", Number),
)  # fmt: skip
# The last number that was deleted: behind it the feed is whole.
feed_floors = Table(
    "feed_floors", metadata, column("org", OrganizationId, primary_key=True), column("n", Number),
)  # fmt: skip

# What deliveries need of a subscription: follows the log by `version`, with its health beside it.
endpoints = Table(
    "endpoints", metadata,
    column("org", OrganizationId), column("subscription", SubscriptionId, primary_key=True),
    column("url", SealedUrl), column("types", Filter), column("conditions", Filter),
    column("enabled", Flag), column("deleted", Flag, server_default=text("false")),
    column("version", Version), column("failing_since", Moment | None),
    column("failures", Count, server_default=text("0")), column("last_status", Number | None),
    column("gone", Flag, server_default=text("false")), column("notice", Word | None),
    Index("endpoints_of", "org"),
    info={"hidden": True},
)  # fmt: skip
signing_secrets = Table(
    "signing_secrets", metadata,
    column("org", OrganizationId), column("subscription", SubscriptionId),
    column("sealed", SealedSecret), moment_now("made_at", Moment),
    column("valid_until", Moment | None), Index("signing_secrets_of", "org", "subscription"),
    info={"hidden": True},
)  # fmt: skip

# One row per endpoint and subject: the last number given, and how many have not ended.
delivery_streams = Table(
    "delivery_streams", metadata,
    column("org", OrganizationId), column("subscription", SubscriptionId),
    column("subject", PublicSubject), column("last", Count), column("open", Count),
    moment_now("at", Moment), PrimaryKeyConstraint("subscription", "subject"),
    info={"hidden": True},
)  # fmt: skip
# `due_at`: None when it waits behind another one or has ended; while an attempt is under way, the
# moment its lease runs out. `owner` is the attempt's token: only its holder may record.
deliveries = Table(
    "deliveries", metadata,
    column("org", OrganizationId), column("id", DeliveryId, primary_key=True),
    column("subscription", SubscriptionId), column("subject", PublicSubject),
    column("sequence", Count), column("event_id", EventId), column("event_type", Word),
    column("number", Number), column("resend_of", DeliveryId | None),
    column("due_at", Moment | None), column("owner", Word | None),
    column("attempts", Attempts, server_default=text("'[]'")),
    column("outcome", DeliveryOutcome | None), moment_now("created_at", Moment),
    column("ended_at", Moment | None),
    Index("deliveries_listed", "subscription", "created_at", "id"),
    Index("deliveries_due", "subscription", "due_at",
          postgresql_where=text("due_at is not null")),
    Index("deliveries_open", "subscription", "subject", "sequence",
          postgresql_where=text("ended_at is null")),
    Index("deliveries_by_number", "org", "number", postgresql_where=text("ended_at is null")),
    Index("deliveries_ended", "ended_at", postgresql_where=text("ended_at is not null")),
)  # fmt: skip
