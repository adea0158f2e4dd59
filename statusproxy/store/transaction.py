"""One transaction of SQLite: all of it, or nothing."""

import sqlite3
from contextlib import suppress

__all__ = ["Transaction"]


class Transaction:
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK if anything raised, a failing COMMIT included."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> sqlite3.Cursor:
        return self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: object, _traceback: object) -> None:
        try:
            if kind is None:
                self._connection.execute("COMMIT")
        finally:
            if self._connection.in_transaction:
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
