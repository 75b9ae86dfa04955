"""What OCSF 1.3 requires of an event of the classes that entries become."""

from typing import Any

from services.audit import ocsf

REQUIRED = ("activity_id", "category_uid", "class_uid", "metadata", "severity_id", "time",
            "type_uid")  # fmt: skip


def complete(event: dict[str, Any]) -> dict[str, Any]:
    """What base event and class require (OCSF 1.3)."""
    for name in REQUIRED:
        assert name in event
    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
    assert {"version", "product"} <= set(event["metadata"])
    assert {"ip", "name", "svc_name"} & set(event["src_endpoint"])
    assert {"user", "app_name"} & set(event["actor"])
    if event["class_uid"] == ocsf.API_ACTIVITY:
        assert event["category_uid"] == 6
        assert event["api"]["operation"]
    else:
        assert (event["class_uid"], event["category_uid"]) == (ocsf.AUTHENTICATION, 3)
        assert event["user"] and event["service"]
    return event
