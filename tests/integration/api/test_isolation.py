"""What belongs to one organization or one service is out of everybody else's reach."""

import psycopg
import pytest
from tests_support.stack import OWNERS
from tests_support.world import PASSWORD, World


def tables_with_organizations(world: World, service: str) -> list[str]:
    """What the service's reader may read, and holds rows of organizations."""
    found = world.stack.rows(
        service,
        "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
        " where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attname = 'org'"
        " and has_table_privilege(%s, c.oid, 'select')",
        f"{service}_reader",
    )
    return [name for (name,) in found]


@pytest.mark.parametrize("service", OWNERS)
@pytest.mark.parametrize("role", ["system", "reader"])
def test_a_service_can_not_even_connect_to_the_database_of_another(
    world: World, service: str, role: str
) -> None:
    with world.stack.connect(service, role) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    for other in OWNERS:
        if other != service:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                world.stack.connect(service, role, database=other)


@pytest.mark.parametrize("service", OWNERS)
def test_a_reader_sees_the_rows_of_one_organization_and_writes_none(
    world: World, service: str
) -> None:
    names = tables_with_organizations(world, service)
    assert names, f"{service} has something to read"
    foreign = 0
    with world.stack.connect(service, "reader") as reader:
        for name in names:
            (everything,) = world.stack.rows(service, f"select count(*) from {name}")[0]
            assert reader.execute(f"select count(*) from {name}").fetchone() == (0,), name
            for organization in (world.home.id, world.other.id):
                reader.execute("select set_config('app.org', %s, false)", (organization,))
                rows = reader.execute(f"select distinct org from {name}").fetchall()
                assert rows in ([], [(organization,)]), name
                (seen,) = reader.execute(f"select count(*) from {name}").fetchone()
                foreign += everything - seen
            reader.execute("select set_config('app.org', '', false)")
            for sql in (f"delete from {name}", f"update {name} set org = 'x'"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(sql)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select * from log")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(f"set role {service}_system")
    assert foreign, "there were rows of others to be hidden"


@pytest.mark.parametrize("service", OWNERS)
def test_nobody_changes_what_was_committed(world: World, service: str) -> None:
    with world.stack.connect(service, "system") as system:
        for sql in ("update log set data = '{}'", "delete from log", "truncate log",
                    "drop table log", "alter table log disable row level security",
                    f"set role {service}_owner", f"set role {service}_append"):  # fmt: skip
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                system.execute(sql)
    if service == "audit":
        with world.stack.connect(service, "system") as system:
            for sql in ("delete from audit_leaf", "update audit_leaf set leaves = ''",
                        "delete from audit_detail",
                        "update audit_detail set sealed = ''"):  # fmt: skip
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    system.execute(sql)


def test_lists_of_two_organizations_have_nothing_in_common(world: World) -> None:
    for op in world.document.operations:
        if not op.lists or op.permission in ("public", "signed-in", "self", "instance"):
            continue
        if op.id == "find-holds":  # the operator, who is here, sees those of everybody
            continue
        mine, theirs = (
            {str(row.get("id")) for row in one.owner.everything(one.path(op)) if row.get("id")}
            for one in (world.home, world.other)
        )
        assert not mine & theirs, op.id


# -- a browser's cookie --------------------------------------------------------------------------


def cookie(world: World) -> dict[str, str]:
    """The cookie of somebody who signed in with a browser."""
    person = world.person("browses")
    answer = person.client.post("/v1/sessions", json={"email": person.email, "password": PASSWORD})
    assert answer.status_code == 201 and answer.json()["token"] is None
    name, _, rest = answer.headers["set-cookie"].partition("=")
    assert "HttpOnly" in rest and "SameSite=Lax" in rest
    person.client.cookies.clear()
    return {"Cookie": f"{name}={rest.partition(';')[0]}"}


def test_a_cookie_changes_things_only_from_our_own_pages(world: World) -> None:
    own, nobody = cookie(world), world.public
    host = world.stack.address.removeprefix("http://")
    foreign = (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": f"http://{host}"},
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {},
        {"Origin": f"http://{host}.evil.example"},
    )  # fmt: skip
    for headers in foreign:
        answer = nobody.ask("POST", "/v1/organizations", {"name": "Mine"}, own | headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site-refused"), headers
        assert nobody.ask("GET", "/v1/me", headers=own | headers).status_code == 200
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": f"http://{host}"}):
        answer = nobody.ask("POST", "/v1/organizations", {"name": "Mine"}, own | headers)
        assert answer.status_code == 201, answer.text
    form = nobody.ask(
        "POST", "/v1/organizations", content=b"name=Mine",
        headers=own | {"Sec-Fetch-Site": "same-origin",
                       "Content-Type": "application/x-www-form-urlencoded"},
    )  # fmt: skip
    assert (form.status_code, form.json()["code"]) == (415, "media-type-unsupported")


def test_a_cookie_that_could_be_read_two_ways_is_refused(world: World) -> None:
    own = cookie(world)["Cookie"]
    token = own.partition("=")[2]
    for text in (f"{own}; {own}", f"{own}; troth=x", f"\u00a0{own}", f"troth =; {own}"):
        headers = {b"Cookie": text.encode("latin-1")}
        answer = world.public.client.get("/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-parameter"), text
    quoted = world.public.client.get("/v1/me", headers={"Cookie": f'troth="{token}"'})
    assert quoted.status_code == 400


def test_signing_out_ends_the_session_at_once_and_everywhere(world: World) -> None:
    person = world.person("leaves")
    assert person.ask("GET", "/v1/me").status_code == 200
    assert person.ask("DELETE", "/v1/sessions/current").status_code == 204
    answer = person.ask("GET", "/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "credential-invalid")
