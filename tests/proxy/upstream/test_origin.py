"""Where the gateway is: how it is addressed, and how it is reached or not."""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path
from socket import SOCK_STREAM
from typing import Any

import pytest

from statusproxy.proxy.upstream import origin as origin_module
from statusproxy.proxy.upstream.errors import UpstreamError
from statusproxy.proxy.upstream.origin import Origin as Address
from tests.ports import free_port
from tests.proxy.harness import OK, Origin, answer, get, never_accepting, running


@pytest.mark.parametrize(
    ("address", "authority"),
    [
        (Address("a.example", 80), b"a.example"),
        (Address("a.example", 8080), b"a.example:8080"),
        (Address("a.example", 443, tls=ssl.create_default_context()), b"a.example"),
        (Address("a.example", 80, tls=ssl.create_default_context()), b"a.example:80"),
        (Address("::1", 80), b"[::1]"),
        (Address("::1", 81), b"[::1]:81"),
        (Address("caf\u00e9.example", 80), b"xn--caf-dma.example"),
        (Address(unix="/run/gateway.sock"), b"localhost"),
    ],
)
def test_the_port_is_named_only_where_it_is_not_the_default(address: Address, authority: bytes) -> None:
    assert address.authority == authority


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Names that resolve as the test says, `gateway.example` among them; how often each was asked is in `asked`."""
    known: dict[str, list[str]] = {"asked": []}
    real = socket.getaddrinfo

    def resolve(host: Any, port: Any, *args: Any, **kwargs: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in known:
            return list(real(host, port, *args, **kwargs))
        known["asked"].append(name)
        return [found for address in known[name] for found in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


class Failing:
    """A loop's `create_connection` that fails."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    async def __call__(self, *args: object, **kwargs: object) -> object:
        raise self.error


class WrongVersionError(ssl.SSLError):
    """What OpenSSL says where the other side speaks plain HTTP."""

    reason = "WRONG_VERSION_NUMBER"
    library = "SSL"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "gateway_unreachable"),
        (socket.gaierror(-2, "Name or service not known"), "gateway_name_unknown"),
        (WrongVersionError(), "gateway_tls_failed"),
        (TimeoutError(), "gateway_connect_slow"),
    ],
)
async def test_each_way_of_not_reaching_it_has_a_code_of_its_own(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: str
) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", Failing(error))
    with pytest.raises(UpstreamError) as failed:
        await Address("127.0.0.1", 80).connect(asyncio.Protocol, 5.0)
    assert (failed.value.code, failed.value.answered) == (code, False)


async def test_connecting_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*args: object, **kwargs: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", never)
    with pytest.raises(UpstreamError, match="gateway_connect_slow"):
        await Address("127.0.0.1", 80).connect(asyncio.Protocol, 0.0)


@pytest.mark.parametrize(("name", "expected"), [(None, "a.example"), ("other.example", "other.example")])
async def test_a_certificate_is_expected_for_the_host_or_for_the_name_that_is_set(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]], name: str | None, expected: str
) -> None:
    names["a.example"] = ["127.0.0.1"]
    asked: dict[str, Any] = {}

    async def connect(make: Any, host: str, port: int, **how: Any) -> tuple[None, asyncio.Protocol]:
        asked.update(how)
        return None, make()

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", connect)
    context = ssl.create_default_context()
    await Address("a.example", 443, tls=context, server_name=name).connect(asyncio.Protocol, None)
    assert asked == {"ssl": context, "server_hostname": expected}


