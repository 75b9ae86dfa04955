"""The refusals of workflows."""

from libs.common.errors import Conflict, Forbidden, Rejected


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


class TestsFailed(Rejected):
    """The document's own tests do not pass; `errors` has what differs, case by case."""

    __test__ = False
    code = "tests-failed"


class GoldenDiffers(Rejected):
    """Past executions would go another way; `errors` has the first step that differs of each."""

    code = "golden-replay-differs"


class NothingToPublish(Rejected):
    code = "nothing-to-publish"


class LimitReached(Conflict):
    """An organization has as many of these as it may have; `limit` in extra."""

    code = "limit-reached"


class ReviewNeeded(Conflict):
    """The organization publishes with four eyes; `review` in extra is the one that is there."""

    code = "review-needed"


class ReviewVoid(Conflict):
    """What was to be reviewed has changed, or another review was asked for."""

    code = "review-void"


class AlreadyDecided(Conflict):
    code = "already-decided"


class OwnChange(Forbidden):
    """Who wrote a change does not review it."""

    code = "own-change"


class PersonNeeded(Forbidden):
    code = "person-needed"
