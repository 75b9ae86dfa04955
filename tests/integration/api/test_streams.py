"""Streams over HTTP: nothing left out, nothing twice, nothing of others, closed with the right."""

import time
from contextlib import ExitStack

from tests_support.api import YAML, Api
from tests_support.sse import Heard, listening
from tests_support.stack import until
from tests_support.world import OPERATOR, World, sign_in

from services.gateway.streams import STREAMS_MAX

CUSTOM = "/v1/events/stream?type=custom.*"
NAPPING = """
troth: 1
name: napping
steps:
  - id: first
    set: {n: 1}
  - id: nap
    wait: {for: 1500ms}
  - id: last
    set: {n: 2}
output: {n: "${{ last.n }}"}
"""


def say(api: Api, *numbers: int) -> None:
    for n in numbers:
        api.post("/v1/events", {"type": "custom.said", "data": {"n": n}})


def said(heard: Heard) -> list[str]:
    return [event["id"] for event in heard.data]


def test_what_happens_comes_at_once_with_its_place(world: World) -> None:
    with listening(world.home.owner, "/v1/events/stream") as heard:
        begun = time.monotonic()
        say(world.home.owner, 1)
        heard.wait(lambda h: any("custom" in e["type"] for e in h.data))
        print(f"an event was in the stream {time.monotonic() - begun:.3f} s after it was sent")
        places = [int(place) for _, place, _ in heard.events if place]
        assert places == sorted(set(places))
        (event,) = [e for e in heard.data if "custom" in e["type"]]
        listed = world.home.owner.get("/v1/events?limit=200")["data"]
        assert event in listed, "the same as the list shows"


def test_who_comes_back_misses_nothing_and_gets_nothing_twice(world: World) -> None:
    api, path = world.home.owner, "/v1/events/stream?type=executor.event.custom-event-emitted"
    seen: list[str] = []
    with listening(api, path) as heard:
        say(api, *range(5))
        heard.wait(lambda h: len(h.data) >= 3)
    seen += said(heard)
    place = heard.events[-1][1]
    say(api, *range(5))
    with listening(api, path, place) as heard:
        say(api, *range(5))
        heard.wait(lambda h: len(h.data) + len(seen) >= 15)
        assert len(heard.events) == len(heard.data), "no reset"
    seen += said(heard)
    filters = "type=executor.event.custom-event-emitted&limit=15"
    listed = [event["id"] for event in api.get(f"/v1/events?{filters}")["data"]]
    assert seen == listed[::-1]


def test_a_place_that_the_feed_never_had_is_a_reset_and_it_goes_on(world: World) -> None:
    with listening(world.home.owner, "/v1/events/stream", "999999999") as heard:
        heard.wait(lambda h: h.kinds[:1] == ["reset"])
        say(world.home.owner, 1)
        heard.wait(lambda h: h.data)
    answer = world.home.owner.ask("GET", "/v1/events/stream", headers={"Last-Event-ID": "x y"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter")


def test_a_foreign_organization_sees_nothing_and_a_silent_stream_says_so(world: World) -> None:
    with listening(world.other.owner, "/v1/events/stream") as heard:
        say(world.home.owner, 1, 2)
        heard.wait(lambda h: h.comments >= 2)
        assert heard.data == []
    foreign = world.home.ids["execution"]
    answer = world.other.owner.ask("GET", f"/v1/executions/{foreign}/stream")
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


def test_a_revoked_key_closes_its_stream_within_seconds(world: World) -> None:
    key = world.key("events:read")
    listed = world.home.owner.get("/v1/api-keys?limit=1")["data"][0]
    with listening(key, "/v1/events/stream") as heard:
        assert world.home.owner.ask("DELETE", f"/v1/api-keys/{listed['id']}").status_code == 204
        begun = time.monotonic()
        heard.wait(lambda h: h.closed, 5)
        print(f"closed {time.monotonic() - begun:.2f} s after the key was revoked")
    assert key.ask("GET", "/v1/events/stream").status_code == 401


def test_who_loses_the_permission_loses_the_stream(world: World) -> None:
    gus = world.member("gus", "viewer")
    person = gus.get("/v1/me")["person"]["id"]
    with listening(gus, "/v1/events/stream") as heard:
        answer = world.home.owner.ask("DELETE", f"/v1/members/{person}")
        assert answer.status_code == 204
        heard.wait(lambda h: h.closed, 5)


def test_an_execution_is_seen_live_until_its_end_and_resumed_in_the_middle(world: World) -> None:
    api = world.home.owner
    made = api.post("/v1/workflows", content=NAPPING.encode(), headers={"content-type": YAML})
    api.post(f"/v1/workflows/{made['id']}/publish", {"draft_version": 1})
    execution = api.post("/v1/workflows/napping/executions", {})["execution"]
    path = f"/v1/executions/{execution}/stream"
    with listening(api, path) as heard:
        heard.wait(lambda h: "wait-began" in [e["kind"] for e in h.data])
        assert "finished" not in [e["kind"] for e in heard.data], "it still naps"
        heard.wait(lambda h: h.closed)
    assert heard.kinds[-1] == "end"
    timeline = api.get(f"/v1/executions/{execution}/timeline?limit=200")["data"]
    assert heard.data == timeline
    places = [place for kind, place, _ in heard.events if kind == "message"]
    assert len(set(places)) == len(places)
    for at, place in enumerate(places, 1):
        with listening(api, path, place) as again:
            again.wait(lambda h: h.closed)
        assert again.data == timeline[at:], place


def test_what_was_replayed_after_its_end_has_a_stream_that_ends(world: World) -> None:
    api = world.home.owner
    execution = world.home.ids["execution"]
    again = api.post(f"/v1/executions/{execution}/replay", {"from_step": "greeting"})
    path = f"/v1/executions/{execution}/stream"
    with listening(api, path) as heard:
        heard.wait(lambda h: h.closed, 5)
    assert (heard.kinds[-1], heard.data[-1]["kind"]) == ("end", "replayed")
    for after in (heard.events[0][1], heard.events[-2][1]):
        with listening(api, path, after) as later:
            later.wait(lambda h: h.closed, 5)
        assert later.kinds[-1] == "end"
    with listening(api, f"/v1/executions/{again['id']}/stream") as heard:
        heard.wait(lambda h: h.closed)


def test_a_closed_session_closes_its_stream_within_seconds(world: World) -> None:
    once = sign_in(world.public, OPERATOR["email"], 1, OPERATOR["password"])
    once.organization = world.home.id
    with listening(once, "/v1/events/stream") as heard:
        assert once.ask("DELETE", "/v1/sessions/current").status_code == 204
        heard.wait(lambda h: h.closed, 5)


def test_an_organization_has_so_many_streams_and_the_limit_has_a_name(world: World) -> None:
    api = world.other.owner
    assert api.get("/v1/instance")["limits"]["streams"] == STREAMS_MAX
    with ExitStack() as open_ones:
        for _ in range(STREAMS_MAX):
            stream = api.client.stream("GET", CUSTOM, headers=api.headers(None))
            assert open_ones.enter_context(stream).status_code == 200
        answer = api.ask("GET", CUSTOM)
        assert (answer.status_code, answer.json()["code"]) == (429, "too-many-streams")
        assert answer.json()["limit"] == "streams"
        with listening(world.home.owner, CUSTOM):
            pass
    freed = until(lambda: (answer := api.ask("GET", CUSTOM)).status_code == 200 and answer)
    assert freed.content.startswith(b"id: ")
    assert api.client.head("/v1/events/stream", headers=api.headers(None)).status_code == 200
