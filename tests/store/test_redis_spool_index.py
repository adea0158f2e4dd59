"""The index of the spool in Redis: what of the stream is news, whatever is on its way from here at the same time."""

import json

import pytest

from statusproxy.store.redis_follow import BEGINNING, Entered
from statusproxy.store.redis_spool_index import SpoolIndex
from statusproxy.store.redis_spool_rows import write_entry
from statusproxy.store.spooled import Entry, EntryState, Moved, Removed, SpoolNews, SpoolOp

from .samples import an_entry, kept

ME = b"me"


class Index(SpoolIndex):
    """An index beside ops that a test has on their way."""

    def __init__(self) -> None:
        self.on_their_way: dict[str, SpoolOp] = {}
        super().__init__(self.on_their_way.get)


@pytest.fixture
def index() -> Index:
    return Index()


def entered(number: int, entry: Entry, writer: bytes = b"you") -> Entered:
    return Entered((number, 0), writer, write_entry(entry), b"")


def gone(number: int, id_: str, writer: bytes = b"you") -> Entered:
    return Entered((number, 0), writer, b"", id_.encode())


def stands(index: Index, *entries: Entry) -> list[Entry]:
    return index.read({entry.id: (write_entry(entry), entry) for entry in entries})


def test_what_others_kept_changed_and_removed_is_news_in_its_last_state(index: Index) -> None:
    first, dead = an_entry("01"), an_entry("02", state=EntryState.DEAD)
    told = [entered(1, first), entered(2, an_entry("02")), entered(3, dead), entered(4, an_entry("03")), gone(5, "03")]
    assert index.follow(told, ME) == SpoolNews([first, dead], ["03"])
    assert index.ids == {"01", "02"}
    assert index.follow([gone(6, "01"), entered(7, first)], ME) == SpoolNews([first], []), "kept once more"
    assert index.follow([], ME) == SpoolNews([], [])


def test_what_this_proxy_wrote_is_no_news(index: Index) -> None:
    assert index.follow([entered(1, an_entry("01"), ME), gone(2, "02", ME)], ME) == SpoolNews([], [])


def test_what_cannot_be_read_is_passed_over(index: Index) -> None:
    told = [Entered((1, 0), b"you", b"{", b""), Entered((2, 0), b"you", b"", b"\xff"), entered(3, an_entry("01"))]
    assert index.follow(told, ME) == SpoolNews([an_entry("01")], [])


def test_what_stands_there_is_told_but_for_what_is_about_to_be_changed_from_here(index: Index) -> None:
    index.on_their_way["02"] = Moved(an_entry("02", attempts=1))
    assert stands(index, an_entry("01"), an_entry("02")) == [an_entry("01")]
    assert index.ids == {"01", "02"}


def test_what_does_not_stand_there_any_more_is_gone_but_for_what_is_about_to_be_kept_or_removed(index: Index) -> None:
    stands(index, *(an_entry(f"0{number}") for number in range(1, 6)))
    index.on_their_way |= {"02": kept("02"), "03": Moved(an_entry("03")), "04": Removed("04")}
    missing = index.missing({"01"})
    assert sorted(missing) == ["02", "03", "04", "05"]
    assert sorted(index.drop(missing)) == ["03", "05"], "one was delivered from here"
    assert index.ids == {"01", "02"}


def test_of_two_changes_at_the_same_time_the_later_in_the_stream_stands(index: Index) -> None:
    theirs = an_entry("01", next_at=5.0)
    ours = Moved(an_entry("01", next_at=9.0))
    stands(index, an_entry("01"))
    index.on_their_way["01"] = ours
    assert index.follow([entered(4, theirs)], ME) == SpoolNews([], []), "which of the two stands is not known yet"
    del index.on_their_way["01"]
    assert index.written([ours], (6, 0)) == [], "ours came later"
    index.on_their_way["01"] = ours
    assert index.follow([entered(7, theirs)], ME) == SpoolNews([], [])
    del index.on_their_way["01"]
    assert index.written([ours], (6, 9)) == [theirs], "theirs came later"


