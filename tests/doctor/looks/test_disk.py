"""The place of the state: there, writable and with room, or told what is wrong with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from statusproxy.config.load import loads
from statusproxy.doctor.looks import disk as disk_module
from statusproxy.doctor.looks.disk import disk
from statusproxy.doctor.subject import Subject
from statusproxy.store.repair import rebuild
from tests.doctor.looks.levels import levels
from tests.store.damaged import damage_page, filled, noise


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


async def test_the_subjects_state_is_looked_for_where_the_service_keeps_it(tmp_path: Path) -> None:
    settings = loads("gateway: http://127.0.0.1:3000")
    found = await disk_module.look(Subject(settings, environ={"STATE_DIRECTORY": str(tmp_path)}))
    assert [(one.code, one.facts["path"]) for one in found] == [("disk.writable", tmp_path / "state.db")]


async def test_a_folder_that_this_user_may_not_see_is_told_unless_the_proxy_writes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "statvfs", forbidden)
    assert levels(await disk(f"sqlite:///{tmp_path}/state.db", {}, works=False)) == {"not-seen": "note"}
    assert levels(await disk(f"sqlite:///{tmp_path}/state.db", {}, works=True)) == {"in-use": "ok"}


async def test_a_proxy_that_writes_is_told_with_the_room_that_is_left(tmp_path: Path) -> None:
    (found,) = await disk(f"sqlite:///{tmp_path}/state.db", {}, works=True)
    assert (found.code, str(found.facts["free"]).endswith(" MiB")) == ("disk.works", True)
