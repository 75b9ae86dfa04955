"""What the executor refuses."""

from libs.common.errors import Conflict, Forbidden, NotFound, Rejected, TooMany


class ExecutionEnded(Conflict):
    code = "execution-ended"


class HookNotFound(NotFound):
    code = "hook-not-found"


class NothingToResend(Rejected):
    code = "nothing-to-resend"


class NotPaused(Conflict):
    code = "not-paused"


class ApprovalClosed(Conflict):
    code = "approval-closed"


class ApprovalChanged(Conflict):
    """Somebody has changed the input that the decision is about."""

    code = "approval-changed"


class AlreadyDecided(Conflict):
    code = "already-decided"


class PersonNeeded(Forbidden):
    """An API key wants to decide what people are asked."""

    code = "person-needed"


class TooManyRunning(TooMany):
    code = "too-many-running"


class RateReached(TooMany):
    code = "rate-limited"


class EventLoop(Conflict):
    code = "event-loop"


class UnknownStep(Rejected):
    """There is no such step to begin at, or none that can be."""

    code = "unknown-step"


class NotCompatible(Conflict):
    """What was recorded does not fit the other version; `errors` say why, step by step."""

    code = "not-compatible"


class ExecutionRunning(Conflict):
    """It runs at this moment: pause it first."""

    code = "execution-running"
