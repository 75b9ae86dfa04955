"""The pages as a browser without scripts reads them: well formed, nothing from elsewhere."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from libs.common.lists import Page
from services.executor.contract import ExecutionShown, FindExecutions

VOID = frozenset(("meta", "link", "img", "input", "br", "hr"))
PAGES = ("/", "/setup?token=once", "/join?token=once", "/problems", "/problems/not-found")
COOKIE = {"Cookie": "troth=tok"}


class Read(HTMLParser):
    """Everything that a page has, and what is wrong in its form."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is never closed" for tag in self.open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs):
            self.wrong.append(f"<{tag}> has an attribute twice")
        self.tags.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> closes another")

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [given for name, given in self.tags if name == tag]

    def values(self, *names: str) -> list[str]:
        return [v for _, given in self.tags for k, v in given.items() if k in names and v]


def is_a_good_page(text: str) -> Read:
    page = Read(text)
    assert page.wrong == []
    assert text.startswith("<!doctype html>") and page.all("html")[0]["lang"] == "en"
    assert len(page.all("title")) == len(page.all("main")) == len(page.all("h1")) == 1
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("for", "aria-labelledby")) <= set(ids)
    named = set(page.values("for"))
    for field in page.all("input"):
        hidden, boxed = field.get("type") == "hidden", field.get("type") == "checkbox"
        assert hidden or boxed or field.get("id") in named, f"{field} has no label"
    assert all("alt" in image for image in page.all("img"))
    return page


def needs_nothing_that_the_policy_forbids(page: Read, policy: str) -> None:
    """No script, no style in the page, nothing of another host."""
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert not page.all("script") and not page.all("style")
    for _, given in page.tags:
        assert not [name for name in given if name == "style" or name.startswith("on")]
    for address in page.values("href", "src", "action"):
        assert re.match(r"/(?!/)|#", address), address


@pytest.mark.parametrize("address", PAGES)
async def test_a_page_is_well_formed_and_all_that_it_names_is_there(
    world: Any, address: str
) -> None:
    answer = await world.http.get(address)
    page = is_a_good_page(answer.text)
    needs_nothing_that_the_policy_forbids(page, answer.headers["content-security-policy"])
    for named in sorted(set(page.values("href", "src"))):
        if named.startswith("/"):
            assert (await world.http.get(named)).status_code == 200, named
    for form in page.all("form"):
        assert form["method"] == "post"
        posted = await world.http.post(form["action"], headers={"Origin": "http://elsewhere.test"})
        assert posted.status_code == 403, "it is a form's address, and not another site's"


def execution(status: str) -> ExecutionShown:
    return ExecutionShown.model_validate({
        "id": "exe_1", "workflow": "wf_1", "version": 3, "status": status, "outcome": None,
        "mode": "live", "trigger": {"kind": "webhook", "call_id": "call_1", "path": "orders"},
        "labels": {}, "started_at": "2026-01-02T03:04:05Z", "ended_at": None, "duration_ms": None,
        "waiting_for": None, "due_at": None, "error": None, "cancel_requested": False,
        "steps_count": 1, "effects_count": 0, "queued_for": None, "rollback": None, "parent": None,
    })  # fmt: skip


@pytest.mark.parametrize("statuses", [[], ["running", "succeeded", "failed", "cancelled"]])
async def test_the_page_of_who_is_signed_in_is_well_formed_too(
    world: Any, statuses: list[str]
) -> None:
    world.may("executions:read")
    world.on(FindExecutions, lambda m, meta: Page(data=[execution(s) for s in statuses]))
    answer = await world.http.get("/", headers=COOKIE)
    page = is_a_good_page(answer.text)
    needs_nothing_that_the_policy_forbids(page, answer.headers["content-security-policy"])
    rows = [each for each in page.all("time") if each.get("datetime")]
    assert len(rows) == len(statuses)
    assert len(page.all("th")) == (5 if statuses else 0)
    assert "Sign out" in answer.text


async def test_the_reference_takes_everything_from_here(world: Any) -> None:
    answer = await world.http.get("/docs")
    page = Read(answer.text)
    assert page.wrong == []
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'") and "unsafe" not in policy
    assert not page.all("style")
    assert all(script.get("src") for script in page.all("script")), "no script in the page itself"
    for named in page.values("href", "src"):
        assert re.match(r"/(?!/)", named)
        found = await world.http.get(named)
        assert found.status_code == 200, named
        if named.endswith(".css"):
            assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", found.text), named
