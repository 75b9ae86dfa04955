"""Field types: each carries data class, category, purpose, legal basis, retention and subject."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field, JsonValue, PlainSerializer
from pydantic.fields import FieldInfo


class DataClass(StrEnum):
    NONE = "none"
    INDIRECT = "indirect"
    DIRECT = "direct"
    FREE_TEXT = "free-text"
    SPECIAL = "special"
    SECRET = "secret"  # noqa: S105 - the name of a class of data, not a secret


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value is about; `sealed` says that only its ciphertext may be stored."""

    data_class: DataClass
    category: str
    purpose: str = "operate the platform"
    basis: str = "contract"
    retention: str = "as long as its stream"
    subject: str = "organization"
    sealed: bool = False


def _none(category: str) -> Meaning:
    return Meaning(DataClass.NONE, category)


def _indirect(category: str, subject: str = "organization") -> Meaning:
    return Meaning(DataClass.INDIRECT, category, subject=subject)


def _sealed(data_class: DataClass, category: str, subject: str) -> Meaning:
    return Meaning(data_class, category, subject=subject, sealed=True)


def _id(prefix: str) -> Any:
    return Field(pattern=rf"^{prefix}_[0-9a-z]{{1,40}}$", max_length=48)


MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")

# Ids
OrganizationId = Annotated[str, Field(max_length=48), _indirect("organization id")]
PersonId = Annotated[str, _id("per"), _indirect("person id", "person")]
SessionId = Annotated[str, _id("ses"), _indirect("session id", "person")]
ApiKeyId = Annotated[str, _id("key"), _indirect("API key id")]
InvitationId = Annotated[str, _id("inv"), _none("invitation id")]
SignInLinkId = Annotated[str, _id("lnk"), _none("sign-in link id")]
WorkflowId = Annotated[str, _id("wf"), _none("workflow id")]
ExecutionId = Annotated[str, _id("exe"), _indirect("execution id")]
CallId = Annotated[str, _id("call"), _indirect("trigger call id")]
SubscriptionId = Annotated[str, _id("sub"), _none("event subscription id")]
DeliveryId = Annotated[str, _id("del"), _none("delivery id")]
ApprovalId = Annotated[str, _id("apv"), _indirect("approval id")]
OperationId = Annotated[str, _id("op"), _indirect("operation id")]
NotificationId = Annotated[str, _id("ntf"), _none("notification id")]
ReviewId = Annotated[str, _id("rev"), _none("review id")]
FileId = Annotated[str, _id("file"), _indirect("keyed digest of a file")]
UploadId = Annotated[str, _id("upl"), _none("upload id")]
EventId = Annotated[str, Field(max_length=48), _none("event id")]
KeyId = Annotated[str, Field(max_length=64), _none("data key id")]
OwnerId = Annotated[str, Field(max_length=48), _indirect("owner of a data key", "person")]
Actor = Annotated[str, Field(max_length=64), _indirect("who acted", "person")]
StreamName = Annotated[str, Field(max_length=200), _indirect("log stream")]


