"""Runs the gateway: `python -m services.gateway`."""

from socket import socket

import uvicorn

from libs.common.process import Server, run
from services.gateway.app import SERVICE, build
from services.gateway.front import Front
from services.gateway.settings import GatewaySettings


class FrontServer(Server):
    """Says `draining` to what still comes while it ends."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        app = self.config.app
        if isinstance(app, Front):
            app.door.draining = True
            app.door.streams.end_all()
        await super().shutdown(sockets)


def server(settings: GatewaySettings, app: Front) -> Server:
    """The HTTP server in front: httptools, uvloop, TLS when there is a certificate."""
    return FrontServer(
        uvicorn.Config(
            app, host=settings.http_host, port=settings.http_port, http="httptools", loop="uvloop",
            lifespan="off", log_config=None, access_log=False, server_header=False,
            date_header=True, ssl_certfile=settings.tls_cert, ssl_keyfile=settings.tls_key,
            timeout_keep_alive=30, backlog=2048, proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=int(settings.drain_s),
        )
    )  # fmt: skip


def main() -> None:
    settings = GatewaySettings()  # pyright: ignore[reportCallIssue] - read from the environment
    service, app = build(settings)
    run(SERVICE, [service], settings, server(settings, app))


if __name__ == "__main__":
    main()
