"""What the executor refuses."""

from libs.common.errors import Conflict, NotFound, Rejected


class ExecutionEnded(Conflict):
    code = "execution-ended"


class HookNotFound(NotFound):
    code = "hook-not-found"


class NothingToResend(Rejected):
    code = "nothing-to-resend"
