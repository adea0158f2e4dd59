"""Repairs a damaged state file: sessions at once, then the history a little at a time.

Synchronous; the damaged file may not be open in this process.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from statusproxy.status.model import Record
from statusproxy.store import salvage
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database
from statusproxy.store.files import COMPANIONS
from statusproxy.store.replace import replace_database, unused_name
from statusproxy.store.spool_files import SpoolFiles, spool_folder
from statusproxy.store.spool_table import SpoolRow
from statusproxy.store.spooled import Entry
from statusproxy.store.sqlite_images import PageFile

__all__ = ["HistoryRepair", "rebuild"]

_READY: Final = ".ready"

# Pages of history taken over at a time: some 500 rows, 20 ms, so that a save in between hardly waits.
_PAGES: Final = 32


def rebuild(
    path: Path,
    cause: str,
    now: float,
    known: Mapping[str, Record] | None = None,
    spool: Mapping[str, Entry] | None = None,
    *,
    damaged: bool = True,
) -> Damage:
    """Replace a damaged database, and keep it under another name. Returns the notice of the damage.

    The new database holds the sessions of `known`, or if that is None those that can be read; and those entries of
    `spool` whose rows can be read, or if that is None all that can be read. `damaged` False: the file is whole, but
    not for this version, and nothing is read from it. The history is for `HistoryRepair`. Until the new file is
    complete, and all of it is in that one file, the damaged one stays where it is. Raises `OSError` or `sqlite3.Error`;
    then nothing is left of the new one, which may have filled the disk.
    """
    records = dict(known or {})
    earlier: list[Damage] = []
    numbers_from = 1
    if damaged and not path.is_dir():
        with PageFile(path) as file:
            if known is None:
                records = {record.session: record for record in salvage.records(file)}
            numbers_from = salvage.highest_number(file) + 1
            earlier = [each for payload in salvage.notices(file) if (each := Damage.decode(payload)) is not None]
    aside = unused_name(path, "unreadable", now)
    ready = Path(f"{path}{_READY}")
    _clear(ready)
    try:
        database, _ = Database.open(ready, now)
        try:
            database.write(records, [])
            saved = 0
            if damaged and not path.is_dir():
                with PageFile(path) as file:
                    saved = database.spool.put(_sound(file, spool))
                    if (outbox := salvage.outbox(file)).version:  # else outages already told would be told again
                        database.write({}, [], outbox=outbox)
            damage = Damage(
                now, cause, str(aside), len(records), pending=damaged, numbers_from=numbers_from, spooled=saved
            )  # fmt: skip
            for each in (*earlier, damage):
                database.note(each)
        except BaseException:
            database.abandon()
            raise
        database.finish()
        if not damaged:  # the bodies of its spool go with it
            SpoolFiles(spool_folder(path)).set_aside(aside)
        replace_database(path, ready, aside)
    except BaseException:
        _clear(ready)
        raise
    return damage


def _clear(ready: Path) -> None:
    """Remove what was being made ready, also by a process that was killed."""
    for ending in ("", *COMPANIONS):
        Path(f"{ready}{ending}").unlink(missing_ok=True)


def _sound(file: PageFile, known: Mapping[str, Entry] | None) -> Iterator[SpoolRow]:
    """The rows of the spool to be taken over, each as it was last, as far as that can be told."""
    attempts: dict[str, int] = {}
    for row in salvage.spooled(file):
        entry = row.entry
        if known is not None and entry.id not in known:
            continue  # delivered meanwhile
        if attempts.get(entry.id, -1) >= entry.attempts:
            continue
        attempts[entry.id] = entry.attempts
        yield row if known is None else row._replace(entry=known[entry.id])


class HistoryRepair:
    """Takes the history over from the damaged file, step by step. After a restart it starts from the beginning."""

    def __init__(self, number: int, damage: Damage) -> None:
        """`number` is that of the note in the database. Raises `OSError`."""
        self._number = number
        self._damage = msgspec.structs.replace(damage, changes=0)
        self._file = PageFile(Path(damage.set_aside or ""))
        self._next = 1

    def step(self, database: Database) -> Damage | None:
        """Take over the next few pages; the final note once there are no more. Raises `sqlite3.Error`."""
        rows = [(row.number, row.change) for row in salvage.history(self._file, self._next, _PAGES)]
        added = database.adopt(rows)
        self._next += _PAGES  # where they were not taken, the same pages come again
        self._damage = msgspec.structs.replace(self._damage, changes=self._damage.changes + added)
        if self._next <= self._file.pages:
            return None
        done = msgspec.structs.replace(self._damage, pending=False)
        database.note(done, self._number)
        self.close()
        return done

    def acknowledge(self) -> None:
        """The damage was acknowledged meanwhile: the final note must say so."""
        self._damage = msgspec.structs.replace(self._damage, acknowledged=True)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