async def test_a_gateway_on_a_unix_socket_is_served(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(OK)
        writer.close()

    path = tmp_path / "gateway.sock"
    server = await asyncio.start_unix_server(connected, path)
    async with running(tmp_path, f"unix:{path}", host="gateway") as proxy:
        assert (await proxy.ask(get("/one"))).body == b"ok"
        assert (await proxy.ask(get("/two"))).body == b"ok"
        assert proxy.server.proxy.site.pool.opened == 1
    assert b"\r\nHost: localhost\r\n" in asked[0]
    server.close()


async def test_a_gateway_on_ipv6_is_served(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    asked: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        writer.close()

    try:
        server = await asyncio.start_server(connected, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 here")
    port = server.sockets[0].getsockname()[1]
    async with running(tmp_path, f"http://[::1]:{port}", host="gateway") as proxy:
        assert (await proxy.ask(get())).body == b"ok"
    assert b"\r\nHost: [::1]:%d\r\n" % port in asked[0]
    server.close()


async def test_a_gateway_that_moves_is_found_at_its_new_address(
    origin: Origin, tmp_path: Path, names: dict[str, list[str]]
) -> None:
    """Containers are restarted at other addresses: a name is looked up for each new connection."""
    elsewhere = await asyncio.start_server(lambda _, writer: _say(writer, b"moved"), "127.0.0.2", origin.port)
    origin.answer = answer(b"first", "Connection: close")
    names["gateway.example"] = ["127.0.0.1"]
    async with running(tmp_path, f"http://gateway.example:{origin.port}") as proxy:
        assert (await proxy.ask(get())).body == b"first"
        names["gateway.example"] = ["127.0.0.2"]
        assert (await proxy.ask(get())).body == b"moved"
    assert names["asked"] == ["gateway.example"] * 2
    elsewhere.close()


def _say(writer: asyncio.StreamWriter, body: bytes) -> None:
    writer.write(answer(body, "Connection: close"))
    writer.close()


async def test_every_address_of_a_name_is_tried(origin: Origin, tmp_path: Path, names: dict[str, list[str]]) -> None:
    names["gateway.example"] = ["127.0.0.3", "127.0.0.1"]  # no one listens at the first
    async with running(tmp_path, f"http://gateway.example:{origin.port}") as proxy:
        assert (await proxy.ask(get())).body == b"ok"


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_address_that_gives_no_answer_does_not_take_the_time_of_the_next(
    monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    """A stale record of a name server, or an IPv6 address without a way to it."""
    factory = pytest.importorskip("uvloop").new_event_loop if loop == "uvloop" else asyncio.new_event_loop

    async def two(_: str, port: int) -> list[Any]:
        return [one for each in ("127.0.0.2", "127.0.0.1") for one in socket.getaddrinfo(each, port, type=SOCK_STREAM)]

    async def connects() -> None:
        port = free_port()
        server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
        with never_accepting("127.0.0.2", port):
            connected = await Address("gateway.example", port).connect(Connected, 5.0)
        assert connected.transport.get_extra_info("peername") == ("127.0.0.1", port)
        connected.transport.close()
        await connected.closed.wait()
        server.close()

    monkeypatch.setattr(origin_module, "addresses", two)
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(connects())


async def test_the_next_address_is_tried_after_a_quarter_of_a_second(
    monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]
) -> None:
    tried: list[dict[str, float]] = []

    async def start(found: list[Any], **how: float) -> None:
        tried.append(how)
        raise ConnectionRefusedError

    monkeypatch.setattr(origin_module, "start_connection", start)
    names["gateway.example"] = ["127.0.0.2", "127.0.0.1"]
    with pytest.raises(UpstreamError, match="gateway_unreachable"):
        await Address("gateway.example", 80).connect(asyncio.Protocol, None)
    assert tried == [{"happy_eyeballs_delay": 0.25}]


async def test_an_address_is_not_looked_up(origin: Origin, names: dict[str, list[str]]) -> None:
    """A name server that is slow to answer for other names would hold it up."""
    names["127.0.0.1"] = ["127.0.0.1"]
    connected = await Address("127.0.0.1", origin.port).connect(Connected, None)
    connected.transport.close()
    await connected.closed.wait()
    assert names["asked"] == []


class Connected(asyncio.Protocol):
    """Knows its transport, and when that is closed."""

    transport: asyncio.BaseTransport

    def __init__(self) -> None:
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
