"""The files of the spool's large bodies: one an entry, named by its id, in a directory beside the state file.

Synchronous, and used by the writer's thread only. A file is whole and synced before the commit that speaks of it, and
it goes after the commit of its removal: a crash in between leaves a file without a row, which `sweep` removes.
"""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final
from zlib import crc32

from statusproxy.store.files import seal, sync_directory
from statusproxy.store.spooled import Body, Kept, Removed, SpoolOp

__all__ = ["SpoolFiles", "checksum_of", "spool_folder"]

# Bytes of a file that are read at a time.
_PIECE: Final = 256 * 1024


def spool_folder(state: Path) -> Path:
    """The directory of a state file's large bodies."""
    return Path(f"{state}.spool")


def checksum_of(body: Body) -> int:
    """The CRC-32 of a body, in memory or in a file. Raises `OSError`."""
    if isinstance(body, bytes):
        return crc32(body)
    sum_ = 0
    with open(body, "rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            sum_ = crc32(piece, sum_)
    return sum_


class SpoolFiles:
    """One such directory, made by who hands in the first file. All methods raise `OSError`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, id_: str) -> Path | None:
        """The file of an entry's body; None where it is missing."""
        path = self.folder / id_
        return path if path.is_file() else None

    def keep(self, ops: Iterable[SpoolOp]) -> list[str]:
        """Move the bodies of new entries to their place, and see that they are on disk; the ids of those that are gone.

        Doing it again does no harm.
        """
        gone, some = [], False
        for op in ops:
            if not isinstance(op, Kept) or not isinstance(op.content.body, Path):
                continue
            if self._take(op.content.body, self.folder / op.id) or self.file(op.id) is not None:
                some = True
            else:
                gone.append(op.id)
        if some:
            sync_directory(self.folder)
        return gone

    def remove(self, ops: Iterable[SpoolOp]) -> None:
        """Remove the files of entries that were removed. The first error is raised when all was tried."""
        failed: OSError | None = None
        for op in ops:
            if isinstance(op, Removed):
                for path in (self.folder / op.id, op.body):
                    try:
                        if path is not None:
                            path.unlink(missing_ok=True)
                    except OSError as error:
                        failed = failed or error
        if failed is not None:
            raise failed

    def sweep(self, names: Collection[str]) -> int:
        """Remove all files but those of these names: nothing speaks of them. Gives how many there were."""
        removed = 0
        try:
            found = os.scandir(self.folder)
        except FileNotFoundError:
            return 0
        for entry in found:
            if entry.name not in names and not entry.is_dir(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)
                    removed += 1
        return removed

    def set_aside(self, name: Path) -> None:
        """Rename the directory, if there is one: its state file, which was not read, is kept as `name`."""
        with suppress(FileNotFoundError):
            os.rename(self.folder, spool_folder(name))

    def _take(self, source: Path, target: Path) -> bool:
        try:
            handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        seal(handle)
        os.rename(source, target)
        return True
