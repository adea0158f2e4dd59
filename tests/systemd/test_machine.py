"""Where machines are kept."""

import pytest

from tests.systemd.machine import room_in_memory


@pytest.mark.parametrize(
    ("meminfo", "room"),
    [
        ("MemTotal:       24105212 kB\nMemAvailable:    8388608 kB\n", True),
        ("MemTotal:       24105212 kB\nMemAvailable:    4194304 kB\n", False),
        ("MemTotal:       24105212 kB\n", False),
    ],
)
def test_they_are_kept_in_memory_only_where_it_has_room_for_some(meminfo: str, room: bool) -> None:
    assert room_in_memory(meminfo) is room
