"""TLS on both sides: our own port, and gateways that speak https."""

import asyncio
import datetime
import ipaddress
import json
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.proxy.harness import Origin, Running, Wire, answer, get, running, until


@dataclass
class Authority:
    """An authority of the test's own, and where its certificate lies."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    folder: Path

    @property
    def file(self) -> str:
        """The authority's certificate, PEM."""
        path = self.folder / "ca.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def issue(self, name: str, file: str = "") -> dict[str, str]:
        """A certificate and key for `name` (a host's name or address), as the settings name them."""
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            known: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            known = x509.DNSName(name)
        builder = _begin(name, self.certificate.subject, key).add_extension(
            x509.SubjectAlternativeName([known]), critical=False
        )
        certificate = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False
        ).sign(self.key, hashes.SHA256())
        paths = {
            "certificate": self.folder / f"{file or name}.pem",
            "key": self.folder / f"{file or name}.key",
        }
        paths["certificate"].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        paths["key"].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return {role: str(path) for role, path in paths.items()}


def _begin(name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A fresh authority."""
    return new_authority(tmp_path)


def new_authority(folder: Path) -> Authority:
    """An authority whose files lie in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _begin("test authority", None, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=True,
                crl_sign=True,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate, folder)


async def connect(proxy: Running, authority: Authority, context: ssl.SSLContext | None = None) -> Wire:
    """A connection to the proxy's TLS port."""
    context = context or ssl.create_default_context(cafile=authority.file)
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port, ssl=context, server_hostname="127.0.0.1")
    return Wire(reader, writer)


def serial(wire: Wire) -> str:
    """The serial number of the certificate the other side showed."""
    return str(wire.writer.get_extra_info("peercert")["serialNumber"])


