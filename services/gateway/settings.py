"""Settings of the gateway's process: where it listens, and what an operator tells callers."""

from pydantic import Field

from libs.common.settings import Settings


class GatewaySettings(Settings):
    """TLS needs both files; without them the door listens in plain HTTP (loopback, or a proxy).

    `X-Forwarded-For` says where a request came from only when one of `trusted_proxies` (addresses
    or networks, with commas) hands it on; empty: nobody is believed.
    """

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    tls_cert: str | None = None
    tls_key: str | None = None
    behind_tls: bool = False
    region: str = "local"
    trusted_proxies: str = "127.0.0.1,::1"
    hooks_per_s: int = Field(default=500, ge=1, le=1_000_000)
    stream_heartbeat_s: float = Field(default=15.0, gt=0, le=300)

    @property
    def secure(self) -> bool:
        """Whether browsers reach us by TLS: then cookies are Secure and HSTS is said."""
        return self.behind_tls or self.tls_cert is not None
