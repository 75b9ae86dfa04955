"""That somebody read the trail; who, when and from where stand in the envelope.

Part of `services.audit.contract`, where others find it.
"""

from typing import Literal

from libs.common.messages import Event


class TrailRead(Event, type="audit.event.trail-read"):
    """The first time in an hour that a reader looks into a trail; `what` was read then."""

    what: Literal["search", "entry", "proof", "export", "case"]
