"""Trouble is told in words that help."""

import errno
import os
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


def test_a_full_disk_is_called_so_with_place_and_mend() -> None:
    error = sqlite_error(sqlite3.SQLITE_FULL, "SQLITE_FULL", "database or disk is full")
    told = describe(error, PATH)
    assert told.startswith("disk full: /var/lib/example/state.db: database or disk is full [SQLITE_FULL]; ")
    assert told.endswith("free some space, nothing else is needed")


def test_an_extended_code_is_told_like_its_primary_one() -> None:
    error = sqlite_error(sqlite3.SQLITE_IOERR | (4 << 8), "SQLITE_IOERR_FSYNC", "disk I/O error")
    assert describe(error, PATH).startswith("input/output error: ")


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "disk full"), (errno.EDQUOT, "disk full"), (errno.EROFS, "not writable"),
     (errno.EACCES, "permission denied"), (errno.EIO, "input/output error"),
     (errno.ENOTDIR, "cannot be opened")],
)  # fmt: skip
def test_the_kernels_errors_have_words_too(number: int, word: str) -> None:
    assert describe(OSError(number, os.strerror(number)), PATH).startswith(f"{word}: {PATH}: ")


def test_an_error_without_a_known_code_still_says_what_and_where() -> None:
    assert describe(ValueError("odd"), PATH) == f"cannot be written: {PATH}: odd [ValueError]"


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
