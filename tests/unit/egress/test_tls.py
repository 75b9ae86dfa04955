"""TLS sees the name, the connection goes to the address that was judged."""

import datetime
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from libs.egress import Client, EgressFailed, Policy

HOST = "api.example.test"


@dataclass
class Server:
    """A server's certificate, and the names that clients asked it for."""

    context: ssl.SSLContext
    certificate: Path
    names_asked: list[str | None] = field(default_factory=list)


@pytest.fixture
def server(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = Server(context, pem)
    context.sni_callback = lambda _socket, asked, _context: server.names_asked.append(asked)
    return server


async def to_loopback(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


async def test_name_indication_certificate_and_host_are_the_name(server, start_listener):
    listener = await start_listener(tls=server.context)
    trusting = ssl.create_default_context(cafile=str(server.certificate))
    policy = Policy([f"{HOST}:{listener.port}"])

    async with Client(policy, resolve=to_loopback, tls=trusting) as client:
        response = await client.request("GET", f"https://{HOST}:{listener.port}/")

    assert response.status == 200
    assert server.names_asked == [HOST]
    assert f"host: {HOST}:{listener.port}".encode() in listener.requests[0].lower()


async def test_a_certificate_for_another_name_is_refused(server, start_listener):
    listener = await start_listener(tls=server.context)
    trusting = ssl.create_default_context(cafile=str(server.certificate))
    policy = Policy([f"other.example.test:{listener.port}"])

    async with Client(policy, resolve=to_loopback, tls=trusting) as client:
        with pytest.raises(EgressFailed, match="certificate") as failure:
            await client.request("GET", f"https://other.example.test:{listener.port}/")

    assert failure.value.kind == "connection"
    assert listener.requests == []


async def test_a_certificate_of_an_unknown_authority_is_refused(server, start_listener):
    listener = await start_listener(tls=server.context)

    async with Client(Policy([f"{HOST}:{listener.port}"]), resolve=to_loopback) as client:
        with pytest.raises(EgressFailed, match="certificate") as failure:
            await client.request("GET", f"https://{HOST}:{listener.port}/")

    assert failure.value.kind == "connection"
    assert listener.requests == []
