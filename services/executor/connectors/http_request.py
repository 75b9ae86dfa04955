"""`http-request@1`: one HTTP request through the egress guard."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from libs.common.errors import NotFound
from libs.common.fields import MEDIA_TYPE
from libs.egress import EgressFailed, EgressRefused, Response, Streamed
from libs.egress.client import BODY_MAX_BYTES
from services.executor.connectors.connector import Attempt, Connector, Files, Outcome
from services.executor.contract import FILE_BYTES_MAX, REFERENCE, FilesFull
from services.executor.failure import REPEATABLE, StepFailed

Scalar = str | int | float | bool
Header = Annotated[str, Field(max_length=8192)]


class FileValue(BaseModel):
    """What stands for a file, as an upload or a step with `as_file` gave it."""

    model_config = ConfigDict(populate_by_name=True, extra="allow")

    file: str = Field(alias=REFERENCE, pattern=r"^file_[0-9a-z]{1,40}$")


class Inputs(BaseModel):
    """At most one of `json`, `text`, `form`, `file`; with `as_file` the answer becomes a file."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: str = Field(max_length=4096)
    headers: dict[str, Header] = {}
    query: dict[str, Scalar] = {}
    json_: JsonValue = Field(default=None, alias="json")
    text: str | None = None
    form: dict[str, Scalar] | None = None
    file: FileValue | None = None
    as_file: bool = False


class Outputs(BaseModel):
    """`json` is null when the body is none; names of headers are in lower case. With `as_file`
    the body is only in `file`, which is there then."""

    model_config = ConfigDict(populate_by_name=True)

    status: int
    headers: dict[str, str]
    json_: JsonValue = Field(default=None, alias="json")
    text: str
    size_bytes: int
    file: FileValue | None = None


async def run(request: Any, attempt: Attempt) -> Outcome:
    inputs = Inputs.model_validate(request)
    headers = {name.lower(): value for name, value in inputs.headers.items()}
    content, kind = _content(inputs, "json" in request)
    if inputs.file is not None:
        content, kind = await _sent(inputs.file.file, attempt)
    if kind is not None:
        headers.setdefault("content-type", kind)
    headers.setdefault("idempotency-key", attempt.idempotency_key)
    writer = _files(attempt).writer() if inputs.as_file else None
    try:
        response = await attempt.client.request(
            inputs.method, _url(inputs), headers, content, attempt.timeout_s, hosts=attempt.hosts,
            max_bytes=BODY_MAX_BYTES if writer is None else FILE_BYTES_MAX,
            into=None if writer is None else writer.write,
        )  # fmt: skip
    except FilesFull as full:
        raise StepFailed("output-too-large", str(full)) from None
    except EgressRefused as refused:
        failure = StepFailed("egress-refused", str(refused))
        failure.host, failure.rule = refused.host[:255] or "none", refused.rule
        raise failure from None
    except EgressFailed as failed:
        kind = {"timeout": "timeout", "too-large": "output-too-large"}.get(
            failed.kind, "connection"
        )
        raise StepFailed(kind, str(failed)) from None
    if response.status >= 400:
        raise _refused(response)
    made = _outputs(response)
    if writer is not None and response.status < 300:
        file = await writer.close(_media_type(response.headers.get("content-type", "")))
        made |= {"file": file, "size_bytes": file["size_bytes"]}
    return Outcome(made, response.status)


async def _sent(file: str, attempt: Attempt) -> tuple[Streamed, str]:
    """The file's content as a body. Raises StepFailed when it is not there."""
    files = _files(attempt)
    try:
        row = await files.find(file)
    except NotFound:
        raise StepFailed("input-invalid", f"there is no file {file}") from None
    return Streamed(row.size_bytes, lambda: files.read(row)), row.media_type


def _files(attempt: Attempt) -> Files:
    if attempt.files is None:
        raise StepFailed("input-invalid", "there are no files here")
    return attempt.files


def _media_type(header: str) -> str:
    """As files have it; what is none is bytes."""
    found = header.partition(";")[0].strip().lower()
    return found if MEDIA_TYPE.fullmatch(found) else "application/octet-stream"


def _content(inputs: Inputs, has_json: bool) -> tuple[bytes | None, str | None]:
    given = [has_json, inputs.text is not None, inputs.form is not None, inputs.file is not None]
    if sum(given) > 1:
        raise StepFailed("input-invalid", "with: only one of json, text, form and file")
    if has_json:
        return msgspec.json.encode(inputs.json_), "application/json"
    if inputs.text is not None:
        return inputs.text.encode(), "text/plain; charset=utf-8"
    if inputs.form is not None:
        return urlencode(inputs.form).encode(), "application/x-www-form-urlencoded"
    return None, None


def _url(inputs: Inputs) -> str:
    if not inputs.query:
        return inputs.url
    parts = urlsplit(inputs.url)
    query = "&".join(part for part in (parts.query, urlencode(inputs.query)) if part)
    return urlunsplit(parts._replace(query=query))


def _refused(response: Response) -> StepFailed:
    kind = "client-error"
    if response.status == 429:
        kind = "rate-limited"
    elif response.status >= 500:
        kind = "server-error"
    after = response.headers.get("retry-after", "")
    return StepFailed(
        kind, f"status {response.status}: {response.body[:2000].decode(errors='replace')}",
        status=response.status,
        retry_after_s=min(float(after), 86_400.0) if after.isdigit() else None,
    )  # fmt: skip


def _outputs(response: Response) -> dict[str, Any]:
    text = response.body.decode(errors="replace")
    parsed: Any = None
    if text and "json" in response.headers.get("content-type", "json"):
        try:
            parsed = msgspec.json.decode(response.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            parsed = None
    return {
        "status": response.status, "headers": response.headers, "json": parsed, "text": text,
        "size_bytes": len(response.body),
    }  # fmt: skip


def _host(request: Any) -> str:
    try:
        return (urlsplit(str(request.get("url", ""))).hostname or "none")[:255]
    except ValueError:
        return "none"


http_request = Connector(
    type="http-request", version=1, title="HTTP request", effect="write", inputs=Inputs,
    outputs=Outputs, run=run,
    repeatable=lambda request: request.get("method", "GET") in REPEATABLE, host=_host,
)  # fmt: skip
