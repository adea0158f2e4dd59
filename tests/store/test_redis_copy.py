"""What stands in Redis as it is known here: kept by what is written, followed, and read anew."""

import asyncio

import pytest

from statusproxy.status.model import Record
from statusproxy.store.codec import encode
from statusproxy.store.redis_copy import Row, ServerCopy
from statusproxy.store.redis_follow import BEGINNING, Position, Told

from .samples import NOW, a_record


def row(record: Record) -> bytes:
    return encode(record).encode()


def told(number: int, writer: str, record: Record) -> Told:
    return Told((number, 0), writer.encode(), record.session.encode(), row(record), None)


def forgotten(number: int, writer: str, session: str, at: float = NOW) -> Told:
    return Told((number, 0), writer.encode(), session.encode(), b"", at)


@pytest.fixture
def copy() -> ServerCopy:
    return ServerCopy()


OLD, NEW = a_record("a"), a_record("a", heard_at=NOW + 1)


def test_at_first_nothing_is_known(copy: ServerCopy) -> None:
    assert (len(copy), copy.row("a"), copy.record("a"), copy.newest) == (0, None, None, BEGINNING)


def test_what_is_written_here_stands_there(copy: ServerCopy) -> None:
    assert copy.put("a", row(OLD), (5, 0), foreign=False)
    assert copy.row("a") == Row(row(OLD), (5, 0), False)
    assert (copy.record("a"), len(copy), copy.newest) == (OLD, 1, (5, 0))
    assert copy.put("a", b"", (6, 0), foreign=False)
    assert (copy.row("a"), len(copy), copy.newest) == (None, 0, (6, 0))


def test_a_row_that_cannot_be_read_is_no_record(copy: ServerCopy) -> None:
    copy.put("a", b"{", (1, 0), foreign=True)
    assert copy.record("a") is None
    assert copy.row("a") is not None


def test_what_others_wrote_is_told_and_what_this_one_wrote_is_not(copy: ServerCopy) -> None:
    news = copy.follow([told(1, "them", OLD), told(2, "me", a_record("b")), forgotten(3, "them", "c")], b"me")
    assert news == ([OLD], [("c", NOW)])
    assert (copy.record("a"), copy.record("b")) == (OLD, a_record("b"))
    assert [copy.row(session).foreign for session in ("a", "b")] == [True, False]  # type: ignore[union-attr]
    assert copy.newest == (3, 0)
    assert copy.follow([forgotten(4, "me", "b"), told(5, "them", OLD)], b"me") == ([], [])  # nothing new
    assert copy.record("b") is None


def test_what_comes_back_of_this_ones_own_is_noted_as_it_is_and_not_read(copy: ServerCopy) -> None:
    assert copy.follow([Told((1, 0), b"me", b"a", b"{", None)], b"me") == ([], [])
    assert copy.row("a") == Row(b"{", (1, 0), False)


def test_a_row_that_stands_there_already_is_no_news_but_whose_it_is(copy: ServerCopy) -> None:
    copy.put("a", row(OLD), (1, 0), foreign=False)
    assert copy.follow([told(2, "them", OLD)], b"me") == ([], [])
    assert copy.row("a") == Row(row(OLD), (2, 0), True)


@pytest.mark.parametrize("position", [(4, 0), (4, 9)])
def test_what_the_stream_tells_from_before_a_write_of_our_own_is_outdated(copy: ServerCopy, position: Position) -> None:
    copy.put("a", row(NEW), (5, 0), foreign=False)
    assert copy.follow([Told(position, b"them", b"a", row(OLD), None)], b"me") == ([], [])
    assert copy.record("a") == NEW
    copy.put("a", b"", (6, 0), foreign=False)
    assert copy.follow([told(5, "them", NEW)], b"me") == ([], [])
    assert copy.record("a") is None
    assert copy.follow([told(7, "them", NEW)], b"me") == ([NEW], [])


def test_of_two_that_stand_there_since_the_same_place_the_later_one_counts(copy: ServerCopy) -> None:
    copy.put("a", row(OLD), (5, 0), foreign=True)
    assert copy.put("a", row(NEW), (5, 0), foreign=True)
    assert copy.record("a") == NEW
    assert copy.put("a", b"", (5, 0), foreign=True)
    assert copy.record("a") is None


