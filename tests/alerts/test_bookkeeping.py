"""The book in memory and in the store: written when that takes it, kept when not, united with what another wrote."""

import asyncio
import logging
import threading
from typing import Any

import msgspec
import pytest

from statusproxy.alerts import bookkeeping
from statusproxy.alerts.bookkeeping import Bookkeeping
from statusproxy.alerts.codec import decode
from statusproxy.alerts.merge import merged
from statusproxy.alerts.values import Book, Told
from statusproxy.store.outbox import OutboxDocument
from tests.alerts.fakes import NOW, SharedOutbox, lost, message

#: Seconds that a thread and the event loop may wait for each other.
PATIENCE = 10.0


def keeping(outbox: SharedOutbox | None) -> Bookkeeping:
    return Bookkeeping(outbox)


def telling(session: str, by: str = "m1") -> Book:
    return Book(told={f"lost:{session}": Told(lost(session), by, NOW)}, messages=(message(by, session),))


async def test_what_is_put_is_in_the_store_when_it_is_flushed_and_another_reads_it() -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(telling("sales"))
    states = [one.unsaved]
    assert await one.flush()
    assert [*states, one.unsaved] == [True, False]
    assert await other.read()
    assert other.book == telling("sales")
    assert (outbox.document.version, outbox.writes) == (1, 1)


async def test_nothing_new_is_not_written() -> None:
    outbox = SharedOutbox()
    books = keeping(outbox)
    books.put(books.book)
    assert await books.flush()
    assert outbox.writes == 0


async def test_a_store_without_a_place_leaves_it_in_memory() -> None:
    books = keeping(None)
    books.put(telling("sales"))
    assert await books.read()
    assert await books.flush()
    assert (books.book, books.unsaved, books.failed) == (telling("sales"), False, False)


async def test_while_the_store_is_away_it_goes_on_in_memory_says_so_once_and_is_written_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outbox = SharedOutbox()
    outbox.away = True
    books = keeping(outbox)
    assert not await books.read()
    books.put(telling("sales"))
    assert not await books.flush()
    assert not await books.flush()
    assert (books.book, books.unsaved, books.failed) == (telling("sales"), True, True)
    assert caplog.messages == ["alerts: the record of sent alerts cannot be read: the server is away; alerts continue"]
    outbox.away = False
    assert await books.flush()
    assert (books.unsaved, books.failed, outbox.writes) == (False, False, 1)


async def test_another_proxys_book_is_united_with_ours_before_ours_is_written() -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(telling("sales", "m1"))
    other.put(telling("support", "m2"))
    assert await one.flush()
    assert not await other.flush()
    assert (sorted(other.book.told), other.unsaved, other.failed) == (["lost:sales", "lost:support"], True, False)
    assert await other.flush()
    assert await one.read()
    assert one.book == other.book


async def test_where_another_wrote_all_that_we_know_nothing_is_written() -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(telling("sales"))
    other.put(telling("sales"))
    assert await one.flush()
    assert not await other.flush()
    assert not other.unsaved


async def test_a_write_whose_answer_was_lost_is_known_again() -> None:
    outbox = SharedOutbox()
    outbox.loses_answers = True
    books = keeping(outbox)
    books.put(telling("sales"))
    assert not await books.flush()
    outbox.loses_answers = False
    assert await books.flush()
    assert (outbox.writes, books.unsaved) == (1, False)


async def test_what_changed_after_a_write_whose_answer_was_lost_is_written() -> None:
    outbox = SharedOutbox()
    outbox.loses_answers = True
    books = keeping(outbox)
    books.put(telling("sales"))
    assert not await books.flush()
    outbox.loses_answers = False
    books.put(Book())
    assert await books.flush()
    assert (outbox.writes, books.unsaved, msgspec.json.decode(outbox.document.payload)) == (2, False, {})


async def test_what_is_put_while_a_write_is_under_way_is_written_by_the_same_flush() -> None:
    outbox = SharedOutbox()
    books = keeping(outbox)
    books.put(telling("sales"))
    write = outbox.write

    async def slow(payload: bytes, after: int) -> int | None:
        if not after:
            books.put(telling("support", "m2"))
        return await write(payload, after)

    outbox.write = slow  # type: ignore[method-assign]
    assert await books.flush()
    assert (outbox.writes, books.unsaved) == (2, False)
    assert msgspec.json.decode(outbox.document.payload, type=Book) == telling("support", "m2")


