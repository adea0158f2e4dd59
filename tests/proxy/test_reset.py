"""How a connection ends: a reset is no end, on either loop, with and without TLS."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from statusproxy.proxy.reset import reset
from tests.http.test_tls import Authority, new_authority
from tests.proxy.harness import PATIENCE

LOOPS: list[Any] = [asyncio.new_event_loop, uvloop.new_event_loop]
Finish = Callable[[asyncio.Transport], None]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Whom the client trusts."""
    return new_authority(tmp_path)


def on(loop: Callable[[], asyncio.AbstractEventLoop], main: Coroutine[Any, Any, str]) -> str:
    """Run on that kind of loop."""
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


async def seen(end: Finish, server: ssl.SSLContext | None = None, client: ssl.SSLContext | None = None) -> str:
    """How the peer of a connection sees it end: `end`, or the name of the error."""
    accepted: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

    class Side(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.set_result(cast(asyncio.Transport, transport))
            accepted.result().write(b"begun")

    listening = await asyncio.get_running_loop().create_server(Side, "127.0.0.1", 0, ssl=server)
    port = listening.sockets[0].getsockname()[1]
    name = "proxy.example" if client else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
    async with asyncio.timeout(PATIENCE):
        assert await reader.readexactly(5) == b"begun"
        end(await accepted)
        try:
            rest = await reader.read()
            how = "end" if rest == b"" else "more"
        except ConnectionResetError:
            how = "reset"
        except ssl.SSLError as error:
            how = error.reason
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    listening.close()
    return how


@pytest.mark.parametrize("loop", LOOPS)
def test_a_reset_is_seen_as_one_and_an_abort_is_not(loop: Any) -> None:
    assert on(loop, seen(reset)) == "reset"
    assert on(loop, seen(lambda transport: transport.abort())) == "end"  # which is why there is a reset


@pytest.mark.parametrize("loop", LOOPS)
def test_a_reset_under_tls_is_seen_as_one(loop: Any, authority: Authority) -> None:
    files = authority.issue("proxy.example")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files["certificate"], files["key"])
    client = ssl.create_default_context(cafile=authority.file)
    assert on(loop, seen(reset, server, client)) == "reset"


@pytest.mark.parametrize("loop", LOOPS)
def test_what_waits_to_be_sent_is_dropped(loop: Any) -> None:
    """A client that does not read cannot keep the connection."""

    def end(transport: asyncio.Transport) -> None:
        transport.write(bytes(64 * 1024 * 1024))
        transport.close()  # which alone would wait until all is sent
        reset(transport)

    async def main() -> str:
        try:
            return await seen(end)
        except AssertionError:
            return "more"

    assert on(loop, main()) == "reset"


@pytest.mark.parametrize("loop", LOOPS)
def test_a_unix_socket_is_closed_at_once(loop: Any, tmp_path: Path) -> None:
    """Unix sockets know no reset: the peer sees an end, and nothing of what was not sent."""

    async def main() -> str:
        accepted: asyncio.Future[asyncio.Transport] = asyncio.get_running_loop().create_future()

        class Side(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                accepted.set_result(cast(asyncio.Transport, transport))

        path = str(tmp_path / "socket")
        listening = await asyncio.get_running_loop().create_unix_server(Side, path)
        reader, writer = await asyncio.open_unix_connection(path)
        reset(await asyncio.wait_for(accepted, PATIENCE))
        rest = await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        listening.close()
        return "end" if rest == b"" else "more"

    assert on(loop, main()) == "end"


@pytest.mark.parametrize("closed", [True, False], ids=["a closed socket", "no socket"])
def test_a_transport_without_an_open_socket_is_aborted_all_the_same(closed: bool) -> None:
    aborted = list[bool]()

    class Transport(asyncio.Transport):
        def get_extra_info(self, name: str, default: Any = None) -> Any:
            if not closed:
                return None
            sock = socket.socket()
            sock.close()
            return sock

        def abort(self) -> None:
            aborted.append(True)

    reset(Transport())
    assert aborted == [True]
