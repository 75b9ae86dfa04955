"""What the body of a hook call becomes: JSON as it is, a form's texts, and a file of all else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from libs.common import ids
from libs.common.chunks import Cutter, seal_piece
from libs.common.errors import FieldProblem, Malformed, Unavailable
from libs.common.fields import MEDIA_TYPE
from libs.common.messages import Meta
from libs.common.privacy import Forgotten
from services.executor.contract import FileShown, StoreFile, StorePiece, file_stream
from services.executor.work import PURPOSE
from services.gateway.arrived import Arrived
from services.gateway.bodies import BODY_MAX
from services.gateway.refusals import MediaTypeUnsupported
from services.gateway.starts import raw
from services.gateway.strict_json import loads
from services.workflows.contract import HookFound

if TYPE_CHECKING:
    from services.gateway.door import Door

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data"
TEXT, BYTES = "text/plain", "application/octet-stream"
# A body is held whole until its signature was checked: nothing of a stranger's is stored.
FILE_BODY_MAX = 1024 * 1024
FIELDS_MAX, PARTS_MAX = 1000, 100


@dataclass(frozen=True, slots=True)
class Sent:
    """A content that becomes a file."""

    media_type: str
    content: bytes


def media_of(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def becomes_a_value(content_type: str | None) -> bool:
    """Whether the body is small and a value: JSON, or the fields of a form."""
    media = media_of(content_type)
    return not media or _is_json(media) or media == FORM


def limit_of(content_type: str | None) -> int:
    return BODY_MAX if becomes_a_value(content_type) else FILE_BODY_MAX


def _is_json(media: str) -> bool:
    return media.startswith("application/") and media.endswith(("/json", "+json"))


def payload_of(
    hook: HookFound, headers: dict[str, str], body: bytes, query: bytes
) -> dict[str, Any]:
    """Body, and the headers and query values that the trigger lists; checked, not interpreted."""
    payload: dict[str, Any] = {"body": _body(headers.get("content-type"), body)}
    payload["headers"] = {name: headers[name] for name in hook.headers if name in headers}
    values = dict(parse_qsl(query.decode("latin-1"), max_num_fields=100)) if hook.query else {}
    payload["query"] = {name: values[name] for name in hook.query if name in values}
    return payload


def _body(content_type: str | None, body: bytes) -> Any:
    if not body and content_type is None:
        return {}
    media = media_of(content_type)
    if _is_json(media):
        loads(body)
        return raw(body)
    if media == FORM:
        return _form(body)
    if media == PARTS:
        return _parts(body, parse_options_header(content_type or "")[1].get("boundary"))
    if MEDIA_TYPE.fullmatch(media) and not media.startswith("multipart/"):
        return Sent(media, body)
    problem = FieldProblem(
        pointer="Content-Type", rule="media-type",
        detail="application/json, a form, or the media type of a file",
    )  # fmt: skip
    raise MediaTypeUnsupported("a hook takes JSON, a form, or one file", errors=[problem])


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict"
        )
    except ValueError:
        raise Malformed("the form can't be read") from None
    return _once_each(pairs)


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Malformed("a field of the form comes twice")
    return found


def _parts(body: bytes, boundary: str | None) -> dict[str, Any]:
    """The parts of a form (RFC 7578): texts, and what has a file name or a type of its own."""
    if not boundary:
        raise Malformed("the form names no boundary")
    found: list[tuple[str, Any]] = []
    try:
        with PushMultipartParser(boundary, max_segment_count=PARTS_MAX, strict=True) as parser:
            segment, content = None, b""
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    segment, content = event, b""
                elif event is not None:
                    content = bytes(event)  # all of it: the body came in one piece
                elif segment is not None:
                    found.append(_part(segment, content))
    except ParserLimitReached as error:
        limits = f"at most {PARTS_MAX} parts, each with few and short headers (limit form_parts)"
        raise Malformed(f"a form has {limits}: {error}") from None
    except MultipartError as error:
        raise Malformed(f"the form can't be read: {error}") from None
    if not found:
        raise Malformed("the form has no part")
    return _once_each(found)


def _part(segment: MultipartSegment, content: bytes) -> tuple[str, Any]:
    media = media_of(segment.content_type) or TEXT
    if segment.filename is None and media == TEXT:
        try:
            return segment.name or "", content.decode()
        except UnicodeDecodeError:
            raise Malformed("a text of the form is not UTF-8") from None
    fits = MEDIA_TYPE.fullmatch(media) and not media.startswith("multipart/")
    return segment.name or "", Sent(media if fits else BYTES, content)


async def store_files(
    door: "Door", organization: str, payload: dict[str, Any], arrived: Arrived
) -> None:
    """Puts what stands for a file in the place of each content. Raises FilesFull, Unavailable."""
    body = payload["body"]
    if isinstance(body, Sent):
        payload["body"] = await _store(door, organization, body, arrived)
    elif isinstance(body, dict):
        for name, sent in body.items():
            if isinstance(sent, Sent):
                body[name] = await _store(door, organization, sent, arrived)


async def _store(door: "Door", organization: str, sent: Sent, arrived: Arrived) -> Any:
    """Sealed here, piece by piece, before anything is on the bus."""
    meta = Meta.system(
        "webhook", organization, permissions=frozenset({"executions:start"}),
        request_id=arrived.request_id, origin=arrived.sealed_origin(door.origins),
        traceparent=arrived.traceparent,
    )  # fmt: skip
    try:
        key = await door.keys.key(organization, PURPOSE)
    except Forgotten:
        raise Unavailable("the organization's keys are gone", part="identity") from None
    upload, cutter = ids.new("upl"), Cutter(FILE_BODY_MAX)
    for number, piece in [*cutter.feed(sent.content), *cutter.rest()]:
        sealed = seal_piece(key, file_stream(organization, upload), number, piece)
        await door.bus.ask(StorePiece(upload=upload, number=number, body=sealed), meta)
    said = StoreFile(
        upload=upload, file=f"file_{cutter.address(key, sent.media_type)}",
        media_type=sent.media_type, size_bytes=cutter.size, pieces=cutter.count,
    )  # fmt: skip
    return (await door.bus.ask(said, meta)).as_a(FileShown).value
