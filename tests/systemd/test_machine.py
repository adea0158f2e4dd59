"""Where machines are kept."""

from pathlib import Path

import pytest

from tests.systemd.machine import room_in_memory

GIB = 1 << 30


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
