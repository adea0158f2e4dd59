"""The listening sockets: opened where the settings say or by systemd, named, and closed with their files."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.listeners import Listeners
from statusproxy.tls import server_context
from tests.certificates import make_certificate
from tests.greeter import Greeter
from tests.ports import free_port

WARNING = (
    "[::1]:0 is in `listen`, but not in statusproxy.socket: a restart refuses connections there; "
    "run install.sh again (Debian package: dpkg-reconfigure statusproxy)"
)


def listeners(listen: object, more: str = "") -> Listeners:
    return Listeners(Greeter, loads(f"gateway: http://gw.example\nlisten: {listen}\n{more}"), None)


@asynccontextmanager
async def opened(wanted: Listeners, *inherited: socket.socket) -> AsyncIterator[Listeners]:
    await wanted.bind(inherited)
    await wanted.open()
    try:
        yield wanted
    finally:
        wanted.close()


async def greeting(address: str) -> bytes:
    if address.startswith("unix:"):
        reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    else:
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    said = await reader.read()
    writer.close()
    return said


async def test_each_address_is_served_under_its_name(tmp_path: Path) -> None:
    async with opened(listeners(f"['127.0.0.1:0', '[::1]:0', 'unix:{tmp_path}/a.sock']")) as ours:
        assert [name.rpartition(":")[0] for name in ours.addresses] == ["127.0.0.1", "[::1]", "unix"]
        assert [await greeting(name) for name in ours.addresses] == [b"hello"] * 3


async def test_closing_removes_socket_files_and_keeps_the_names(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    ours = listeners(f"'unix:{path}'", "listen_mode: '0600'")
    await ours.bind()
    assert not ours.is_open
    await ours.open()
    assert (ours.is_open, path.stat().st_mode & 0o777) == (True, 0o600)
    ours.close()
    assert (ours.is_open, path.exists(), ours.addresses) == (False, False, [f"unix:{path}"])
    with pytest.raises(OSError, match="No such file"):
        await greeting(f"unix:{path}")


async def test_sockets_of_systemds_are_served_and_what_they_do_not_serve_is_opened_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = socket.create_server(("127.0.0.1", 0))
    port = given.getsockname()[1]
    async with opened(listeners(f"['127.0.0.1:{port}', '[::1]:0']"), given) as ours:
        assert ours.addresses[0] == f"127.0.0.1:{port}"
        assert [await greeting(name) for name in ours.addresses] == [b"hello"] * 2
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [WARNING]


@pytest.mark.parametrize(
    ("listen", "told"),
    [("127.0.0.1:0", True), ("'[::1]:0'", True), ("0.0.0.0:0", False), ("[127.0.0.1:0, 0.0.0.0:0]", False)],
)
async def test_what_only_this_machine_reaches_is_told_with_the_key_that_opens_it(
    listen: str, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with opened(listeners(listen)):
            pass
    lines = [line for line in caplog.messages if line.startswith("only programs on this machine can connect")]
    assert len(lines) == told
    assert all("`listen: 0.0.0.0:8090`" in line for line in lines)


async def test_a_unix_socket_alone_is_chosen_and_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        async with opened(listeners(f"unix:{tmp_path}/a.sock")):
            pass
    assert [line.partition(" on ")[0] for line in caplog.messages] == ["listening"]


async def test_a_unix_socket_of_systemds_is_served_and_its_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "given.sock"
    with socket.socket(socket.AF_UNIX) as given:
        given.bind(str(path))
        async with opened(listeners(f"'unix:{path}'"), given) as ours:
            assert await greeting(ours.addresses[0]) == b"hello"
        assert path.exists()


async def test_an_address_in_use_is_told_in_a_whole_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ours = listeners(f"'{address}'")
        with pytest.raises(OSError, match="cannot listen on") as caught:
            await ours.bind()
        ours.close()
    assert str(caught.value).startswith(f"cannot listen on {address} (listen): ")
    assert str(caught.value).endswith("; is statusproxy running already, or another program there?")


async def test_of_two_that_take_an_address_at_once_the_second_is_told_so() -> None:
    address = f"127.0.0.1:{free_port()}"
    first, second = listeners(f"'{address}'"), listeners(f"'{address}'")
    await first.bind()
    await second.bind()  # the kernel refuses it only where somebody listens
    await first.open()
    with pytest.raises(OSError, match=rf"^cannot listen on {address} \(listen\): .* running already, or another"):
        await second.open()
    second.close()
    assert await greeting(address) == b"hello"
    first.close()


async def test_no_client_is_accepted_before_all_addresses_are_taken(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "a.sock"
    ours = listeners(f"['127.0.0.1:{port}', 'unix:{path}']")
    await ours.bind()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    reader, writer = await asyncio.open_unix_connection(path)  # the kernel keeps it waiting
    said = asyncio.create_task(reader.read())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not said.done()
    await ours.open()
    assert await said == b"hello"
    writer.close()
    ours.close()


async def test_a_unix_socket_is_nobody_elses_as_soon_as_its_file_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    first, second = listeners(f"'unix:{path}'"), listeners(f"'unix:{path}'")
    await first.bind()
    with pytest.raises(OSError, match="is statusproxy running already"):
        await second.bind()
    second.close()
    await first.open()
    assert await greeting(f"unix:{path}") == b"hello"
    first.close()


async def test_an_address_of_another_machine_is_no_address_in_use() -> None:
    ours = listeners("'192.0.2.1:8090'")
    with pytest.raises(OSError, match=r"no such address$"):
        await ours.bind()
    ours.close()


async def test_a_handshake_of_tls_has_the_time_of_a_head(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    settings = loads(
        f"gateway: http://gw.example\nlisten: '127.0.0.1:0'\ntls: {{certificate: {certificate}, key: {key}}}\n"
        "timeouts: {request_head: 50ms}"  # only waited for
    )
    async with opened(Listeners(Greeter, settings, server_context(settings.tls))) as ours:
        assert await greeting(ours.addresses[0]) == b"", "closed, though the client would wait"


@pytest.mark.parametrize("where", ["127.0.0.1:0", "unix:{}/a.sock"])
async def test_who_has_connected_is_accepted_before_the_sockets_close(where: str, tmp_path: Path) -> None:
    async with opened(listeners(f"'{where.format(tmp_path)}'")) as ours:
        (address,) = ours.addresses
        queued = []
        for _ in range(40):  # more than are accepted at once, and none of them before the loop turns again
            if where.startswith("unix"):
                client = socket.socket(socket.AF_UNIX)
                client.connect(address.removeprefix("unix:"))
            else:
                client = socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2])))
            queued.append(client)
        await ours.retire()
        ours.close()
        for client in queued:
            client.setblocking(False)
            assert await asyncio.get_running_loop().sock_recv(client, 9) == b"hello"
            client.close()


async def test_nobody_finds_a_unix_socket_that_is_about_to_close(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    async with opened(listeners(f"'unix:{path}'")) as ours:
        await ours.retire()
        assert not path.exists()
        path.touch()  # the next process's own
        ours.close()
        assert path.exists()


async def test_a_rush_of_clients_holds_no_socket_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.listeners._EMPTYING", 0.0)
    async with opened(listeners("'127.0.0.1:0'")) as ours:
        (address,) = ours.addresses
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
            await ours.retire()
            ours.close()
            assert not ours.is_open
