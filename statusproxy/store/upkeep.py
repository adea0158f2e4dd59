"""Upkeep of the SQLite file between writes: checkpoint, prune, recover history, check.

Each step is short, so that a save that comes meanwhile hardly waits; the check of the whole file has a thread and a
connection of its own. Everything else here runs on the writer's thread.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from statusproxy.observe.counted import counted
from statusproxy.store.age import HistoryAge
from statusproxy.store.damage import Damage
from statusproxy.store.database import Database
from statusproxy.store.errors import check_words, describe, is_unusable
from statusproxy.store.failure_log import FailureLog, times
from statusproxy.store.repair import HistoryRepair

__all__ = ["Check", "Upkeep", "UpkeepTiming"]

_SECONDS_PER_DAY: Final = 86_400

# Beyond the days, a bound in rows: a session that flaps all day must not fill the disk (some 200 bytes each).
HISTORY_ROWS: Final = 500_000
# Deleted at a time: some 25 ms, so that a save in between hardly waits.
_PRUNE_ROWS: Final = 5_000

# After a step that failed (a full disk) all steps pause, longer each time.
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0

_NEVER: Final = float("inf")


class UpkeepTiming(msgspec.Struct, frozen=True):
    """Pauses, in seconds. Tests shorten them; nothing else has a reason to."""

    prune_every: float = _SECONDS_PER_DAY
    """Between two looks for history that is past its days."""
    watch_every: float = 2.0
    """Between two looks at whether the files are still there, where no commit looks anyway."""
    rest: float = 5.0
    """Without a commit for this long, the log is copied into the database file, which is then whole by itself."""
    check_every: float = 3_600.0
    """Between two checks of the whole file for damage."""


class Upkeep:
    """When what is due, for one open database after the other."""

    def __init__(
        self,
        path: Path,
        history_days: float | None,
        clock: Callable[[], float],
        log: logging.Logger,
        timing: UpkeepTiming,
    ) -> None:
        self._path = path
        self._age = HistoryAge(history_days, clock)
        self._log = log
        self._timing = timing
        self._repairs: list[HistoryRepair] = []
        self._prune_at = self._rest_at = self._watch_at = _NEVER
        self._failures = FailureLog(time.monotonic)
        self._pause = 0.0  # after the last step, if it failed
        self._paused_until = 0.0

    def opened(self, notices: dict[int, Damage]) -> None:
        """Begin with a database that was just opened, and holds these notices of damage."""
        self.stop()
        now = time.monotonic()
        self._prune_at = now
        self._watch_at = now + self._timing.watch_every
        self._rest_at = now + self._timing.rest
        for number, damage in notices.items():
            if damage.pending:
                try:
                    self._repairs.append(HistoryRepair(number, damage))
                except OSError as error:
                    self._log.error(
                        "state: the history in %s cannot be read now: %s; it is tried again at the next start",
                        damage.set_aside, error,
                    )  # fmt: skip

    def committed(self) -> None:
        """Something was written: the next rest begins now, and the files were looked at."""
        now = time.monotonic()
        self._rest_at = now + self._timing.rest
        self._watch_at = now + self._timing.watch_every

    def due_at(self) -> float:
        """When the next step is due, as `time.monotonic` counts."""
        work = min(self._prune_at, self._rest_at, time.monotonic() if self._repairs else _NEVER)
        return min(self._watch_at, max(work, self._paused_until))

    def acknowledged(self) -> None:
        """The notices were acknowledged, those too whose history is still being read."""
        for repair in self._repairs:
            repair.acknowledge()

    def watched(self) -> None:
        """Set the next check of the files: they were checked just now."""
        self._watch_at = time.monotonic() + self._timing.watch_every

    def step(self, database: Database) -> Damage | None:
        """Do one thing that is due; a note that has changed. Raises `sqlite3.Error` where the content is damaged."""
        now = time.monotonic()
        done = None
        if now < self._paused_until:
            return None
        try:
            if self._repairs:
                done = self._take_over(database)
            elif now >= self._rest_at:
                self._checkpoint(database)
            elif now >= self._prune_at:
                self._prune(database)
            else:
                return None
        except (sqlite3.Error, OSError) as error:
            if is_unusable(error):
                raise
            self._put_off(error)
            return None
        self._pause = 0.0
        self._failures.works()
        return done

    def stop(self) -> None:
        """The database is about to be closed."""
        for repair in self._repairs:
            repair.close()
        self._repairs.clear()
        self._prune_at = self._rest_at = self._watch_at = _NEVER
        self._paused_until = 0.0

    def _put_off(self, error: Exception) -> None:
        """Pause after a failure. No state is at stake: the next save tells if it is serious."""
        self._pause = min(self._pause * 2 or _FIRST_PAUSE, _LONGEST_PAUSE)
        self._paused_until = time.monotonic() + self._pause
        why = describe(error, self._path)
        kept_back = self._failures.fails(why)
        if kept_back is not None:
            self._log.warning("state: upkeep has to wait: %s%s", why, times(kept_back))

    def _take_over(self, database: Database) -> Damage | None:
        repair = self._repairs[0]
        try:
            done = repair.step(database)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the writer must live on
            # The note stays as it is, so that the next start tries again.
            self._log.error("state: the history of a damaged file could not be read", exc_info=error)
            self._repairs.pop(0)
            repair.close()
            return None
        if done is not None:
            self._repairs.pop(0)
            self._log.warning(
                "state: %s saved from %s",
                counted(done.changes, "change of the history was", "changes of the history were"),
                done.set_aside,
            )
        return done

    def _checkpoint(self, database: Database) -> None:
        self._rest_at = time.monotonic() + self._timing.rest  # where it fails, or a reader is in the way
        if database.checkpoint():
            self._rest_at = _NEVER

    def _prune(self, database: Database) -> None:
        wait = self._age.wait
        if not database.prune(self._age.before(), HISTORY_ROWS, _PRUNE_ROWS):
            self._prune_at = time.monotonic() + (min(wait, self._timing.prune_every) or self._timing.prune_every)


class Check:
    """Looks through the whole file for damage, now and then, in a thread of its own."""

    def __init__(self, path: Path, every: float, found: Callable[[str], None]) -> None:
        """`found` is called, in that thread, with SQLite's words for the damage."""
        self._path = path
        self._every = every
        self._found = found
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="statusproxy-check", daemon=True)

    def start(self) -> None:
        """Begin; the first check comes after a whole pause, since opening has checked."""
        self._thread.start()

    def stop(self) -> None:
        """End, also in the middle of a check: its connection must not be the last one to the file."""
        self._stop.set()
        with self._lock:
            if self._connection is not None:
                self._connection.interrupt()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            damage = self._look()
            if damage is not None and not self._stop.is_set():
                self._found(damage)

    def _look(self) -> str | None:
        try:
            connection = sqlite3.connect(f"file:{quote(str(self._path))}?mode=ro", uri=True)
        except sqlite3.Error:
            return None
        with self._lock:
            self._connection = connection
        try:
            if self._stop.is_set():
                return None
            answer = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
            return None if answer == "ok" else check_words(answer)
        except sqlite3.Error as error:
            return str(error) if is_unusable(error) else None
        finally:
            with self._lock:
                self._connection = None
            with suppress(sqlite3.Error):
                connection.close()
