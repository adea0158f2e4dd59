"""An error is told in words that help."""

import errno
import sqlite3
from pathlib import Path

import pytest

from statusproxy.store.errors import StoreError, check_words, describe, is_unusable, shown

PATH = Path("/var/lib/example/state.db")


def sqlite_error(code: int, name: str, text: str) -> sqlite3.Error:
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    error.sqlite_errorname = name
    return error


FIXES = {
    "disk full": "free some space, nothing else is needed",
    "not writable": "make the file and its directory writable, or remount the file system",
    "permission denied": "give the directory to the user that runs statusproxy",
    "input/output error": ("look at the kernel log (a failing disk?), at quotas and at limits on file sizes"),
    "locked by another program": "close the program that has it open for writing",
    "cannot be opened": "check that its directory exists and is writable",
    "corrupt": "check that no other program writes to it",
}


@pytest.mark.parametrize(("name", "word"), [
    ("FULL", "disk full"), ("READONLY", "not writable"), ("PERM", "permission denied"), ("AUTH", "permission denied"),
    ("IOERR", "input/output error"), ("BUSY", "locked by another program"), ("LOCKED", "locked by another program"),
    ("CANTOPEN", "cannot be opened"), ("CORRUPT", "corrupt"), ("NOTADB", "corrupt"),
])  # fmt: skip
@pytest.mark.parametrize("extended", [0, 4 << 8])
def test_sqlites_errors_have_words_a_place_and_a_fix(name: str, word: str, extended: int) -> None:
    error = sqlite_error(getattr(sqlite3, f"SQLITE_{name}") | extended, f"SQLITE_{name}_MORE", "as it says")
    assert describe(error, PATH) == f"{word}: {PATH}: as it says [SQLITE_{name}_MORE]; {FIXES[word]}"


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "disk full"), (errno.EDQUOT, "disk full"), (errno.EFBIG, "disk full"),
     (errno.EROFS, "not writable"), (errno.EACCES, "permission denied"), (errno.EPERM, "permission denied"),
     (errno.EIO, "input/output error"), (errno.ENOTDIR, "cannot be opened")],
)  # fmt: skip
def test_the_kernels_errors_have_words_too(number: int, word: str) -> None:
    assert describe(OSError(number, "as it says"), PATH) == f"{word}: {PATH}: as it says; {FIXES[word]}"


def test_an_error_without_a_known_code_still_says_what_and_where() -> None:
    assert describe(ValueError("odd"), PATH) == f"cannot be written: {PATH}: odd [ValueError]"
    assert describe(OSError(), PATH) == f"cannot be opened: {PATH}: OSError; {FIXES['cannot be opened']}"


def test_an_error_of_ours_speaks_for_itself() -> None:
    assert describe(StoreError("in use: by another"), PATH) == "in use: by another"


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
def test_broken_content_makes_a_file_unusable(code: int) -> None:
    assert is_unusable(sqlite_error(code, "", ""))


@pytest.mark.parametrize(
    "code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN]
)
def test_what_may_pass_makes_no_file_unusable(code: int) -> None:
    assert not is_unusable(sqlite_error(code, "", ""))


def test_what_a_check_found_is_one_line_without_sqlites_heading() -> None:
    assert check_words(b"*** in database main ***\nPage 4: btreeInitPage()\n  returns error code 11") == (
        "Page 4: btreeInitPage() returns error code 11"
    )
    assert check_words("row 1 missing from index") == "row 1 missing from index"
    assert check_words(b"\xff") == "\N{REPLACEMENT CHARACTER}"


def test_a_session_id_is_quoted_and_cut_where_it_is_long() -> None:
    assert shown("sales\n") == "'sales\\n'"
    assert shown("x" * 100) == repr("x" * 100)
    assert shown("x" * 101) == repr("x" * 100 + "…")
