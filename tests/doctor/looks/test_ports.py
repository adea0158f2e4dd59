"""The addresses to listen on: free, in use by the running proxy, or taken by someone else."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from statusproxy.config.addresses import Address, parse_address
from statusproxy.config.load import loads
from statusproxy.doctor.looks import ports as module
from statusproxy.doctor.looks.ports import ports
from statusproxy.doctor.subject import Subject
from statusproxy.proxy.problems import ALLOW
from tests.doctor.looks.levels import levels
from tests.ports import free_port


async def test_each_kind_of_address_is_looked_at(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    listen = [
        Address("127.0.0.1", free_port()), Address(port=free_port()), Address("::1", free_port()),
        Address(unix=str(tmp_path / "new.sock")), Address(unix=str(file)), Address("192.0.2.1", 80),
        Address("no-such-name.invalid", 80), Address("127.0.0.1", 0),
    ]  # fmt: skip
    found = [finding.code for finding in await ports(listen, None)]
    free = "ports.free"
    assert found == [free, free, free, free, "ports.unusable", "ports.not-here", "ports.unusable"]


async def test_what_runs_is_known_by_its_own_word() -> None:
    held, _ = await ports([parse_address("127.0.0.1:8090")], ["0.0.0.0:8090"])
    unserved, _ = await ports([parse_address(f"127.0.0.1:{free_port()}")], ["0.0.0.0:8090"])
    assert (held.code, unserved.code) == ("ports.held", "ports.unserved")


async def test_a_living_unix_socket_is_taken_and_a_dead_one_is_free(tmp_path: Path) -> None:
    path = tmp_path / "it.sock"
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        assert levels(await ports([Address(unix=str(path))], None, admin=True)) == {"taken": "problem"}
    assert levels(await ports([Address(unix=str(path))], None)) == {"free": "ok", "this-machine-only": "note"}


async def test_a_port_of_systemds_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.doctor.looks.ports.port_owner", lambda *_: ("systemd", 1))
    with socket.create_server(("127.0.0.1", 0)) as held:
        address = Address("127.0.0.1", held.getsockname()[1])
        assert levels(await ports([address], None)) == {
            "held-by-systemd": "ok", "this-machine-only": "note",
        }  # fmt: skip


async def test_a_running_proxy_that_listens_for_more_than_the_file_says_is_told() -> None:
    found = levels(await ports([Address("127.0.0.1", 8090)], ["0.0.0.0:8090"]))
    assert found == {"held": "ok", "wider": "warning"}
    # A port of the system's choice is known to the running proxy only.
    assert "wider" not in levels(await ports([Address("127.0.0.1", 0)], ["0.0.0.0:8090"]))


async def test_another_statusproxy_is_told_from_another_program(monkeypatch: pytest.MonkeyPatch) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readline()).startswith(b"OPTIONS * ")
        writer.write(b"HTTP/1.1 204 No Content\r\nAllow: " + ALLOW + b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as other:
        address = Address("127.0.0.1", other.sockets[0].getsockname()[1])
        (unasked, *_) = await ports([address], None)
        assert (unasked.code, unasked.level) == ("ports.held-unasked", "note")
        found = await ports([address], [])
        assert found[0].code == "ports.another-of-us"
        assert str(os.getpid()) in found[0].facts["who"]
        monkeypatch.setattr(module, "port_owner", lambda *_: None)
        (found_admin,) = await ports([address], None, admin=True)
        assert (found_admin.code, found_admin.facts["who"]) == ("ports.taken", "?")


async def test_a_socket_of_another_statusproxy_is_asked_too(tmp_path: Path) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    path = str(tmp_path / "other.sock")
    async with await asyncio.start_unix_server(speak, path):
        found = await ports([Address(unix=path)], None)
    assert found[0].code == "ports.taken"


@pytest.mark.parametrize(
    ("number", "code"), [(errno.EACCES, "privileged"), (errno.EPERM, "privileged"), (-1, "unusable")]
)
async def test_what_this_user_may_not_do_is_told(number: int, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_try", lambda _: number)
    found = await ports([Address("127.0.0.1", 80)], None)
    assert found[0].code == f"ports.{code}"


async def test_a_socket_in_a_folder_that_is_not_there_yet_is_free_and_one_in_a_closed_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert levels(await ports([Address(unix=str(tmp_path / "new" / "a.sock"))], None))["free"] == "ok"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "privileged" in levels(await ports([Address(unix=str(tmp_path / "a.sock"))], None))


@pytest.mark.parametrize(
    ("nothing_runs", "codes"),
    [
        (True, ["ports.free", "ports.this-machine-only", "ports.free"]),
        (False, ["ports.free", "ports.this-machine-only"]),
    ],
)
async def test_the_admin_listeners_port_is_looked_at_where_nothing_answers_there(
    nothing_runs: bool, codes: list[str]
) -> None:
    admin = f"admin: {{listen: 127.0.0.1:{free_port()}}}"
    settings = loads(f"gateway: http://gw\nlisten: 127.0.0.1:{free_port()}\n{admin}")
    found = await module.look(Subject(settings, nothing_runs=nothing_runs))
    assert [one.code for one in found] == codes


async def test_a_socket_that_the_running_proxy_serves_is_in_use(tmp_path: Path) -> None:
    address = Address(unix=str(tmp_path / "a.sock"))
    assert levels(await ports([address], [str(address)]))["held"] == "ok"