# Values that say nothing about anybody
def milliseconds(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as everywhere in the API."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime, PlainSerializer(milliseconds, return_type=str, when_used="json"), _none("time")
]
Count = Annotated[int, Field(ge=0), _none("count")]
Number = Annotated[int, _none("number")]
Version = Annotated[int, Field(ge=0), _none("version")]
Bytes = Annotated[int, Field(ge=0), _none("size in bytes")]
Milliseconds = Annotated[int, Field(ge=0), _none("length of time in milliseconds")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), _none("day in UTC")]
Seconds = Annotated[float, Field(ge=0), _none("length of time in seconds")]
Flag = Annotated[bool, _none("yes or no")]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/*@-]*$", max_length=120), _none("word")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"), _none("name in a document")]
StepPath = Annotated[str, Field(max_length=400), _none("place of a step in a document")]
HttpPath = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9/_-]{0,127}$"), _none("path of a hook, from a document")
]
QueryName = Annotated[str, Field(max_length=100), _none("name of a query value, from a document")]
LabelText = Annotated[str, Field(max_length=100), _none("label, from a document")]
CronLine = Annotated[str, Field(max_length=200), _none("cron line, from a document")]
ZoneName = Annotated[str, Field(max_length=64), _none("time zone, from a document")]
Slug = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$"), _indirect("short name of an organization")
]
OrganizationRef = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"), _indirect("organization id or short name")
]
HostName = Annotated[str, Field(max_length=255), _indirect("host name")]
PolicyVersion = Annotated[str, Field(max_length=20), _none("version of a policy")]
TraceParent = Annotated[str, Field(max_length=64), _none("trace context")]
RequestId = Annotated[str, Field(max_length=64), _indirect("request id")]
Pointer = Annotated[str, Field(max_length=400), _none("pointer into a document")]
Digest = Annotated[str, Field(max_length=128), _indirect("keyed digest")]
ResourceAddress = Annotated[str, Field(max_length=400), _none("address of a resource")]
PublicSubject = Annotated[str, Field(max_length=200), _indirect("what an event is about")]
PlainValue = Annotated[
    Annotated[str, Field(max_length=200)] | int | bool, _none("value of a field of class none")
]
OpenJson = Annotated[JsonValue, _indirect("data of a public event, without what is sealed")]
PlainJson = Annotated[JsonValue, _indirect("ids, names and numbers of a read model, no content")]

# Values that only their ciphertext may stand for
SealedText = Annotated[str, _sealed(DataClass.FREE_TEXT, "text", "organization")]
SealedJson = Annotated[str, _sealed(DataClass.FREE_TEXT, "value", "organization")]
SealedBytes = Annotated[str, _sealed(DataClass.FREE_TEXT, "content", "organization")]
SealedUrl = Annotated[str, _sealed(DataClass.FREE_TEXT, "URL", "organization")]
SealedOrganizationName = Annotated[
    str, _sealed(DataClass.DIRECT, "organization name", "organization")
]
SealedPersonName = Annotated[str, _sealed(DataClass.DIRECT, "name", "person")]
SealedEmail = Annotated[str, _sealed(DataClass.DIRECT, "e-mail address", "person")]
SealedOrigin = Annotated[str, _sealed(DataClass.DIRECT, "address and user agent", "person")]
PasswordHash = Annotated[str, Field(pattern=r"^\$2b\$\d\d\$"), Meaning(
    DataClass.SECRET, "password hash", subject="person")]  # fmt: skip
SealedSecret = Annotated[str, _sealed(DataClass.SECRET, "secret", "organization")]

# What comes in by a command or goes out in an answer, over TLS, and is never stored as it is
PersonName = Annotated[str, Field(min_length=1, max_length=200), Meaning(
    DataClass.DIRECT, "name", subject="person")]  # fmt: skip
Email = Annotated[str, Field(min_length=3, max_length=254), Meaning(
    DataClass.DIRECT, "e-mail address", subject="person")]  # fmt: skip
Title = Annotated[str, Field(min_length=1, max_length=200), Meaning(
    DataClass.FREE_TEXT, "title")]  # fmt: skip
FreeText = Annotated[str, Field(max_length=4000), Meaning(DataClass.FREE_TEXT, "text")]
DocumentText = Annotated[str, Field(max_length=262_144), Meaning(DataClass.FREE_TEXT, "document")]
Url = Annotated[str, Field(max_length=2000), Meaning(DataClass.FREE_TEXT, "URL")]
AnyJson = Annotated[JsonValue, Meaning(DataClass.FREE_TEXT, "value")]
SecretText = Annotated[str, Field(max_length=65_536), Meaning(DataClass.SECRET, "secret")]
Password = Annotated[str, Field(min_length=1, max_length=1024), Meaning(
    DataClass.SECRET, "password", subject="person")]  # fmt: skip
Label = Annotated[str, Field(max_length=63), _none("label")]
MediaType = Annotated[str, Field(pattern=f"^{MEDIA_TYPE.pattern}$"), _none("media type")]


def meaning_of(annotation: Any, metadata: tuple[Any, ...] | list[Any] = ()) -> Meaning | None:
    """The meaning that a field's type carries, also inside `X | None` and `list[X]`."""
    for item in metadata:
        if isinstance(item, Meaning):
            return item
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return _none("one of a list")
    if get_origin(annotation) is Annotated:
        base, *rest = get_args(annotation)
        return meaning_of(base, rest)
    if get_origin(annotation) is Literal:
        return _none("one of a list")
    for argument in get_args(annotation):
        if argument is not type(None) and (found := meaning_of(argument)):
            return found
    return None


def bare_fields(model: type[BaseModel], seen: set[type] | None = None) -> list[str]:
    """Names of fields whose type says nothing about their data class (a check refuses them)."""
    seen = seen if seen is not None else set()
    if model in seen:
        return []
    seen.add(model)
    out: list[str] = []
    for name, info in model.model_fields.items():
        out += [f"{model.__name__}.{name}{tail}" for tail in _bare(info, seen)]
    return out


def _bare(info: FieldInfo, seen: set[type]) -> list[str]:
    if any(isinstance(item, Meaning) for item in info.metadata):
        return []
    return _bare_type(info.annotation, seen)


def _bare_type(annotation: Any, seen: set[type]) -> list[str]:
    if isinstance(annotation, TypeVar):
        return []  # of a generic message: looked at where it is filled in
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return ["." + inner for inner in bare_fields(annotation, seen)]
    if meaning_of(annotation) and not _mixed(annotation):
        return []
    arguments = [a for a in get_args(annotation) if a is not type(None)]
    if not arguments or get_origin(annotation) in (Literal, Annotated):
        return [] if meaning_of(annotation) else [f": {annotation}"]
    return [problem for argument in arguments for problem in _bare_type(argument, seen)]


def _mixed(annotation: Any) -> bool:
    return get_origin(annotation) not in (Annotated, Literal, None) and bool(get_args(annotation))
