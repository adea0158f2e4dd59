"""Network errors in plain words, as real sockets raise them."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
from pathlib import Path

import pytest
import uvloop

from statusproxy.observe.network_errors import in_words
from tests.certificates import make_certificate
from tests.ports import free_port

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


def said(make_loop: object, host: str, port: int, tls: ssl.SSLContext | None = None) -> str:
    """The words for what a connection fails with."""

    async def connect() -> str:
        with pytest.raises(OSError) as error:  # noqa: PT011 - which words it becomes is what is asked
            await asyncio.get_running_loop().create_connection(
                asyncio.Protocol, host, port, ssl=tls, server_hostname="gateway.example" if tls else None
            )
        return in_words(error.value)

    with asyncio.Runner(loop_factory=make_loop) as runner:  # type: ignore[arg-type]
        return runner.run(connect())


@pytest.mark.parametrize("make_loop", LOOPS)
def test_a_port_where_nobody_listens(make_loop: object) -> None:
    assert said(make_loop, "127.0.0.1", free_port()) == "connection refused"


@pytest.mark.parametrize("make_loop", LOOPS)
def test_a_name_that_nobody_knows(make_loop: object) -> None:
    assert said(make_loop, "nobody.invalid", 1).startswith(("the host name", "the name server"))


@pytest.mark.parametrize("make_loop", LOOPS)
def test_an_address_that_is_taken(make_loop: object) -> None:
    async def listen(port: int) -> str:
        with pytest.raises(OSError) as error:  # noqa: PT011 - which words it becomes is what is asked
            await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", port)
        return in_words(error.value)

    with socket.create_server(("127.0.0.1", 0)) as taken, asyncio.Runner(loop_factory=make_loop) as runner:  # type: ignore[arg-type]
        assert runner.run(listen(taken.getsockname()[1])) == "the address is already in use"


def test_a_certificate_that_is_not_trusted_and_a_port_without_tls(tmp_path: Path) -> None:
    make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")

    class Plain(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def connect(tls: ssl.SSLContext | None) -> str:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Plain, "127.0.0.1", 0, ssl=tls)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLError) as error:
            await loop.create_connection(
                asyncio.Protocol, "127.0.0.1", port, ssl=ssl.create_default_context(), server_hostname="gateway.example"
            )
        server.close()
        return in_words(error.value)

    assert asyncio.run(connect(context)).startswith("the certificate is not trusted: ")
    assert asyncio.run(connect(None)) == "the other side does not speak TLS"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 101] Connect call failed"),
         "connection refused, no route to that network"),
        (OSError("Multiple exceptions: [Errno 111] a, [Errno 111] b"), "connection refused"),
        (TimeoutError(), "no answer in time"),
        (http.client.RemoteDisconnected("Remote end closed connection without response"),
         "the other side closed the connection"),
        (http.client.BadStatusLine("SSH-2.0"), "the other side does not speak HTTP"),
        (ConnectionResetError(), "the other side closed the connection"),
        (ConnectionRefusedError(), "connection refused"),
        (OSError(errno.ELOOP, "?"), "too many levels of symbolic links"),
        (ValueError("something else"), "something else"),
    ],
)  # fmt: skip
def test_other_errors_without_numbers_and_names_of_calls(error: Exception, words: str) -> None:
    assert in_words(error) == words
