"""Disk, ports and systemd's units before the doctor."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from statusproxy.config.addresses import Address, parse_address
from statusproxy.config.load import loads
from statusproxy.demo.proxy import free_port
from statusproxy.doctor.findings import Finding
from statusproxy.doctor.looks import disk as disk_module
from statusproxy.doctor.looks.configuration import configuration
from statusproxy.doctor.looks.disk import disk
from statusproxy.doctor.looks.ports import ports
from statusproxy.doctor.looks.service import Run, run, service
from statusproxy.store.repair import rebuild
from tests.store.damaged import damage_page, filled, noise


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.code.partition(".")[2]: finding.level.value for finding in findings}


# Disk


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in folder.iterdir()}


async def test_a_folder_that_is_still_to_be_made_is_well_where_it_can_be(tmp_path: Path) -> None:
    assert levels(await disk(f"sqlite:///{tmp_path}/new/state.db", {}, works=False)) == {"writable": "ok"}


async def test_a_relative_path_lies_in_the_state_directory(tmp_path: Path) -> None:
    (finding,) = await disk("sqlite:///state.db", {"STATE_DIRECTORY": str(tmp_path)}, works=True)
    assert (finding.code, finding.facts["path"]) == ("disk.works", tmp_path / "state.db")


async def test_what_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert levels(await disk(f"sqlite:///{tmp_path}/state.db", {}, works=False)) == {"not-writable": "warning"}


async def test_a_disk_that_fills_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_module, "_LOW", 2**62)
    assert levels(await disk(f"sqlite:///{tmp_path}/state.db", {}, works=True)) == {"low": "warning"}
    monkeypatch.setattr(disk_module, "_FULL", 2**62)
    assert levels(await disk(f"sqlite:///{tmp_path}/state.db", {}, works=True)) == {"full": "problem"}


async def test_damage_is_told_also_while_no_proxy_runs_and_nothing_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    filled(path)
    damage_page(path, 5, noise)
    rebuild(path, "corrupt", 1.0)
    before = contents(tmp_path)
    assert levels(await disk(f"sqlite:///{path}", {}, works=False)) == {"state-damaged": "warning"}
    assert contents(tmp_path) == before
    path.write_bytes(b"no database")
    assert levels(await disk(f"sqlite:///{path}", {}, works=False)) == {"writable": "ok"}


async def test_memory_has_no_disk() -> None:
    assert await disk("memory:", {}, works=False) == []


# Ports


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


# Units


def systemctl(system: str = "LoadState=not-found", user: str = "LoadState=not-found", linger: str = "yes",
              socket_unit: str = "LoadState=loaded\nActiveState=active") -> Run:  # fmt: skip
    async def run(*command: str) -> str | None:
        if command[0] == "loginctl":
            return linger + "\n"
        if "--user" in command:
            return user
        return socket_unit if "statusproxy.socket" in command else system

    return run


def unit(**properties: str) -> str:
    known: Mapping[str, str] = {
        "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "UnitFileState": "enabled",
        "NRestarts": "0", "Result": "success", "StatusText": "Serving",
    }  # fmt: skip
    return "\n".join(f"{name}={value}" for name, value in {**known, **properties}.items())


@pytest.mark.parametrize(
    ("system", "found"),
    [
        (unit(), {"active": "ok"}),
        (unit(ActiveState="failed", Result="exit-code"), {"failed": "problem"}),
        (unit(ActiveState="inactive"), {"stopped": "problem"}),
        (unit(ActiveState="activating"), {"starting": "warning"}),
        (unit(UnitFileState="disabled"), {"active": "ok", "not-enabled": "warning"}),
        (unit(NRestarts="3"), {"active": "ok", "restarts": "warning"}),
        ("LoadState=not-found", {"not-installed": "note"}),
    ],
)
async def test_a_unit_is_told_as_systemd_has_it(system: str, found: dict[str, str]) -> None:
    assert levels(await service(systemctl(system), booted=True)) == found


async def test_a_socket_that_does_not_listen_is_told() -> None:
    inactive = "LoadState=loaded\nActiveState=inactive"
    found = levels(await service(systemctl(unit(), socket_unit=inactive), booted=True))
    assert found == {"active": "ok", "socket-inactive": "warning"}


async def test_a_users_unit_that_ends_with_the_login_is_told() -> None:
    assert levels(await service(systemctl(user=unit(), linger="yes"), booted=True)) == {"active": "ok"}
    found = levels(await service(systemctl(user=unit(), linger="no"), booted=True))
    assert found == {"active": "ok", "no-linger": "warning"}


async def test_a_machine_without_systemd_is_left_alone() -> None:
    assert levels(await service(systemctl(), booted=False)) == {"no-systemd": "note"}


async def test_programs_are_run_for_what_they_print() -> None:
    assert await run("echo", "it") == "it\n"
    assert await run("false") is None
    assert await run("/no/such/program") is None


# Configuration


async def test_what_opens_a_door_or_leaves_a_gap_is_told() -> None:
    text = """
gateway: http://127.0.0.1:3000
preset: null
webhooks: [{path: /in, from: 0.0.0.0/0}]
trusted_proxies: ["::/0"]
state: {url: "memory:"}
admin: null
presence: trust
"""
    assert levels(await configuration(loads(text), "config.yaml")) == {
        "valid": "ok", "no-disconnect-rule": "problem", "no-channels": "problem", "admin-off": "note",
        "forgetful": "warning", "trusts-any-sender": "warning", "trusts-everybody": "warning",
        "presence-trusted": "warning",
    }  # fmt: skip
    assert levels(await configuration(loads("gateway: http://127.0.0.1:3000"), None)) == {"no-file": "note"}
