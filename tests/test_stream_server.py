"""Servers are made of whatever socket is given, and the kernel's refusal to listen is heard."""

import asyncio
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from statusproxy import stream_server, unix_socket
from tests.greeter import Greeter


async def greeting(sock: socket.socket) -> bytes:
    with sock:
        sock.setblocking(False)
        return await asyncio.get_running_loop().sock_recv(sock, 9)


async def test_a_tcp_socket_is_served() -> None:
    ours = socket.create_server(("127.0.0.1", 0))
    address = ours.getsockname()
    async with await stream_server.on_socket(Greeter, ours):
        assert await greeting(socket.create_connection(address)) == b"hello"


async def test_a_unix_socket_is_served_and_its_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    async with await stream_server.on_socket(Greeter, unix_socket.listen(path, 0o600, 1)):
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(path))
        assert await greeting(client) == b"hello"
    assert path.exists()


@pytest.mark.parametrize(
    ("version", "keeps"),
    [((3, 12, 9), {}), ((3, 13, 0), {"cleanup_socket": False}), ((3, 14, 1), {"cleanup_socket": False})],
)
async def test_every_python_is_told_to_keep_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, ...], keeps: dict[str, bool]
) -> None:
    told: list[dict[str, Any]] = []

    async def create(*_: object, **options: Any) -> None:
        told.append(options)

    monkeypatch.setattr(stream_server, "sys", SimpleNamespace(version_info=version))
    monkeypatch.setattr(asyncio.get_running_loop(), "create_unix_server", create)
    with unix_socket.listen(tmp_path / "a.sock", 0o600, 1) as sock:
        await stream_server.on_socket(asyncio.Protocol, sock, backlog=7)
    assert told == [{"sock": sock, "backlog": 7, **keeps}]


async def test_who_connects_before_it_serves_is_queued_and_served_then() -> None:
    loop = asyncio.get_running_loop()
    async with await loop.create_server(Greeter, "127.0.0.1", 0, start_serving=False) as server:
        address = server.sockets[0].getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        stream_server.listen(server, 5)
        clients = [socket.create_connection(address) for _ in range(3)]
        await server.start_serving()
        assert [await greeting(client) for client in clients] == [b"hello"] * 3


async def test_an_address_where_another_began_to_listen_meanwhile_is_refused() -> None:
    loop = asyncio.get_running_loop()
    first = await loop.create_server(Greeter, "127.0.0.1", 0, start_serving=False)
    second = await loop.create_server(Greeter, *first.sockets[0].getsockname(), start_serving=False)
    async with first, second:
        stream_server.listen(first, 5)
        with pytest.raises(OSError, match="Address already in use"):
            stream_server.listen(second, 5)
