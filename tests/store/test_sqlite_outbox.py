"""The document as the thread knows it, and how it is asked for."""

from collections.abc import Callable
from typing import Any

from statusproxy.store.outbox import OutboxDocument
from statusproxy.store.sqlite_outbox import KnownOutbox, SqliteOutbox

ONE, TWO = OutboxDocument(1, b"one"), OutboxDocument(2, b"two")


def test_what_is_pending_is_written_until_it_is_on_disk() -> None:
    known = KnownOutbox()
    assert known.due(anew=True) is None
    known.pending = ONE
    assert (known.due(anew=False), known.due(anew=True)) == (ONE, ONE)
    known.committed()
    assert (known.document, known.due(anew=False)) == (ONE, None)
    known.committed()
    assert known.document == ONE


def test_a_new_file_gets_what_is_known_and_nothing_where_nothing_was_ever_written() -> None:
    known = KnownOutbox()
    known.document = OutboxDocument(0, b"")
    assert known.due(anew=True) is None
    known.document = ONE
    assert known.due(anew=True) == ONE
    known.pending = TWO
    assert known.due(anew=True) == TWO


async def test_both_questions_are_asked_in_the_thread() -> None:
    class Writer:
        def outbox(self) -> OutboxDocument:
            return ONE

        def write_outbox(self, payload: bytes, after: int) -> int | None:
            return after + 1 if (payload, after) == (b"two", 1) else None

    asked = 0

    async def ask(question: Callable[[], Any]) -> Any:
        nonlocal asked
        asked += 1
        return question()

    outbox = SqliteOutbox(Writer(), ask)
    assert await outbox.read() == ONE
    assert (await outbox.write(b"two", 1), await outbox.write(b"two", 0), asked) == (2, None, 3)