async def test_our_own_port_speaks_tls_and_tells_the_gateway_so(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    async with running(tmp_path, origin.url, tls=authority.issue("127.0.0.1")) as proxy:
        client = await connect(proxy, authority)
        await client.send(get())
        assert (await client.message()).body == b"ok"
        assert origin.requests[0].get("X-Forwarded-Proto") == b"https"
        assert client.writer.get_extra_info("ssl_object").version() in {"TLSv1.2", "TLSv1.3"}
        await client.close()


@pytest.mark.parametrize("turns", range(4))
async def test_the_proxy_stops_in_order_while_a_client_that_asked_for_nothing_leaves(
    origin: Origin, tmp_path: Path, authority: Authority, turns: int
) -> None:
    async with running(tmp_path, origin.url, tls=authority.issue("127.0.0.1")) as proxy:
        client = await connect(proxy, authority)
        await until(lambda: bool(proxy.server.clients.connections))
        client.writer.close()
        for _ in range(turns):
            await asyncio.sleep(0)
        await proxy.server.clients.shutdown(0.0)
        assert not proxy.server.clients.connections


async def test_protocols_older_than_tls_1_2_are_refused(origin: Origin, tmp_path: Path, authority: Authority) -> None:
    async with running(tmp_path, origin.url, tls=authority.issue("127.0.0.1")) as proxy:
        context = ssl.create_default_context(cafile=authority.file)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1 is deprecated"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match=r"TLSv1_1 is deprecated"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await connect(proxy, authority, context)


async def test_a_reload_shows_new_clients_the_new_certificate_and_drops_no_connection(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    async with running(tmp_path, origin.url, tls=authority.issue("127.0.0.1")) as proxy:
        before = await connect(proxy, authority)
        await before.send(get("/first"))
        await before.message()
        authority.issue("127.0.0.1")
        assert await proxy.server.reload()
        after = await connect(proxy, authority)
        assert serial(after) != serial(before)
        for client in (before, after):
            await client.send(get("/second"))
            assert (await client.message()).body == b"ok"
            await client.close()


async def test_a_certificate_that_does_not_fit_its_key_changes_nothing(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    files = authority.issue("127.0.0.1")
    async with running(tmp_path, origin.url, tls=files) as proxy:
        shutil.copy(authority.issue("127.0.0.1", "other")["key"], files["key"])
        assert not await proxy.server.reload()
        client = await connect(proxy, authority)
        await client.send(get())
        assert (await client.message()).body == b"ok"
        await client.close()


async def test_a_tunnel_goes_through_tls_on_both_sides(origin: Origin, tmp_path: Path, authority: Authority) -> None:
    async def script(wire: Wire) -> None:
        await wire.head()
        await wire.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
        while data := await wire.reader.read(2**20):
            await wire.send(data)

    origin.script = script
    async with (
        https_gateway(origin, authority, "127.0.0.1") as url,
        running(tmp_path, url, tls=authority.issue("127.0.0.1", "own"), gateway_tls={"ca": authority.file}) as proxy,
    ):
        client = await connect(proxy, authority)
        await client.send(get("/", "Upgrade: echo", "Connection: Upgrade"))
        assert (await client.head()).status == 101
        await client.send(b"x" * 2_000_000)
        assert await client.reader.readexactly(2_000_000) == b"x" * 2_000_000
        await client.close()


class https_gateway:  # noqa: N801 - reads as the function it is
    """`origin`'s script behind TLS; gives its URL."""

    def __init__(
        self, origin: Origin, authority: Authority, name: str, *, wants_certificate: bool = False, host: str = ""
    ) -> None:
        self.origin = origin
        self.host = host or "127.0.0.1"
        self.seen_name: str | None = None
        self.peer: object = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        files = authority.issue(name, f"gateway-{name}")
        self.context.load_cert_chain(files["certificate"], files["key"])
        if wants_certificate:
            self.context.load_verify_locations(authority.file)
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.sni_callback = self._saw

    def _saw(self, _: object, name: str | None, __: object) -> None:
        self.seen_name = name

    async def __aenter__(self) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.peer = writer.get_extra_info("peercert")
            await self.origin.connected(reader, writer)

        self._server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=self.context)
        return f"https://{self.host}:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


async def test_a_gateway_is_believed_by_the_configured_authority(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    async with (
        https_gateway(origin, authority, "127.0.0.1") as url,
        running(tmp_path, url, gateway_tls={"ca": authority.file}) as proxy,
    ):
        assert (await proxy.ask(get())).body == b"ok"


@pytest.mark.parametrize("reason", ["an authority no one trusts", "another name"])
async def test_a_gateway_that_cannot_be_believed_is_a_502_and_is_sent_nothing(
    origin: Origin, tmp_path: Path, authority: Authority, reason: str
) -> None:
    name = "127.0.0.1" if reason == "an authority no one trusts" else "other.example"
    trusted = {"ca": authority.file} if reason == "another name" else {}
    async with (
        https_gateway(origin, authority, name) as url,
        running(tmp_path, url, gateway_tls=trusted) as proxy,
    ):
        got = await proxy.ask(get())
        assert (got.status, json.loads(got.body)["error_code"]) == (502, "gateway_tls_failed")
    assert not origin.requests


async def test_verification_can_be_turned_off(origin: Origin, tmp_path: Path, authority: Authority) -> None:
    async with (
        https_gateway(origin, authority, "other.example") as url,
        running(tmp_path, url, gateway_tls={"verify": False}) as proxy,
    ):
        assert (await proxy.ask(get())).body == b"ok"


async def test_the_configured_server_name_is_asked_for_and_checked(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    gateway = https_gateway(origin, authority, "gateway.example")
    settings = {"ca": authority.file, "server_name": "gateway.example"}
    async with gateway as url, running(tmp_path, url, gateway_tls=settings) as proxy:
        assert (await proxy.ask(get())).body == b"ok"
    assert gateway.seen_name == "gateway.example"


async def test_a_gateway_that_wants_a_certificate_is_shown_ours(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    gateway = https_gateway(origin, authority, "127.0.0.1", wants_certificate=True)
    settings = {"ca": authority.file, **authority.issue("statusproxy.example")}
    async with gateway as url, running(tmp_path, url, gateway_tls=settings) as proxy:
        assert (await proxy.ask(get())).body == b"ok"
    assert isinstance(gateway.peer, dict)
    assert gateway.peer["subject"] == ((("commonName", "statusproxy.example"),),)


async def test_connections_to_an_https_gateway_are_kept_alive(
    origin: Origin, tmp_path: Path, authority: Authority
) -> None:
    origin.answer = answer(b"ok")
    async with (
        https_gateway(origin, authority, "127.0.0.1") as url,
        running(tmp_path, url, gateway_tls={"ca": authority.file}) as proxy,
    ):
        for method in ("GET", "POST", "GET"):
            assert (await proxy.ask(get(method=method))).status == 200
        assert proxy.server.proxy.site.pool.opened == 1
