"""Field types: each carries data class, category, purpose, legal basis, retention and subject."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, Field, JsonValue, PlainSerializer
from pydantic.fields import FieldInfo

from libs.common.purposes import Basis, Kept, Purpose, Subject


class DataClass(StrEnum):
    NONE = "none"
    INDIRECT = "indirect"
    DIRECT = "direct"
    FREE_TEXT = "free-text"
    SPECIAL = "special"
    SECRET = "secret"  # noqa: S105 - the name of a class of data, not a secret


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a value is about; nothing has a default, so that each type states all of it.

    `sealed` says that only its ciphertext may be stored.
    """

    data_class: DataClass
    category: str
    subject: Subject
    purpose: Purpose
    basis: Basis
    retention: Kept | str
    sealed: bool


def in_record(
    data_class: DataClass, category: str, subject: Subject, *, sealed: bool = False
) -> Meaning:
    """Processed for what the record is for that the value stands in, and kept as long."""
    return Meaning(
        data_class, category, subject, Purpose.ITS_RECORD, Basis.ITS_RECORD, Kept.ITS_RECORD, sealed
    )


def plain(category: str) -> Meaning:
    return in_record(DataClass.NONE, category, Subject.NOBODY)


def indirect(category: str, subject: Subject = Subject.ORGANIZATION) -> Meaning:
    return in_record(DataClass.INDIRECT, category, subject)


def _sealed(data_class: DataClass, category: str, subject: Subject) -> Meaning:
    return in_record(data_class, category, subject, sealed=True)


def _passing(data_class: DataClass, category: str, subject: Subject, purpose: Purpose) -> Meaning:
    """What comes in or goes out over TLS and is never stored as it is."""
    return Meaning(data_class, category, subject, purpose, Basis.CONTRACT, Kept.NEVER, False)


def _id(prefix: str) -> Any:
    return Field(pattern=rf"^{prefix}_[0-9a-z]{{1,40}}$", max_length=48)


MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")

# Ids
OrganizationId = Annotated[str, Field(max_length=48), indirect("organization id")]
PersonId = Annotated[str, _id("per"), indirect("person id", Subject.PERSON)]
SessionId = Annotated[str, _id("ses"), indirect("session id", Subject.PERSON)]
ApiKeyId = Annotated[str, _id("key"), indirect("API key id")]
InvitationId = Annotated[str, _id("inv"), plain("invitation id")]
SignInLinkId = Annotated[str, _id("lnk"), plain("sign-in link id")]
WorkflowId = Annotated[str, _id("wf"), plain("workflow id")]
ExecutionId = Annotated[str, _id("exe"), indirect("execution id")]
CallId = Annotated[str, _id("call"), indirect("trigger call id")]
SubscriptionId = Annotated[str, _id("sub"), plain("event subscription id")]
DeliveryId = Annotated[str, _id("del"), plain("delivery id")]
SiemStreamId = Annotated[str, _id("siem"), plain("SIEM stream id")]
ApprovalId = Annotated[str, _id("apv"), indirect("approval id")]
OperationId = Annotated[str, _id("op"), indirect("operation id")]
NotificationId = Annotated[str, _id("ntf"), plain("notification id")]
ReviewId = Annotated[str, _id("rev"), plain("review id")]
FileId = Annotated[str, _id("file"), indirect("keyed digest of a file")]
UploadId = Annotated[str, _id("upl"), plain("upload id")]
EventId = Annotated[str, Field(max_length=48), plain("event id")]
KeyId = Annotated[str, Field(max_length=64), plain("data key id")]
OwnerId = Annotated[str, Field(max_length=48), indirect("owner of a data key", Subject.PERSON)]
Actor = Annotated[str, Field(max_length=64), indirect("who acted", Subject.PERSON)]
StreamName = Annotated[str, Field(max_length=200), indirect("log stream")]


