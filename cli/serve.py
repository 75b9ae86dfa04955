"""`troth serve`, `troth migrate`, `troth nats-users`: what containers and external servers need."""

import gc
import json
import os
import sys

import click

from cli.output import fail, json_option


@click.command()
@click.argument("services", nargs=-1, required=True, metavar="SERVICE…")
def serve(services: tuple[str, ...]) -> None:
    """Run one or several services in this process until SIGTERM.

    Settings come from TROTH_… variables. The gateway has a process of its own.
    """
    from pydantic import ValidationError

    from cli.services import build, check_names

    check_names(services)
    gc.disable()  # until it runs: nothing that is imported and built is garbage
    # httpx loads its own command line, with rich and pygments, wherever these are installed.
    sys.modules.setdefault("httpx._main", None)  # pyright: ignore[reportArgumentType] - "not there"
    try:
        if "gateway" in services:
            if len(services) > 1:
                fail("the gateway is served alone: `troth serve gateway`", 2)
            from services.gateway.__main__ import main as serve_gateway

            serve_gateway()
            return
        from libs.common.process import run

        built = [build(name) for name in services]
    except ValidationError as error:
        missing = ", ".join(f"TROTH_{str(e['loc'][0]).upper()}" for e in error.errors())
        fail(f"settings are missing or wrong: {missing}")
    name = services[0] if len(services) == 1 else "services"
    run(name, [service for service, _ in built], built[0][1])


@click.command("migrate")
@json_option
def migrate_command(as_json: bool) -> None:
    """Bring databases, and the streams of NATS, to what this code expects.

    TROTH_DATABASE_URL names a role that may create roles and databases. Streams are made when
    TROTH_MIGRATE_NATS_PASSWORD is given. Every step can be repeated.
    """
    gc.disable()  # it imports all services, and ends soon
    import psycopg

    from cli.services import readers_of, schemas
    from libs.common.migrate import migrate
    from libs.common.settings import secrets_of

    url = os.environ.get("TROTH_DATABASE_URL") or fail("TROTH_DATABASE_URL is not set")
    wanted, passwords = schemas(), {}
    for schema in wanted:
        of = secrets_of(schema.service)
        given = {
            role: getattr(of, f"{role}_password").get_secret_value()
            for role in ("system", "reader", *schema.logins)
        }
        if not all(given.values()):
            roles = " and ".join(f"…_{role.upper()}_PASSWORD" for role in given)
            fail(f"TROTH_{schema.service.upper()}: {roles} are needed")
        passwords[schema.service] = tuple(given.values())
    try:
        migrate(url, wanted, passwords, os.environ.get("TROTH_DATABASE_PREFIX", "troth_"))
    except psycopg.Error as error:
        fail(f"PostgreSQL refused: {type(error).__name__}: {error}")
    password = os.environ.get("TROTH_MIGRATE_NATS_PASSWORD")
    streams = _make_streams([s.service for s in wanted if s.has_log], password) if password else []
    if as_json:
        readers = {schema.service: readers_of(schema) for schema in wanted}
        click.echo(json.dumps({"readers": readers, "streams": streams}))
        return
    click.echo(f"databases ready: {', '.join(schema.service for schema in wanted)}")
    if streams:
        click.echo(f"streams ready: {', '.join(streams)}")


def _make_streams(services: list[str], password: str) -> list[str]:
    import asyncio

    from nats.js import api

    from cli.permissions import WORK_STREAM, WORK_SUBJECTS
    from libs.common.bus import Bus
    from libs.common.pull import ensure_event_stream, ensure_stream

    async def make() -> None:
        url = os.environ.get("TROTH_NATS_URL", "nats://127.0.0.1:4222")
        bus = Bus(url, "migrate", "migrate", password)
        await bus.start()
        try:
            for service in services:
                await ensure_event_stream(bus.js, service)
            await ensure_stream(
                bus.js, WORK_STREAM, [WORK_SUBJECTS], retention=api.RetentionPolicy.WORK_QUEUE
            )
        finally:
            await bus.stop()

    asyncio.run(make())
    return [*(service.upper() for service in services), WORK_STREAM]


@click.command("nats-users")
@click.option("--data", default=".troth", show_default=True, type=click.Path(), help="Data folder.")
def nats_users(data: str) -> None:
    """Print the `authorization` block that an external NATS server needs (it holds passwords).

    `troth up` with TROTH_NATS_URL expects these users on that server.
    """
    from pathlib import Path

    from cli.permissions import as_configuration, users
    from cli.services import readers_of, schemas
    from libs.embedded.folder import DataFolder
    from libs.embedded.secrets import SecretsRefused

    try:
        passwords = DataFolder(Path(data)).read_secrets().nats
    except SecretsRefused as error:
        fail(str(error))
    readers = {schema.service: readers_of(schema) for schema in schemas()}
    configured = [as_configuration(user) for user in users(readers, passwords)]
    click.echo(json.dumps({"authorization": {"users": configured}}, indent=2))
