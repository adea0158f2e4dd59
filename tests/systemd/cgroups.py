"""A place of its own in this host's control groups for each machine.

systemd looks for a unit's processes in the group of the unit's name. Two machines that begin at the same group have the
same groups: each finds the other's processes in its units, cannot name them (they count as process 0, an input/output
error), and ends or loses them.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MOUNTS: Final = Path("/proc/mounts")


def trees(mounts: str) -> list[Path]:
    """The trees by which a systemd knows processes: its own of version 1, and that of version 2."""
    found = []
    for line in mounts.splitlines():
        _, place, kind, options, *_ = line.split(" ")
        if kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(",")):
            found.append(Path(place))
    return found


@contextlib.contextmanager
def own_groups(name: str) -> Iterator[list[Path]]:
    """A group of this name in each tree, gone afterwards; none where this host lets no one make one."""
    made = []
    for tree in trees(MOUNTS.read_text(encoding="utf-8")):
        with contextlib.suppress(OSError):
            (tree / name).mkdir()
            made.append(tree / name)
    try:
        yield made
    finally:
        for group in made:
            # What the machine made within goes from the leaves up; a group that is in use stays.
            for folder in sorted(group.rglob("*"), key=lambda each: len(each.parts), reverse=True):
                if folder.is_dir():
                    with contextlib.suppress(OSError):
                        folder.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()


def entering(groups: list[Path], command: list[str]) -> list[str]:
    """The command that enters these groups and then becomes this one."""
    joins = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    return ["/bin/sh", "-c", f'{joins}exec "$@"', "sh", *command]
