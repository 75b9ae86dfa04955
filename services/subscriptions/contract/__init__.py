"""What others may ask of subscriptions, what it answers and refuses, and the facts it records."""

from services.subscriptions.contract.asks import (
    ChangeSubscription,
    CreateSubscription,
    DeleteSubscription,
    EnableSubscription,
    FindDeliveries,
    FindEvents,
    FindEventTypes,
    FindSubscription,
    FindSubscriptions,
    ResendDelivery,
    RotateSecret,
    SubscriptionPatch,
    TestSubscription,
)
from services.subscriptions.contract.errors import (
    LimitReached,
    SubscriptionIsDisabled,
    UrlNotAllowed,
)
from services.subscriptions.contract.events import (
    DeliveryEnded,
    DeliveryOutcome,
    DeliveryResent,
    SigningSecretRotated,
    SubscriptionChanged,
    SubscriptionCreated,
    SubscriptionDeleted,
    SubscriptionDisabled,
    SubscriptionEnabled,
    TestSent,
    TypePattern,
    Types,
    Where,
)
from services.subscriptions.contract.following import FED, FollowEvents
from services.subscriptions.contract.shown import (
    AttemptShown,
    DeliveryShown,
    EventShown,
    EventTypeShown,
    SubscriptionShown,
)

SERVICE = "subscriptions"
SUBSCRIPTIONS_MAX = 20

__all__ = [
    "FED",
    "SERVICE",
    "SUBSCRIPTIONS_MAX",
    "AttemptShown",
    "ChangeSubscription",
    "CreateSubscription",
    "DeleteSubscription",
    "DeliveryEnded",
    "DeliveryOutcome",
    "DeliveryResent",
    "DeliveryShown",
    "EnableSubscription",
    "EventShown",
    "EventTypeShown",
    "FindDeliveries",
    "FindEventTypes",
    "FindEvents",
    "FindSubscription",
    "FindSubscriptions",
    "FollowEvents",
    "LimitReached",
    "ResendDelivery",
    "RotateSecret",
    "SigningSecretRotated",
    "SubscriptionChanged",
    "SubscriptionCreated",
    "SubscriptionDeleted",
    "SubscriptionDisabled",
    "SubscriptionEnabled",
    "SubscriptionIsDisabled",
    "SubscriptionPatch",
    "SubscriptionShown",
    "TestSent",
    "TestSubscription",
    "TypePattern",
    "Types",
    "UrlNotAllowed",
    "Where",
]
