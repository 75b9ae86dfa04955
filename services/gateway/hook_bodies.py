"""What the body of a hook call becomes: JSON as it is, a form's texts, and a file of all else."""

from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

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
        return _parts(body, _said(content_type or "").get_param("boundary"))
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


def _parts(body: bytes, boundary: Any) -> dict[str, Any]:
    """The parts of a form (RFC 7578): texts, and what has a file name or a type of its own."""
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise Malformed("the form names no boundary")
    first, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if not parts or not parts[-1].startswith(b"--") or first.strip():
        raise Malformed("the form can't be read: it does not end with its boundary")
    if len(parts) > PARTS_MAX + 1:
        raise Malformed(f"a form has at most {PARTS_MAX} parts (limit form_parts)")
    return _once_each([_part(part) for part in parts[:-1]])


def _part(part: bytes) -> tuple[str, Any]:
    head, found, content = part.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    fields = {name.strip().lower(): value.strip()
              for name, _, value in (line.partition(":") for line in lines[1:])}  # fmt: skip
    disposition = _said(fields.get("content-disposition", ""))
    name = disposition.get_param("name")
    if not found or lines[0].strip() or not isinstance(name, str):
        raise Malformed("a part of the form has no name")
    media = media_of(fields.get("content-type")) or TEXT
    if disposition.get_param("filename") is None and media == TEXT:
        try:
            return name, content.decode()
        except UnicodeDecodeError:
            raise Malformed("a text of the form is not UTF-8") from None
    fits = MEDIA_TYPE.fullmatch(media) and not media.startswith("multipart/")
    return name, Sent(media if fits else BYTES, content)


def _said(value: str) -> Message:
    """A header's value with its parameters."""
    message = Message()
    message["content-type"] = value
    return message


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
