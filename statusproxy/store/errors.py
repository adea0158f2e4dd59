"""Errors of the durable state, worded so that an operator can act on them.

`StoreError` is the one family a caller has to know. `describe` turns what SQLite or the kernel said into
"what happened: where: how to fix it"; result codes as in https://www.sqlite.org/rescode.html.
"""

import errno
import sqlite3
from pathlib import Path

__all__ = [
    "NotAttachedError", "StoreError", "StoreInUseError", "check_words", "describe", "is_unusable", "primary_code",
    "shown",
]  # fmt: skip


class StoreError(Exception):
    """The durable state could not be read or written; the message says why and how to fix it.

    Raised by `save`, it does not mean that the change is lost: it is kept in memory and written as soon as
    the disk takes it. The caller counts it, logs it and goes on.
    """


class StoreInUseError(StoreError):
    """Another process holds the database; two writers would overwrite each other's sessions."""


class NotAttachedError(StoreError):
    """The store is not open now; the last attempt to write says why."""


_FULL = "disk full"
_READ_ONLY = "not writable"
_DENIED = "permission denied"
_BROKEN = "input/output error"
_LOCKED = "locked by another program"
_ABSENT = "cannot be opened"
_CORRUPT = "corrupt"

_FIXES = {
    _FULL: "free some space, nothing else is needed",
    _READ_ONLY: "make the file and its directory writable, or remount the file system",
    _DENIED: "give the directory to the user that runs statusproxy",
    _BROKEN: "look at the kernel log (a failing disk?), at quotas and at limits on file sizes",
    _LOCKED: "close the program that has it open for writing",
    _ABSENT: "check that its directory exists and is writable",
    _CORRUPT: "check that no other program writes to it",
}

# By primary result code: the extended ones (IOERR_FSYNC, READONLY_DBMOVED, …) carry it in their low byte.
_SQLITE_WORDS = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _DENIED,
    sqlite3.SQLITE_AUTH: _DENIED,
    sqlite3.SQLITE_IOERR: _BROKEN,
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_CANTOPEN: _ABSENT,
    sqlite3.SQLITE_CORRUPT: _CORRUPT,
    sqlite3.SQLITE_NOTADB: _CORRUPT,
}

_ERRNO_WORDS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EIO: _BROKEN,
}

# What says that the *content* is of no use, so that setting the file aside helps. All else (a full disk,
# missing rights, a lock) says nothing about the content: the file stays where it is.
_UNUSABLE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})


def primary_code(error: BaseException) -> int | None:
    """SQLite's primary result code of an error, or None where it carries none."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_unusable(error: BaseException) -> bool:
    """Whether an error means that the database's content is broken (and not just out of reach for now)."""
    return primary_code(error) in _UNUSABLE


def check_words(answer: bytes | str) -> str:
    """What `PRAGMA quick_check` or `integrity_check` found, as one line."""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split()).removeprefix("*** in database main *** ")


def describe(error: BaseException, path: Path) -> str:
    """One line for logs and the health answer: what, where, SQLite's or the kernel's own words, the fix."""
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, OSError):
        word = _ERRNO_WORDS.get(error.errno or 0, _ABSENT)
        detail = error.strerror or type(error).__name__
    else:
        word = _SQLITE_WORDS.get(primary_code(error) or 0, "cannot be written")
        name = getattr(error, "sqlite_errorname", None) or type(error).__name__
        detail = f"{error} [{name}]"
    fix = _FIXES.get(word)
    return f"{word}: {path}: {detail}" + (f"; {fix}" if fix else "")


def shown(session: str) -> str:
    """A session id as messages quote it: escaped, and not without end."""
    return repr(session if len(session) <= 100 else session[:100] + "…")