def test_what_was_overwritten_from_here_is_no_news_when_the_stream_tells_it_late(index: Index) -> None:
    theirs = an_entry("01", next_at=5.0)
    stands(index, an_entry("01"), an_entry("02"))
    assert index.written([Moved(an_entry("01"))], (6, 0)) == []
    assert index.follow([entered(5, theirs)], ME) == SpoolNews([], [])
    assert index.follow([entered(7, theirs)], ME) == SpoolNews([theirs], [])
    assert index.newest == (6, 0)
    # The stream is past our own: nothing of it is remembered.
    assert index.follow([entered(5, theirs)], ME) == SpoolNews([theirs], [])


def test_what_was_overwritten_from_here_stays_no_news_when_a_later_op_found_nothing_to_write(index: Index) -> None:
    stands(index, an_entry("01"))
    index.written([Moved(an_entry("01"))], (6, 0))
    index.written([Moved(an_entry("01", attempts=2))], BEGINNING)
    assert index.follow([entered(5, an_entry("01", next_at=5.0))], ME) == SpoolNews([], [])
    assert index.follow([gone(7, "01")], ME) == SpoolNews([], ["01"])


def test_that_it_was_removed_is_told_at_once_whatever_is_about_to_change(index: Index) -> None:
    stands(index, an_entry("01"))
    index.on_their_way["01"] = Moved(an_entry("01"))
    assert index.follow([entered(3, an_entry("01", attempts=3)), gone(4, "01")], ME) == SpoolNews([], ["01"])
    assert index.written([Moved(an_entry("01"))], BEGINNING) == [], "nothing was there to be written"
    assert index.ids == set()


def test_what_is_about_to_be_kept_is_not_told_as_removed(index: Index) -> None:
    """Its first attempt got there unnoticed, and another proxy has delivered it already: it is kept once more."""
    index.on_their_way["01"] = kept("01")
    assert index.follow([gone(4, "01")], ME) == SpoolNews([], [])
    assert index.written([kept("01")], (5, 0)) == []
    assert index.ids == {"01"}


def test_what_was_written_from_here_is_known(index: Index) -> None:
    assert index.written([kept("01"), kept("02"), Moved(an_entry("03"))], (5, 1)) == []
    assert index.ids == {"01", "02"}
    index.written([Removed("01")], (5, 2))
    assert index.ids == {"02"}
    assert index.newest == (5, 2)
    index.written([Removed("01")], BEGINNING)
    assert index.newest == (5, 2)
    assert index.drop(["02", "09"]) == ["02", "09"]
    assert index.ids == set()


def test_what_another_kept_anew_after_a_removal_from_here_is_news(index: Index) -> None:
    index.on_their_way["01"] = Removed("01")
    index.follow([entered(7, an_entry("01"))], ME)
    assert index.written([Removed("01")], (6, 0)) == [an_entry("01")]
    assert index.ids == {"01"}


def test_reading_all_ends_what_was_put_aside(index: Index) -> None:
    index.on_their_way["01"] = Moved(an_entry("01"))
    index.follow([entered(9, an_entry("01", attempts=9))], ME)
    index.written([Moved(an_entry("02"))], (8, 0))
    assert index.missing({"01"}) == []
    assert index.written([Moved(an_entry("01"))], (7, 0)) == []
    assert index.follow([entered(5, an_entry("02"))], ME) == SpoolNews([an_entry("02")], [])


def test_members_that_a_newer_version_wrote_are_known_while_the_entry_is(index: Index) -> None:
    def newer(number: int) -> Entered:
        row = json.dumps(json.loads(write_entry(an_entry("01"))) | {"priority": number}).encode()
        return Entered((number, 0), b"you", row, b"")

    assert index.unknown("01") is None
    index.follow([newer(1)], ME)
    assert index.unknown("01") == {"priority": 1}
    index.on_their_way["01"] = Moved(an_entry("01"))
    index.follow([newer(2)], ME)
    assert index.unknown("01") == {"priority": 2}
    index.on_their_way.clear()
    index.follow([entered(3, an_entry("01"))], ME)
    assert index.unknown("01") is None
    index.follow([newer(4), gone(5, "01")], ME)
    assert index.unknown("01") is None
