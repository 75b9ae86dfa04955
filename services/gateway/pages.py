"""Pages for people: rendered here, without scripts, under a policy that allows none."""

import mimetypes
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from libs.common.errors import NotFound
from services.gateway.call import Call

if TYPE_CHECKING:
    from jinja2 import Environment

HERE = Path(__file__).parent
STATIC = HERE / "static"
PAGE_POLICY = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    b" base-uri 'none'; frame-ancestors 'none'"
)
DOCS_POLICY = b"default-src 'self'; img-src 'self' data:; frame-ancestors 'none'"
HTML = "text/html"


@cache
def _templates() -> "Environment":
    """Loaded with the first page: a door that is only called by machines needs none of it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def page(call: Call, template: str, status: int = 200, **values: Any) -> Response:
    """A rendered page; everything in it is escaped."""
    call.request.scope["troth"].policy = PAGE_POLICY
    text = _templates().get_template(template).render(values)
    return Response(text, status, media_type=HTML)


def file(call: Call, path: Path, policy: bytes = PAGE_POLICY) -> Response:
    """A file that comes with us; kept by browsers for an hour."""
    if not path.is_file():
        raise NotFound()
    call.request.scope["troth"].policy = policy
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers = {"Cache-Control": "public, max-age=3600"}
    return Response(path.read_bytes(), headers=headers, media_type=kind)
