"""The systemd unit, as systemctl tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.doctor.looks import service as service_module
from statusproxy.doctor.looks.service import Run, look, run, service
from statusproxy.doctor.subject import Subject
from tests.doctor.looks.levels import levels


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
        ("", {"unasked": "note"}),
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


async def test_the_subjects_way_to_run_programs_is_used() -> None:
    subject = Subject(loads("gateway: http://gw"), run=systemctl(unit()), booted=True)
    assert levels(await look(subject)) == {"active": "ok"}


async def test_whether_systemd_runs_this_machine_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_dir", lambda path: str(path) != "/run/systemd/system")
    assert levels(await look(Subject(loads("gateway: http://gw")))) == {"no-systemd": "note"}


async def test_a_program_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "_PATIENCE", 0.0)
    assert await run("sleep", "60") is None
