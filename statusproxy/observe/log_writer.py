"""A log handler that writes from a thread of its own, so that logging never waits for a reader.

A pipe that no one reads, a journal that has stalled, a terminal that was stopped with Ctrl-S, a full disk: each makes
`write` wait or fail. Lines then wait here, up to a bound; what comes beyond it is dropped and counted, and the count is
told in a line of its own once lines can be written again.
"""

import contextlib
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["END_LIMIT", "END_PATIENCE", "ROOM", "LogWriter"]

#: Bytes of lines that may wait: some 20 000 lines, or ten seconds of access lines at 2 000 requests a second.
ROOM: Final = 4 * 1024 * 1024

#: One part in so many of the room is kept for warnings and worse: access lines must not push them out.
_KEPT_FOR_WARNINGS: Final = 4

#: Seconds for which lines below a warning may wait for others, to be written together: waking the thread for each of a
#: thousand access lines a second would cost more than writing them.
_GATHER: Final = 0.01

#: Seconds between two attempts while writing fails (a full disk, a pipe without a reader).
_RETRY: Final = 1.0

#: Seconds for which the end waits for a reader that takes nothing at all, and for one that takes little.
END_PATIENCE: Final = 2.0
END_LIMIT: Final = 10.0

#: Bytes of whole lines in one `write`: up to PIPE_BUF (pipe(7)) it is atomic, so that the lines of several programs on
#: one pipe do not mix.
_PIECE: Final = select.PIPE_BUF


class LogWriter(logging.Handler):
    """A handler that formats at once and has its own thread write."""

    def __init__(self, descriptor: int, encoding: str = "utf-8", room: int = ROOM) -> None:
        """Write to a copy of `descriptor`; at most `room` bytes wait."""
        super().__init__()
        self._descriptor = os.dup(descriptor)
        self._encoding = encoding
        self._room = room
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        """Bytes that are not written yet, those being written included."""
        self._written = 0
        self._dropped = 0
        self._dropped_since = 0.0
        self._hurry = False
        """Whether the waiting lines must be written now."""
        self._ends = False
        self._changed = threading.Condition(threading.Lock())
        self._thread = threading.Thread(target=self._run, name="log writer", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take in one record; never waits for the reader."""
        line = self._line(record)
        room = self._room if record.levelno >= logging.WARNING else self._room - self._room // _KEPT_FOR_WARNINGS
        with self._changed:
            if self._waiting + len(line) > room:
                if not self._dropped:
                    self._dropped_since = time.monotonic()
                self._dropped += 1
            else:
                self._add(line, hurry=record.levelno >= logging.WARNING)

    def flush(self) -> None:
        """Wait until all lines are written, as long as the reader takes some: `END_PATIENCE`, `END_LIMIT`."""
        with self._changed:
            written, now = self._written, time.monotonic()
            patience, limit = now + END_PATIENCE, now + END_LIMIT
            self._hurry = True
            self._changed.notify_all()
            while self._waiting and self._thread.is_alive() and now < min(patience, limit):
                self._changed.wait(min(patience, limit) - now)
                now = time.monotonic()
                if self._written != written:
                    written, patience = self._written, now + END_PATIENCE

    @property
    def waiting(self) -> int:
        """Bytes of lines that are not written yet."""
        with self._changed:
            return self._waiting

    def close(self) -> None:
        """End the thread once it has written what it can; to wait for that, `flush` first."""
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            text = self.format(record)
        except Exception as error:  # noqa: BLE001 - a mistake in a log call must not cost a request
            text = f"a log line of {record.name} could not be formatted: {type(error).__name__}"
        return (text + "\n").encode(self._encoding, "backslashreplace")

    def _add(self, line: bytes, *, hurry: bool = False) -> None:
        self._lines.append(line)
        if not self._waiting or hurry > self._hurry:
            self._hurry = hurry
            self._changed.notify_all()
        self._waiting += len(line)

    # ---- the thread ----

    def _run(self) -> None:
        try:
            while self._write_all(self._next_lines()):
                self._tell_of_dropped()
        finally:
            os.close(self._descriptor)

    def _next_lines(self) -> deque[bytes]:
        """Wait for lines and take them; none at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ends)
            self._changed.wait_for(lambda: self._hurry or self._ends, _GATHER)
            self._hurry = False
            lines, self._lines = self._lines, deque()
            return lines

    def _write_all(self, lines: deque[bytes]) -> bool:
        """Write the lines, however long it takes; False at the end."""
        return bool(lines) and all(self._write(piece) for piece in _pieces(lines))

    def _write(self, piece: bytes) -> bool:
        """Write all of `piece`; False where the end came first."""
        while piece:
            count = self._try_to_write(piece)
            piece = piece[count:]
            with self._changed:
                self._waiting -= count
                self._written += count
                self._changed.notify_all()
                if self._ends and not count:
                    return False
        return True

    def _try_to_write(self, piece: bytes) -> int:
        """Write what can be written now; return how many bytes. If none could be written, wait a moment."""
        try:
            return os.write(self._descriptor, piece)
        except BlockingIOError:  # another process that shares the open file made it non-blocking
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            with contextlib.suppress(OSError):
                poll.poll(_RETRY * 1000)
        except OSError:
            with self._changed:
                self._changed.wait_for(lambda: self._ends, _RETRY)
        return 0

    def _tell_of_dropped(self) -> None:
        """Some lines were written: if others were dropped meanwhile, say how many, after all that wait."""
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            seconds = time.monotonic() - self._dropped_since
        if not dropped:
            return
        line = self._line(
            logging.makeLogRecord(
                {
                    "name": "statusproxy.log",
                    "levelno": logging.WARNING,
                    "levelname": logging.getLevelName(logging.WARNING),
                    "msg": "%d log lines were dropped: no one read the log, or it could not be written, for %d s",
                    "args": (dropped, round(seconds)),
                    "dropped": dropped,
                }
            )
        )
        with self._changed:
            self._add(line)


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines joined up to `_PIECE` bytes; a longer line by itself. There must be at least one line."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        if group and size + len(line) > _PIECE:
            yield b"".join(group)
            group, size = [], 0
        group.append(line)
        size += len(line)
    yield b"".join(group)
