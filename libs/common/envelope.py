"""An event as customers see it: a CloudEvent with public ids, without what is sealed."""

from uuid import UUID

from libs.common import ids
from libs.common.fields import milliseconds
from libs.common.messages import EVENTS, Json, Recorded
from libs.common.shapes import public_data


def subject_of(stream: str) -> str:
    """`exe_2` of `execution-org_1-exe_2`; the organization when the stream is one of its own."""
    _, organization, *key = stream.split("-", 2)
    return key[0] if key else organization


def public_event(recorded: Recorded) -> Json | None:
    """None for what customers don't see: types that are not public, and the installation's own."""
    kind = EVENTS.get(recorded.type)
    if kind is None or not kind.public or recorded.organization == "instance":
        return None
    return {
        "specversion": "1.0", "id": ids.public("evt", UUID(recorded.id)),
        "type": recorded.type, "source": recorded.source,
        "subject": subject_of(recorded.subject), "time": milliseconds(recorded.time),
        "datacontenttype": "application/json",
        "dataschema": f"/schemas/{recorded.type}/{kind.version}",
        "organization": recorded.organization, "streamversion": recorded.streamversion,
        "requestid": recorded.requestid, "actor": recorded.actor,
        "data": public_data(kind, recorded.json()),
    }  # fmt: skip
