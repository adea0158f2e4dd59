"""The SQLite state's files: locking, opening, and recovery from damage or deletion.

Used by the writer's thread only (`sqlite_writer.py`). What an outsider can do to the files, and what is done about it:

- A damaged file is rebuilt from what can be read of it (`repair.py`), and kept under another name.
- A deleted `-wal`, `-shm` or database is still whole behind the open connection: its content is saved from there.
- A replaced database is used, as the operator wants it; what it replaced is kept beside it.
- A deleted lock file is made again; the database file is locked as well.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from statusproxy.observe.counted import counted
from statusproxy.status.model import Record
from statusproxy.store import salvage
from statusproxy.store.damage import Damage
from statusproxy.store.database import Contents, Database, UnusableError, read_only
from statusproxy.store.errors import describe, is_unusable, shown
from statusproxy.store.files import make_directory
from statusproxy.store.lease import Lease
from statusproxy.store.repair import rebuild
from statusproxy.store.replace import finish_replacement, replace_database, unused_name
from statusproxy.store.spooled import Entry
from statusproxy.store.sqlite_images import PageFile
from statusproxy.store.upkeep import Upkeep

__all__ = ["StateFile"]

# How often a process sets a database aside before it takes what it sees for a sick disk and stops littering.
_SET_ASIDE_TIMES: Final = 5


class StateFile:
    """One state file, opened again as often as its files need it."""

    def __init__(
        self, path: Path, *, lock_wait: float, clock: Callable[[], float], log: logging.Logger, upkeep: Upkeep
    ) -> None:
        """`lock_wait`: seconds to wait for another process that is leaving; `clock` gives epoch seconds."""
        self.path = path
        self.database: Database | None = None
        """The open database; None while it cannot be opened."""
        self.notices: dict[int, Damage] = {}
        """What is known of damage, by number. Replaced as a whole, so that other threads may read it."""
        self.repairs = {"damaged": 0, "deleted": 0, "replaced": 0}
        """How often the files were repaired, by what had happened to them."""
        self.rescued: list[Path] = []
        """Copies of what was open before, whose rows may not be in the open file. Empty again once all is written."""
        self._temporary: list[Path] = []
        self._upkeep = upkeep
        self._lock_wait = lock_wait
        self._clock = clock
        self._log = log
        self._lease: Lease | None = None
        self._told_of_lock = False
        self._rescued: str | None = None
        self._may_set_aside = _SET_ASIDE_TIMES

    @property
    def held(self) -> bool:
        """Whether this process holds the locks."""
        return self._lease is not None

    def open(self, known: Mapping[str, Record] | None, spool: Mapping[str, Entry] | None = None) -> Contents:
        """Take the locks and open the file. A file of no use is kept under another name, and rebuilt.

        It is rebuilt with the sessions in `known` and entries in `spool`, or with those that can be read if that is
        None. Raises `StoreInUseError` if another process has it, else `OSError`, `sqlite3.Error` or `UnusableError`.
        """
        make_directory(self.path.parent)
        lease = self._take()
        finish_replacement(self.path)
        lease.hold(self._lock_wait)
        try:
            self.database, contents = Database.open(self.path, self._clock())
        except UnusableError as useless:
            if self._may_set_aside <= 0:
                raise
            self._rebuild(str(useless), known, spool, damaged=useless.damaged)
            lease.hold()
            self.database, contents = Database.open(self.path, self._clock())
        try:
            lease.hold()
            self._tell_of_rejected(contents)
            self.notices = self.database.notices()
            self._upkeep.opened(self.notices)
        except BaseException:
            self.close()  # the next attempt has to open it, too: it may be another file
            raise
        return contents

    def read(self) -> Contents:
        """The sessions of a file that cannot be opened for writing: none, if not even reading works."""
        try:
            return read_only(self.path)
        except UnusableError as useless:
            if not useless.damaged:
                return Contents()
        except (sqlite3.Error, OSError) as error:
            if not is_unusable(error):
                return Contents()
        with suppress(OSError), PageFile(self.path) as file:
            return Contents(salvage.records(file))
        return Contents()

    def look_after(self, sessions: int) -> None:
        """See that the names still lead to the files that are open, and to our lock; afterwards open or not.

        `sessions` is how many are known and will be written again, for the log.
        """
        database = self.database
        if database is None:
            return
        self._upkeep.watched()
        moved = database.moved()
        if moved is not None:
            self._log.error(
                "state: %s of %s was deleted or replaced; %s written again",
                moved,
                self.path,
                "its session is" if sessions == 1 else f"all {sessions} sessions are",
            )
            self._rescue(database, moved)
        elif self._lease is not None and self._lease.lost():
            # The database file itself is locked, too, so that no one else can have become its writer.
            renewed = self._lease.renew()
            if renewed or not self._told_of_lock:
                made = "it was made again" if renewed else "another process holds the new one"
                self._log.warning("state: the lock file of %s was deleted or replaced; %s", self.path, made)
            self._told_of_lock = not renewed

    def vanished(self) -> bool:
        """Whether `look_after` has anything to do."""
        moved = self.database is not None and self.database.moved() is not None
        return moved or (self._lease is not None and self._lease.lost())

    def written(self) -> None:
        """All that is known is in the files: what had to be rescued is."""
        if self._rescued is not None:
            self.repairs[self._rescued] += 1
            self._rescued = None
        self.rescued.clear()
        while self._temporary:
            self._temporary.pop().unlink(missing_ok=True)

    def spoilt(
        self, error: Exception, known: Mapping[str, Record] | None, spool: Mapping[str, Entry] | None = None
    ) -> bool:
        """Whether the content broke while in use; then it has been rebuilt, as by `open`, and can be opened."""
        if not isinstance(error, sqlite3.Error) or not is_unusable(error) or self._may_set_aside <= 0:
            return False
        self._upkeep.stop()
        if self.database is not None:
            self.database.abandon()
            self.database = None
        try:
            self._rebuild(f"corrupt ({error})", known, spool)
        except Exception as failure:  # noqa: BLE001 - a full disk, a bug: the writer must live on, and tries again
            self._log.error("state: %s could not be repaired: %s", self.path, describe(failure, self.path))
            return False
        return True

    def keep_up(self) -> None:
        """Do one step of upkeep. Raises `sqlite3.Error` if the content is damaged."""
        if self.database is not None:
            self._upkeep.watched()
            if self._upkeep.step(self.database) is not None:
                self.notices = self.database.notices()

    def acknowledge(self) -> int:
        """Acknowledge all damage so far; give how many there were. Raises `sqlite3.Error`."""
        assert self.database is not None
        new = {number: damage for number, damage in self.notices.items() if not damage.acknowledged}
        for number, damage in new.items():
            self.database.note(replace(damage, acknowledged=True), number)
        self._upkeep.acknowledged()
        self.notices = self.database.notices()
        return len(new)

    def close(self) -> None:
        """Close the database, its log moved into it; the locks stay."""
        self._upkeep.stop()
        if self.database is not None:
            self.database.close()
            self.database = None

    def release(self) -> None:
        """Release the locks, after `close`."""
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _take(self) -> Lease:
        if self._lease is not None and not self._lease.renew():
            self.release()  # someone else may have become the writer
        if self._lease is None:
            self._lease = Lease.take(self.path, self._lock_wait)
        return self._lease

    def _rebuild(
        self,
        cause: str,
        known: Mapping[str, Record] | None,
        spool: Mapping[str, Entry] | None,
        *,
        damaged: bool = True,
    ) -> None:
        damage = rebuild(self.path, cause, self._clock(), known, spool, damaged=damaged)
        self._may_set_aside -= 1  # where there was no room for it, it is tried again for as long as it takes
        self.repairs["damaged"] += 1
        self._log.error(
            "state: %s is %s; it is kept as %s, and a new one was started with %s",
            self.path, cause, damage.set_aside, counted(damage.sessions, "session"),
        )  # fmt: skip
        if damage.spooled:
            self._log.error(
                "state: %s saved from %s",
                counted(damage.spooled, "event of the spool was", "events of the spool were"),
                damage.set_aside,
            )

    def _rescue(self, database: Database, moved: str) -> None:
        """Take from the open files all that is in them, and close them."""
        if moved != "the database":
            self._rescued = "deleted"
            with self._telling():
                if not database.checkpoint():
                    self._log.warning("state: another program is reading %s; its log may not be complete", self.path)
                    self._copy_rest(database)
            self._upkeep.stop()
            database.abandon()
            self.database = None
            return
        replaced = self.path.exists()
        self._rescued = "replaced" if replaced else "deleted"
        copy = unused_name(self.path, "replaced" if replaced else "rescued", self._clock())
        with self._telling():
            database.copy_to(copy)
        self.close()  # empties its log, too, which would else be treated as that of the new file
        with self._telling():
            database.drop_log()
        if not copy.exists():
            return
        # Another process may have taken the place meanwhile.
        if not replaced and self._lease is not None and self._lease.renew() and not self.path.exists():
            with self._telling():
                replace_database(self.path, copy, None)
                return
        self.rescued.append(copy)
        self._log.warning("state: what the file held before is kept as %s", copy)

    def _copy_rest(self, database: Database) -> None:
        """Keep the rows that only the deleted log has, until they are in the file."""
        copy = unused_name(self.path, "rescued", self._clock())
        self._temporary.append(copy)
        database.copy_to(copy)
        self.rescued.append(copy)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._log.error(
                "state: the content of the deleted file could not be saved completely: %s", describe(error, self.path)
            )

    def tell_of_rejected_entries(self, ids: Sequence[str]) -> None:
        """Report rows of the spool that cannot be read and were moved to `rejected`."""
        assert self.database is not None
        for id_ in ids:
            self._log.error(
                "state: the row of the spool's event %s in %s cannot be read; it was moved to the table `rejected`",
                shown(id_), self.path,
            )  # fmt: skip
        self.notices = self.database.notices()

    def _tell_of_rejected(self, contents: Contents) -> None:
        for session in contents.rejected:
            self._log.error(
                "state: the row of session %s in %s cannot be read; it was moved to the table `rejected`, "
                "the session starts afresh",
                shown(session), self.path,
            )  # fmt: skip