def test_what_is_gone_stays_gone_until_the_stream_is_past_it_and_is_not_remembered_after_that(copy: ServerCopy) -> None:
    copy.put("a", row(OLD), (5, 0), foreign=False)
    copy.put("a", b"", (6, 0), foreign=False)
    for number in (3, 4):
        assert copy.follow([told(number, "them", NEW)], b"me") == ([], [])
    assert set(copy._gone) == {"a"}
    copy.follow([told(7, "them", a_record("b"))], b"me")
    assert not copy._gone


def test_what_cannot_be_read_in_the_stream_is_passed_over(copy: ServerCopy) -> None:
    broken = Told((1, 0), b"them", b"a", b"{", None), Told((2, 0), b"them", b"\xff", b"", NOW)
    another = Told((3, 0), b"them", b"b", row(OLD), None)
    assert copy.follow([*broken, another, told(4, "them", OLD)], b"me") == ([OLD], [])


# Read anew -------------------------------------------------------------------------------------------------


def found(*records: Record) -> dict[str, tuple[bytes, Record]]:
    return {record.session: (row(record), record) for record in records}


async def test_what_is_new_there_is_told_and_what_is_known_is_not(copy: ServerCopy) -> None:
    copy.put("a", row(OLD), (1, 0), foreign=False)
    copy.put("b", row(a_record("b")), (1, 0), foreign=False)
    assert await copy.compare(found(NEW, a_record("b"), a_record("c")), {}, (9, 0)) == ([NEW, a_record("c")], [])
    assert {session: copy.row(session) for session in copy} == {
        "a": Row(row(NEW), (9, 0), True), "b": Row(row(a_record("b")), (9, 0), False),
        "c": Row(row(a_record("c")), (9, 0), True),
    }  # fmt: skip
    assert copy.newest == (9, 0)


async def test_a_server_that_begins_anew_may_tell_of_what_was_gone_before(copy: ServerCopy) -> None:
    copy.put("a", b"", (6, 0), foreign=False)
    await copy.compare({}, {}, (2, 0))
    assert copy.follow([told(3, "them", NEW)], b"me") == ([NEW], [])


async def test_where_it_may_not_have_been_told_all_is_told_again(copy: ServerCopy) -> None:
    copy.put("a", row(OLD), (1, 0), foreign=False)
    assert await copy.compare(found(OLD), {}, (9, 0), tell_all=True) == ([OLD], [])
    assert copy.row("a") == Row(row(OLD), (9, 0), False)


async def test_what_the_server_lost_or_has_less_of_is_missing_there(copy: ServerCopy) -> None:
    for record in (NEW, a_record("b")):
        copy.put(record.session, row(record), (5, 0), foreign=True)
    new, missing = await copy.compare(found(OLD), {}, (2, 0))
    assert new == [OLD]
    assert missing == [a_record("b"), NEW]
    assert (copy.record("a"), copy.row("b")) == (OLD, None), "until it is written there"
    assert copy.newest == (2, 0)


@pytest.mark.parametrize(("at", "lost"), [(NOW + 1, False), (NOW, False), (NOW - 1, True)])
async def test_a_session_that_was_forgotten_there_is_not_missing_unless_it_was_heard_of_since(
    copy: ServerCopy, at: float, lost: bool
) -> None:
    copy.put("a", row(OLD), (5, 0), foreign=True)
    _, missing = await copy.compare({}, {"a": at}, (6, 0))
    assert [record.session for record in missing] == (["a"] if lost else [])
    assert [record.ended_at for record in missing] == ([at] if lost else [])
    assert len(copy) == 0


async def test_many_are_compared_in_steps_that_let_others_run(
    copy: ServerCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def turn(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", turn)
    for number in range(250):
        copy.put(f"old{number}", row(a_record(f"old{number}")), (1, 0), foreign=True)
    new, missing = await copy.compare(found(*(a_record(f"new{number}") for number in range(250))), {}, (9, 0))
    assert (len(new), len(missing), pauses) == (250, 250, [0, 0, 0, 0])
