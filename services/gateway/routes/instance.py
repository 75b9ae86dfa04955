"""This installation: setting it up once, what it is, what it allows."""

from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from libs.common.process import VERSION
from services.executor.contract import CUSTOM_BYTES_MAX
from services.gateway import rates
from services.gateway.access import Anybody, SignedIn
from services.gateway.bodies import BODY_MAX, BodyOf
from services.gateway.call import WAIT_MAX_S, json_response
from services.gateway.contracts import DoorShown, LimitsShown
from services.gateway.hook_bodies import FILE_BODY_MAX, PARTS_MAX
from services.gateway.parameters import VALUES_MAX
from services.gateway.routing import Routes
from services.gateway.starts import UNANSWERED_MAX
from services.gateway.streams import STREAMS_MAX
from services.gateway.strict_json import DEPTH_MAX
from services.identity.contract import FindInstance, InstanceShown, SetUpInstance, SetUpShown
from services.workflows.contract import SECRETS_MAX, VARIABLES_MAX

routes = Routes("instance")
HEADERS_MAX = 16 * 1024
LIMITS = LimitsShown(
    body_bytes=BODY_MAX, document_bytes=256 * 1024, document_steps=500, document_depth=10,
    headers_bytes=HEADERS_MAX, json_depth=DEPTH_MAX, list_limit=200, filter_values=VALUES_MAX,
    hook_file_bytes=FILE_BODY_MAX, form_parts=PARTS_MAX,
    api_per_s=int(rates.API.per_s), api_burst=rates.API.burst, hooks_per_s=500,
    custom_events_per_s=int(rates.CUSTOM_EVENTS.per_s), custom_event_bytes=CUSTOM_BYTES_MAX,
    unanswered_starts=UNANSWERED_MAX, sign_in_per_minute_account=rates.SIGN_IN_ACCOUNT.burst,
    sign_in_per_minute_address=rates.SIGN_IN_ADDRESS.burst, prefer_wait_s=WAIT_MAX_S,
    subscriptions=20, streams=STREAMS_MAX, secrets=SECRETS_MAX, variables=VARIABLES_MAX,
    api_keys=50, invitations=50,
)  # fmt: skip


@routes.get("/v1/instance", DoorShown)
async def find_instance(call: SignedIn) -> Response:
    """Version, region, features, and every limit."""
    found = (await call.ask(FindInstance)).as_a(InstanceShown)
    limits = LIMITS.model_copy(update={"hooks_per_s": call.door.settings.hooks_per_s})
    shown = DoorShown(
        version=VERSION, region=call.door.settings.region, set_up=found.set_up,
        sign_up=found.sign_up, features=["webhooks", "event-subscriptions"], limits=limits,
    )  # fmt: skip
    return json_response(shown.model_dump_json().encode(), 200)


@routes.post("/v1/instance/setup", SetUpShown, status=201,
             refuses=("set-up-already", "credential-invalid", "password-refused"))  # fmt: skip
async def set_up_instance(
    call: Anybody, body: Annotated[dict[str, Any], Depends(BodyOf(SetUpInstance))]
) -> Response:
    """Makes the operator of the installation, with the one-time token of `troth up`. Once."""
    return await call.carry_out(SetUpInstance, **body)
