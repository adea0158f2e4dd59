"""The book as bytes: the same again, and readable whatever wrote it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.alerts import codec
from statusproxy.alerts.codec import Unreadable, decode, encode, json_bytes, with_items
from statusproxy.alerts.values import Book, Delivery, DeliveryState, Line, Message, Outage, Told, Topic

LOSS = Outage(Topic.LOST, 1.5, "sales", "status-find", "browserClose", "CONNECTED")
BOOK = Book(
    told={LOSS.key: Told(LOSS, "m1", 65.0, 2)},
    messages=(
        Message(
            "m1",
            "session.lost",
            65.0,
            (Line(LOSS), Line(Outage(Topic.STORE, 1.0, reason="disk full"), 9.0, "alive")),
            (Delivery("a", DeliveryState.FAILED, 3, 5.0, 7.0, "no answer"), Delivery("b")),
            1,
        ),
    ),
    last={"session.lost": 65.0},
)


def test_a_book_is_the_same_again() -> None:
    assert decode(encode(BOOK)) == BOOK
    assert decode(encode(Book())) == Book()
    assert json.loads(encode(BOOK))["told"]["lost:sales"]["outage"]["word"] == "browserClose"


def a_book(outages: int, messages: int = 1, about: str = "") -> Book:
    lost = [Outage(Topic.LOST, 1.0, f's{number}"lines":[]{about}') for number in range(outages)]
    return Book(
        told={each.key: Told(each, "m0", 65.0) for each in lost},
        messages=tuple(
            Message(f"m{number}", "session.lost", 65.0, tuple(map(Line, lost)), (Delivery("a"),))
            for number in range(messages)
        ),
        last={"session.lost": 65.0},
    )


@pytest.mark.parametrize("about", ["", "\ud800"], ids=["usual", "half a pair"])
@pytest.mark.parametrize(("outages", "messages"), [(0, 0), (0, 1), (1, 1), (2, 1), (3, 2), (7, 0)])
def test_in_pieces_a_book_is_written_as_at_once(
    outages: int, messages: int, about: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "_PIECE", 2)
    book = a_book(outages, messages, about)
    assert encode(book) == json_bytes(book)
    found = decode(encode(book))
    assert (found if isinstance(found, Book) else found.book) == book


def test_a_book_of_ten_thousand_outages_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    original = codec.json_bytes

    def counted(value: object) -> bytes:
        written.append(len(value) if isinstance(value, (dict, list, tuple)) else 1)
        return original(value)

    monkeypatch.setattr(codec, "json_bytes", counted)
    encode(a_book(10_000))
    assert sum(written) >= 20_000
    assert max(written) <= 200


@pytest.mark.parametrize("about", ["", "\ud800"], ids=["usual", "half a pair"])
def test_ten_thousand_outages_are_read_one_by_one(about: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Counting:
        """A decoder that notes how many outages it is given at once."""

        def __init__(self, decoder: Any) -> None:
            self._decoder = decoder

        def decode(self, payload: Any) -> Any:
            read.append(bytes(payload).count(b'"topic"'))
            return self._decoder.decode(payload)

    def counted(value: Any, kind: Any) -> Any:
        read.append(str(value).count("'topic'"))
        return convert(value, kind)

    convert = msgspec.convert
    monkeypatch.setattr(codec, "_MARK", Counting(codec._MARK))
    monkeypatch.setattr(codec, "_LINE", Counting(codec._LINE))
    monkeypatch.setattr(msgspec, "convert", counted)
    book = a_book(10_000, 1, about)
    assert decode(encode(book)) == book
    assert (sum(read) >= 20_000, max(read)) == (True, 1)


def test_a_struct_is_written_with_its_items_as_at_once() -> None:
    message = BOOK.messages[0]
    assert with_items(message, "lines", message.lines) == json_bytes(message)


def test_equal_books_give_the_same_bytes() -> None:
    one = Book(last={"a": 1.0, "b": 2.0})
    assert encode(one) == encode(Book(last={"b": 2.0, "a": 1.0}))


def test_where_nothing_was_ever_written_the_book_is_empty() -> None:
    assert decode(b"") == Book()


def test_what_a_newer_proxy_adds_is_ignored() -> None:
    document = json.loads(encode(BOOK))
    document["channels"] = {"new": 1}
    document["messages"][0]["colour"] = "red"
    assert decode(json.dumps(document).encode()) == BOOK


def test_a_mark_that_is_not_known_costs_no_other() -> None:
    document = json.loads(encode(BOOK))
    document["told"]["moon"] = {"outage": {"topic": "moon", "since": 1.0}, "message": "m2", "at": 2.0}
    document["messages"].append({"id": "m2"})
    document["last"]["moon"] = "secret"
    found = decode(json.dumps(document).encode())
    assert found == Unreadable("parts of the stored alerts cannot be read and are ignored: 3", BOOK)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"secret", "the stored alerts are not JSON; alerts start from nothing"),
        (b"\xff", "the stored alerts are not JSON; alerts start from nothing"),
        (b"[" * 100_000, "the stored alerts are not JSON; alerts start from nothing"),
        (b'["secret"]', "the stored alerts are not a JSON object; alerts start from nothing"),
        (b'{"told": "secret", "messages": 1}', "parts of the stored alerts cannot be read and are ignored: 2"),
    ],
)
def test_what_is_no_book_is_named_without_repeating_it(payload: bytes, reason: str) -> None:
    assert decode(payload) == Unreadable(reason, Book())


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_moment_that_is_no_number_is_left_out(number: str) -> None:
    payload = f'{{"last": {{"session.lost": {number}, "session.back": 1.5}}}}'.encode()
    found = decode(payload)
    assert isinstance(found, Unreadable)
    assert found.book == Book(last={"session.back": 1.5})


def test_half_a_surrogate_pair_in_an_id_is_kept() -> None:
    half = Outage(Topic.LOST, 1.0, "a\ud83d")
    book = Book(told={half.key: Told(half, "m1", 65.0)})
    assert decode(encode(book)) == book
    assert json_bytes({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'


def test_a_mark_whose_topic_is_half_a_surrogate_pair_is_left_out_alone() -> None:
    document = json.loads(encode(BOOK))
    document["told"]["moon"] = {"outage": {"topic": "\ud83d", "since": 1.0}, "message": "m2", "at": 2.0}
    found = decode(json.dumps(document).encode())
    assert found == Unreadable("parts of the stored alerts cannot be read and are ignored: 1", BOOK)


def test_every_member_of_a_book_and_of_its_messages_is_written_and_read() -> None:
    (message,) = BOOK.messages[:1]
    assert json.loads(encode(BOOK)) == json.loads(json_bytes(BOOK))
    for whole, parts, filled in ((Book, codec._BookParts, BOOK), (Message, codec._MessageParts, message)):
        names = [field.name for field in msgspec.structs.fields(whole)]
        assert names == [field.name for field in msgspec.structs.fields(parts)]
        assert all(getattr(filled, name) for name in names), "else it is not written, and this shows nothing"


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_bytes_cost_the_alerts(payload: bytes) -> None:
    assert isinstance(decode(payload), Book | Unreadable)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["told", "messages", "last", "id", "outage", "lines"]), inner, max_size=3)
        ),
    )
)
def test_no_document_costs_the_alerts(document: object) -> None:
    assert isinstance(decode(json.dumps(document).encode()), Book | Unreadable)
