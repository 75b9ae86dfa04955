"""Notes who reads the trail: that is what carries it away, and makes one entry an hour."""

from libs.common.looks import Looks
from libs.common.messages import Meta
from services.audit.contract import TrailRead

KIND, THING = "read", "trail"


def trail_read(looks: Looks, what: str, meta: Meta) -> None:
    looks.note(KIND, THING, TrailRead.model_validate({"what": what}), meta)
