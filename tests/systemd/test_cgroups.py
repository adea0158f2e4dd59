"""Each machine has control groups of its own."""

import subprocess
from pathlib import Path

import pytest

from tests.systemd import cgroups
from tests.systemd.cgroups import entering, own_groups, trees

MOUNTS = """tmpfs /sys/fs/cgroup tmpfs rw 0 0
cgroup /sys/fs/cgroup/cpu cgroup rw,relatime,cpu 0 0
cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,name=systemd 0 0
cgroup2 /sys/fs/cgroup/unified cgroup2 rw,nsdelegate 0 0
"""


def test_the_trees_are_those_by_which_systemd_knows_processes() -> None:
    assert trees(MOUNTS) == [Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup/unified")]


def test_a_machine_s_groups_are_its_own_and_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"cgroup2 {tmp_path} cgroup2 rw 0 0\ncgroup2 {tmp_path}/nowhere cgroup2 rw 0 0\n")
    monkeypatch.setattr(cgroups, "MOUNTS", mounts)
    with own_groups("a") as groups:
        assert groups == [tmp_path / "a"]
        (tmp_path / "a" / "system.slice" / "x.service").mkdir(parents=True)
    assert not (tmp_path / "a").exists()


def test_a_command_enters_its_groups_before_it_begins(tmp_path: Path) -> None:
    said = subprocess.run(entering([tmp_path], ["echo", "a b"]), capture_output=True, text=True, check=True).stdout
    assert said == "a b\n"
    assert (tmp_path / "cgroup.procs").read_text().strip().isdigit()
