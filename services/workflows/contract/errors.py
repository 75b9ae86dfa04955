"""The refusals of workflows."""

from libs.common.errors import Conflict, Rejected


class WorkflowExists(Conflict):
    code = "workflow-exists"


class AlreadyArchived(Conflict):
    code = "workflow-archived"


class PathTaken(Conflict):
    """Another workflow of the organization has this hook path."""

    code = "path-taken"


class SecretInUse(Conflict):
    """`workflows` in extra lists who uses it: `[{"id", "name", "in": "draft"|"published"}]`."""

    code = "secret-in-use"


class WorkflowInvalid(Rejected):
    code = "workflow-invalid"


class NothingToPublish(Rejected):
    code = "nothing-to-publish"


class LimitReached(Conflict):
    """An organization has as many of these as it may have; `limit` in extra."""

    code = "limit-reached"
