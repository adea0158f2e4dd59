"""The file systems of machines: made once, and in memory where there is room."""

import os
from pathlib import Path

import pytest

from tests.systemd import roots
from tests.systemd.roots import room_in_memory

GIB = 1 << 30

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="making a machine's file system needs root")


@pytest.fixture
def mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The calls of what stands in for mmdebstrap."""
    calls, program = tmp_path / "calls", tmp_path / "bin" / "mmdebstrap"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$*" >>{calls}\ntouch "$TMPDIR/x" && echo made >"$last"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return calls


@needs_root
def test_each_is_made_once(mmdebstrap: Path, capsys: pytest.CaptureFixture[str]) -> None:
    roots.main()
    assert "making the file systems" in capsys.readouterr().out
    assert {roots.root_archive(each).read_text() for each in (roots.PACKAGES, roots.VPS)} == {"made\n"}
    assert roots.root_archive(roots.PACKAGES) != roots.root_archive(roots.VPS)
    roots.main()
    assert capsys.readouterr().out == ""
    calls = mmdebstrap.read_text().splitlines()
    assert sorted("redis-server" in call for call in calls if "--include=" in call) == [False, True]


@needs_root
def test_where_they_cannot_be_made_that_is_said(mmdebstrap: Path) -> None:
    (mmdebstrap.parent / "bin" / "mmdebstrap").write_text("#!/bin/sh\nexit 25\n")
    with pytest.raises(SystemExit, match="they cannot be made here"):
        roots.main()
    assert not roots.archive_of(roots.PACKAGES).exists()


@pytest.mark.parametrize(
    ("available", "group", "room"),
    [
        ("MemAvailable:    8388608 kB\n", {}, True),
        ("MemAvailable:    4194304 kB\n", {}, False),
        ("", {}, False),
        ("MemAvailable:    8388608 kB\n", {"max": "max", "current": str(GIB)}, True),
        ("MemAvailable:    8388608 kB\n", {"max": str(8 * GIB), "current": str(GIB)}, True),
        ("MemAvailable:    8388608 kB\n", {"max": str(8 * GIB), "current": str(3 * GIB)}, False),
        ("MemAvailable:    4194304 kB\n", {"max": str(8 * GIB), "current": str(GIB)}, False),
    ],
)
def test_they_are_kept_in_memory_only_where_host_and_container_have_room_for_some(
    tmp_path: Path, available: str, group: dict[str, str], room: bool
) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal:       24105212 kB\n{available}")
    for name, text in group.items():
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    assert room_in_memory(tmp_path / "meminfo", tmp_path) is room