async def test_a_store_that_lost_its_memory_makes_nothing_untold() -> None:
    outbox = SharedOutbox()
    books = keeping(outbox)
    books.put(telling("sales"))
    assert await books.flush()
    outbox.document = OutboxDocument(0, b"")
    assert await books.read()
    assert (books.book, books.unsaved) == (telling("sales"), True)
    assert await books.flush()
    assert outbox.document.version == 1


async def test_a_document_that_cannot_be_read_is_an_empty_book_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    outbox = SharedOutbox()
    outbox.document = OutboxDocument(3, b"{broken")
    books = keeping(outbox)
    with caplog.at_level(logging.ERROR):
        assert await books.read()
    assert books.book == Book()
    assert "earlier alerts may be sent again" in caplog.text


async def test_an_empty_document_of_a_later_version_is_an_empty_book() -> None:
    outbox = SharedOutbox()
    outbox.document = OutboxDocument(2, b"")
    books = keeping(outbox)
    assert await books.read()
    assert books.book == Book()


async def test_a_book_of_many_outages_is_written_and_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, int] = {}

    def note(name: str) -> None:
        original = getattr(bookkeeping, name)

        def noted(*arguments: Any) -> Any:
            threads[name] = threading.get_ident()
            return original(*arguments)

        monkeypatch.setattr(bookkeeping, name, noted)

    for name in ("encode", "decode", "merged"):
        note(name)
    monkeypatch.setattr(bookkeeping, "_MANY", 0)
    monkeypatch.setattr(bookkeeping, "_MANY_BYTES", 10)
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(telling("sales"))
    assert await one.flush()
    other.put(telling("support", "m2"))
    assert not await other.flush(), "it is united first"
    assert await other.flush()
    assert other.book.told.keys() == {"lost:sales", "lost:support"}
    assert threads.keys() == {"encode", "decode", "merged"}
    assert threading.get_ident() not in threads.values()


async def test_what_is_put_while_anothers_book_is_united_with_ours_is_united_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(telling("sales"))
    assert await one.flush()
    monkeypatch.setattr(bookkeeping, "_MANY", 0)
    united, loop = merged, asyncio.get_running_loop()
    late = [telling("late", "m3")]

    def merging(stored: Book, ours: Book) -> Book:
        if late:
            book = late.pop()
            asyncio.run_coroutine_threadsafe(putting(united(book, ours)), loop).result()
        return united(stored, ours)

    async def putting(book: Book) -> None:
        other.put(book)

    monkeypatch.setattr(bookkeeping, "merged", merging)
    other.put(telling("support", "m2"))
    assert not await other.flush(), "it is united first"
    assert await other.flush()
    assert other.book.told.keys() == {"lost:sales", "lost:support", "lost:late"}


def crowd(count: int, by: str = "m1") -> Book:
    names = [f"s{number}" for number in range(count)]
    return Book(told={f"lost:{name}": Told(lost(name), by, NOW) for name in names}, messages=(message(by, *names),))


async def test_what_is_put_while_another_book_is_read_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(crowd(1_000))
    assert await one.flush()
    loop = asyncio.get_running_loop()

    def interrupted(payload: bytes) -> Any:
        asyncio.run_coroutine_threadsafe(put(), loop).result(PATIENCE)
        return decode(payload)

    async def put() -> None:
        other.put(telling("sales", "m2"))

    monkeypatch.setattr(bookkeeping, "decode", interrupted)
    assert await other.read()
    assert (len(other.book.told), other.unsaved) == (1_001, True)


async def test_a_book_whose_reading_was_cut_off_is_read_again_and_not_written_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outbox = SharedOutbox()
    one, other = keeping(outbox), keeping(outbox)
    one.put(crowd(1_000))
    assert await one.flush()
    loop = asyncio.get_running_loop()
    begun, go_on = asyncio.Event(), threading.Event()

    def slow(payload: bytes) -> Any:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(PATIENCE)
        return decode(payload)

    monkeypatch.setattr(bookkeeping, "decode", slow)
    reading = asyncio.ensure_future(other.read())
    await begun.wait()
    reading.cancel()
    go_on.set()
    await asyncio.wait([reading])
    other.put(telling("sales", "m2"))
    assert not await other.flush()
    assert await other.flush()
    assert len(msgspec.json.decode(outbox.document.payload, type=Book).told) == 1_001
