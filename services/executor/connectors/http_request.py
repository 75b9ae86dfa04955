"""`http-request@1`: one HTTP request through the egress guard."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from libs.egress import EgressFailed, EgressRefused, Response
from services.executor.connectors.connector import Attempt, Connector, Outcome
from services.executor.failure import REPEATABLE, StepFailed

Scalar = str | int | float | bool
Header = Annotated[str, Field(max_length=8192)]


class Inputs(BaseModel):
    """At most one of `json`, `text`, `form`."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = "GET"
    url: str = Field(max_length=4096)
    headers: dict[str, Header] = {}
    query: dict[str, Scalar] = {}
    json_: JsonValue = Field(default=None, alias="json")
    text: str | None = None
    form: dict[str, Scalar] | None = None


class Outputs(BaseModel):
    """`json` is null when the body is none; names of headers are in lower case."""

    model_config = ConfigDict(populate_by_name=True)

    status: int
    headers: dict[str, str]
    json_: JsonValue = Field(default=None, alias="json")
    text: str
    size_bytes: int


async def run(request: Any, attempt: Attempt) -> Outcome:
    inputs = Inputs.model_validate(request)
    headers = {name.lower(): value for name, value in inputs.headers.items()}
    content, kind = _content(inputs, "json" in request)
    if kind is not None:
        headers.setdefault("content-type", kind)
    headers.setdefault("idempotency-key", attempt.idempotency_key)
    try:
        response = await attempt.client.request(
            inputs.method, _url(inputs), headers, content, attempt.timeout_s, hosts=attempt.hosts
        )
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
    return Outcome(_outputs(response), response.status)


def _content(inputs: Inputs, has_json: bool) -> tuple[bytes | None, str | None]:
    given = [has_json, inputs.text is not None, inputs.form is not None]
    if sum(given) > 1:
        raise StepFailed("input-invalid", "with: only one of json, text and form")
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
