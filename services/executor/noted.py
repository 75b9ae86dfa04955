"""Facts that need no decision, with the answer of the command that says them."""

from libs.common.decider import Decider
from libs.common.messages import Event

# Carrying such a command out twice does no harm.
NOTED: Decider[list[Event], None] = Decider(None, lambda facts, _: facts, lambda state, _: state)
