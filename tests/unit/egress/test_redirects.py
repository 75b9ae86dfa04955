"""A redirect is a new request: judged again, counted, and stripped of credentials."""

import pytest

from libs.egress import Client, EgressRefused, Policy

SECRETS = {
    "Authorization": "Bearer s3cret",
    "Cookie": "session=s3cret",
    "X-Api-Key": "s3cret",
    "Accept": "application/json",
    "Idempotency-Key": "exe_1:post",
}


@pytest.fixture
def redirect(answer):
    def build(location: str, status: str = "302 Found") -> bytes:
        return answer(status, b"", [f"Location: {location}"])

    return build


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{inside}/",
        "http://localhost:{inside}/",
        "http://127.1:{inside}/",
        "//127.0.0.1:{inside}/",
        "http://[::ffff:127.0.0.1]:{inside}/",
        "http://0:{inside}/",
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_to_another_port_inside_is_refused(
    target, status, listener, start_listener, redirect
):
    inside = await start_listener()
    listener.answers = [redirect(target.format(inside=inside.port), f"{status} Elsewhere")]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert refusal.value.rule == "not-public"
    assert (listener.connections, inside.connections) == (1, 0)


async def test_with_the_guard_off_the_redirect_is_followed(
    listener, start_listener, redirect, guard_off
):
    inside = await start_listener()
    listener.answers = [redirect(f"http://127.1:{inside.port}/")]

    async with Client(guard_off) as client:
        await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert inside.connections == 1


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("file:///etc/passwd", "scheme"),
        ("http://ada:secret@127.0.0.1/", "userinfo"),
        ("http://169.254.169.254/latest/meta-data/", "not-public"),
        ("http://127.0.0.1:99999/", "url"),
        ("http://[::1/", "url"),
    ],
)
async def test_a_redirect_is_read_as_strictly_as_the_first_url(target, rule, listener, redirect):
    listener.answers = [redirect(target)]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        with pytest.raises(EgressRefused) as refusal:
            await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert refusal.value.rule == rule


async def test_a_redirect_stays_within_the_documents_list(listener, start_listener, redirect):
    other = await start_listener()
    listener.answers = [redirect(f"http://localhost:{other.port}/")]
    policy = Policy([f"127.0.0.1:{listener.port}", f"localhost:{other.port}"])

    url = f"http://127.0.0.1:{listener.port}/"

    async with Client(policy) as client:
        with pytest.raises(EgressRefused, match="localhost: host-not-listed"):
            await client.request("GET", url, hosts=["127.0.0.1"])

    assert other.connections == 0


async def test_five_redirects_are_followed_and_a_sixth_is_not(listener, redirect, answer):
    listener.answers = [redirect(f"/{n}") for n in range(5)] + [answer()]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        response = await client.request("GET", f"http://127.0.0.1:{listener.port}/")
        assert response.url == f"http://127.0.0.1:{listener.port}/4"

        listener.answers = [redirect("/again")]
        with pytest.raises(EgressRefused, match="redirects"):
            await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert len(listener.requests) == 6 + 6


async def test_credentials_do_not_cross_to_another_origin(listener, start_listener, redirect):
    other = await start_listener()
    listener.answers = [redirect(f"http://127.0.0.1:{other.port}/")]
    policy = Policy([f"127.0.0.1:{listener.port}", f"127.0.0.1:{other.port}"])

    async with Client(policy) as client:
        await client.request("GET", f"http://127.0.0.1:{listener.port}/", SECRETS)

    assert listener.requests[0].count(b"s3cret") == 3
    assert b"s3cret" not in other.requests[0]
    assert b"accept: application/json" in other.requests[0]
    assert b"idempotency-key: exe_1:post" in other.requests[0]


async def test_credentials_stay_within_one_origin(listener, redirect, answer):
    listener.answers = [redirect("/elsewhere"), answer()]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        await client.request("GET", f"http://127.0.0.1:{listener.port}/", SECRETS)

    assert listener.requests[1].count(b"s3cret") == 3


@pytest.mark.parametrize(
    ("status", "method", "second", "has_body"),
    [
        (307, "POST", b"POST", True),
        (308, "PUT", b"PUT", True),
        (303, "POST", b"GET", False),
        (303, "HEAD", b"HEAD", False),
        (302, "POST", b"GET", False),
        (301, "POST", b"GET", False),
        (301, "DELETE", b"DELETE", False),
    ],
)
async def test_the_method_after_a_redirect_is_what_the_status_says(
    status, method, second, has_body, listener, redirect
):
    last = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    listener.answers = [redirect("/next", f"{status} Elsewhere"), last]
    content = b'{"a": 1}' if method in ("POST", "PUT") else None

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        await client.request(method, f"http://127.0.0.1:{listener.port}/", content=content)

    assert listener.requests[1].startswith(second + b" /next HTTP/1.1\r\n")
    assert listener.requests[1].endswith(b'{"a": 1}') == has_body


async def test_a_redirect_without_a_target_is_the_answer(listener, answer):
    listener.answers = [answer("304 Not Modified", b"")]

    async with Client(Policy([f"127.0.0.1:{listener.port}"])) as client:
        response = await client.request("GET", f"http://127.0.0.1:{listener.port}/")

    assert response.status == 304
