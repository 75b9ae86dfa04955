"""What executions of the load wait for: somebody says events, and decides what is asked."""

import asyncio
import contextlib

import httpx

PAUSE_S = 0.5
TRIES_S = 90.0


async def say_paid(client: httpx.AsyncClient, token: str, order: str) -> None:
    """Says the event of an order until somebody has taken it; said twice it is one event."""
    said = {"type": "custom.paid", "id": f"paid-{order}", "data": {"order": order}}
    async with asyncio.timeout(TRIES_S):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post("/v1/events", json=said, headers=_as(token))
                if answer.status_code == 201:
                    return
            await asyncio.sleep(PAUSE_S)


async def decide(client: httpx.AsyncClient, token: str) -> None:
    """Approves whatever is asked, for ever; who was asked twice for one has answered once."""
    while True:
        with contextlib.suppress(httpx.HTTPError, KeyError, ValueError):
            waiting = await client.get("/v1/approvals?status=pending&limit=100", headers=_as(token))
            for one in waiting.json()["data"]:
                place = f"/v1/approvals/{one['id']}/approve"
                key = {"Idempotency-Key": f"approve-{one['id']}"}
                await client.post(place, json={}, headers=_as(token) | key)
        await asyncio.sleep(PAUSE_S)


def _as(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