# Values that say nothing about anybody
def milliseconds(value: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as everywhere in the API."""
    in_utc = value if value.tzinfo is UTC else value.astimezone(UTC)
    return in_utc.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"


Moment = Annotated[
    datetime, PlainSerializer(milliseconds, return_type=str, when_used="json"), plain("time")
]
Count = Annotated[int, Field(ge=0), plain("count")]
Number = Annotated[int, plain("number")]
Version = Annotated[int, Field(ge=0), plain("version")]
Bytes = Annotated[int, Field(ge=0), plain("size in bytes")]
Milliseconds = Annotated[int, Field(ge=0), plain("length of time in milliseconds")]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), plain("day in UTC")]
Seconds = Annotated[float, Field(ge=0), plain("length of time in seconds")]
Flag = Annotated[bool, plain("yes or no")]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/*@-]*$", max_length=120), plain("word")]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"), plain("name in a document")]
StepPath = Annotated[str, Field(max_length=400), plain("place of a step in a document")]
HttpPath = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9/_-]{0,127}$"), plain("path of a hook, from a document")
]
QueryName = Annotated[str, Field(max_length=100), plain("name of a query value, from a document")]
LabelText = Annotated[str, Field(max_length=100), plain("label, from a document")]
CronLine = Annotated[str, Field(max_length=200), plain("cron line, from a document")]
ZoneName = Annotated[str, Field(max_length=64), plain("time zone, from a document")]
Slug = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]{0,62}$"), indirect("short name of an organization")
]
OrganizationRef = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$"), indirect("organization id or short name")
]
HostName = Annotated[str, Field(max_length=255), indirect("host name")]
PolicyVersion = Annotated[str, Field(max_length=20), plain("version of a policy")]
TraceParent = Annotated[str, Field(max_length=64), plain("trace context")]
RequestId = Annotated[str, Field(max_length=64), indirect("request id")]
Pointer = Annotated[str, Field(max_length=400), plain("pointer into a document")]
Digest = Annotated[str, Field(max_length=128), indirect("keyed digest")]
ResourceAddress = Annotated[str, Field(max_length=400), plain("address of a resource")]
PublicSubject = Annotated[str, Field(max_length=200), indirect("what an event is about")]
PlainValue = Annotated[
    Annotated[str, Field(max_length=200)] | int | bool, plain("value of a field of class none")
]
OpenJson = Annotated[JsonValue, indirect("data of a public event, without what is sealed")]
PlainJson = Annotated[JsonValue, indirect("ids, names and numbers of a read model, no content")]

# Values that only their ciphertext may stand for
SealedText = Annotated[str, _sealed(DataClass.FREE_TEXT, "text", Subject.OTHERS)]
SealedJson = Annotated[str, _sealed(DataClass.FREE_TEXT, "value", Subject.OTHERS)]
SealedBytes = Annotated[str, _sealed(DataClass.FREE_TEXT, "content", Subject.OTHERS)]
SealedUrl = Annotated[str, _sealed(DataClass.FREE_TEXT, "URL", Subject.OTHERS)]
SealedOrganizationName = Annotated[
    str, _sealed(DataClass.DIRECT, "organization name", Subject.ORGANIZATION)
]
SealedPersonName = Annotated[str, _sealed(DataClass.DIRECT, "name", Subject.PERSON)]
SealedEmail = Annotated[str, _sealed(DataClass.DIRECT, "e-mail address", Subject.PERSON)]
SealedOrigin = Annotated[str, Meaning(
    DataClass.DIRECT, "address and user agent", Subject.PERSON, Purpose.SECURITY,
    Basis.LEGITIMATE_INTEREST, Kept.TRAIL_DETAIL, sealed=True)]  # fmt: skip
PasswordHash = Annotated[
    str,
    Field(pattern=r"^\$2b\$\d\d\$"),
    in_record(DataClass.SECRET, "password hash", Subject.PERSON),
]
SealedSecret = Annotated[str, _sealed(DataClass.SECRET, "secret", Subject.ORGANIZATION)]

# What comes in by a command or goes out in an answer, over TLS, and is never stored as it is
_NAME = _passing(DataClass.DIRECT, "name", Subject.PERSON, Purpose.ACCOUNTS)
_EMAIL = _passing(DataClass.DIRECT, "e-mail address", Subject.PERSON, Purpose.ACCOUNTS)
_PASSWORD = _passing(DataClass.SECRET, "password", Subject.PERSON, Purpose.ACCOUNTS)


def _content(data_class: DataClass, category: str) -> Meaning:
    return _passing(data_class, category, Subject.OTHERS, Purpose.WORKFLOWS)


PersonName = Annotated[str, Field(min_length=1, max_length=200), _NAME]
Email = Annotated[str, Field(min_length=3, max_length=254), _EMAIL]
Title = Annotated[str, Field(min_length=1, max_length=200), _content(DataClass.FREE_TEXT, "title")]
FreeText = Annotated[str, Field(max_length=4000), _content(DataClass.FREE_TEXT, "text")]
DocumentText = Annotated[str, Field(max_length=262_144), _content(DataClass.FREE_TEXT, "document")]
Url = Annotated[str, Field(max_length=2000), _content(DataClass.FREE_TEXT, "URL")]
AnyJson = Annotated[JsonValue, _content(DataClass.FREE_TEXT, "value")]
SecretText = Annotated[str, Field(max_length=65_536), _content(DataClass.SECRET, "secret")]
Password = Annotated[str, Field(min_length=1, max_length=1024), _PASSWORD]
Label = Annotated[str, Field(max_length=63), plain("label")]
ONE_OF_A_LIST = plain("one of a list")
MediaType = Annotated[str, Field(pattern=f"^{MEDIA_TYPE.pattern}$"), plain("media type")]


def meaning_of(annotation: Any, metadata: tuple[Any, ...] | list[Any] = ()) -> Meaning | None:
    """The meaning that a field's type carries, also inside `X | None` and `list[X]`."""
    for item in metadata:
        if isinstance(item, Meaning):
            return item
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return ONE_OF_A_LIST
    if get_origin(annotation) is Annotated:
        base, *rest = get_args(annotation)
        return meaning_of(base, rest)
    if get_origin(annotation) is Literal:
        return ONE_OF_A_LIST
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
