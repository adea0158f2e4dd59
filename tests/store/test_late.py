"""What a store gives late: of two records of a session the newest knowledge stands, on both sides."""

import logging

import msgspec
import pytest

from statusproxy.status.model import Record
from statusproxy.store.backlog import Backlog, Dropped
from statusproxy.store.late import LateRecords, newest, reconcile

from .samples import NOW, a_record, overridden


@pytest.fixture
def backlog() -> Backlog:
    return Backlog(lambda: NOW)


def late_records() -> LateRecords:
    return LateRecords("the keys", logging.getLogger("statusproxy.store"))


def test_of_two_records_the_newest_knowledge_counts_and_every_sign_of_life() -> None:
    old = overridden("sales")
    known = a_record("sales", known_at=NOW + 1, heard_at=NOW - 9, event="inChat")
    alive = a_record("sales", known_at=0.0, alive_at=NOW + 7, heard_at=NOW + 7, event="onmessage")
    assert newest(old, known).known_at == newest(known, old).known_at == NOW + 1
    assert newest(old, known).event == newest(known, old).event == old.event
    assert newest(alive, old) == msgspec.structs.replace(old, alive_at=NOW + 7, heard_at=NOW + 7, event="onmessage")
    theirs = {"override": None, "event": "other", "channel": "other", "shown_at": 1.0}
    equal = msgspec.structs.replace(old, alive_at=old.alive_at - 7, alive_lag=7.0, **theirs)
    assert newest(old, equal) == old
    same = a_record("sales", override=None)
    assert newest(same, old).override is None  # of what is equally new, our own


def test_clock_differences_of_ours_are_kept_and_theirs_taken_where_we_have_none() -> None:
    with_lags = msgspec.structs.replace(a_record("sales"), lags=((NOW, 1.0),))
    assert newest(with_lags, a_record("sales")).lags == with_lags.lags
    assert newest(a_record("sales"), with_lags).lags == with_lags.lags


def test_what_nobody_knew_is_late_and_known_from_now_on(backlog: Backlog) -> None:
    known: dict[str, Record] = {}
    assert reconcile({"a": a_record("a")}, known, backlog) == ([a_record("a")], [])
    assert known == {"a": a_record("a")}
    assert reconcile({"a": a_record("a")}, known, backlog) == ([], [])


def test_what_the_store_lost_or_has_less_of_goes_into_the_batch_being_written(backlog: Backlog) -> None:
    newer = a_record("b", known_at=NOW + 1)
    known = {"a": a_record("a"), "b": newer, "c": a_record("c")}
    backlog.add([a_record("c", event="newest")], [], [])
    backlog.begin_write()
    late, missing = reconcile({"b": a_record("b")}, known, backlog)
    assert late == []
    assert missing == [a_record("a"), newer, a_record("c")]
    assert backlog.writing.records == {"a": a_record("a"), "b": newer, "c": a_record("c", event="newest")}


@pytest.mark.parametrize("where", ["open", "writing", "known"])
def test_a_newer_record_of_the_store_changes_ours_wherever_it_is(backlog: Backlog, where: str) -> None:
    known: dict[str, Record] = {}
    if where == "known":
        known["a"] = a_record("a")
    else:
        backlog.add([a_record("a")], [], [])
    if where == "writing":
        backlog.begin_write()
    theirs = a_record("a", known_at=NOW + 5)
    late, _ = reconcile({"a": theirs}, known, backlog)
    assert late == [theirs]
    found = {
        "open": backlog.open.records.get("a"),
        "writing": backlog.writing.records.get("a"),
        "known": known.get("a"),
    }
    assert found[where] == theirs


def test_what_waits_is_looked_at_before_what_was_known(backlog: Backlog) -> None:
    known = {"a": a_record("a", event="known")}
    backlog.add([a_record("a", event="writing")], [], [])
    backlog.begin_write()
    backlog.add([a_record("a", known_at=NOW + 1, event="open")], [], [])
    assert reconcile({"a": a_record("a", event="writing")}, known, backlog)[0] == []
    assert backlog.open.records["a"] == a_record("a", known_at=NOW + 1, event="open")


def test_a_session_that_was_forgotten_meanwhile_stays_forgotten(backlog: Backlog) -> None:
    backlog.add([], ["a"], [])
    known: dict[str, Record] = {}
    assert reconcile({"a": a_record("a")}, known, backlog) == ([], [])
    assert backlog.open.records == {"a": None}
    assert known == {}


def test_what_a_journal_forgot_before_others_heard_of_it_again_comes_back(backlog: Backlog) -> None:
    backlog.replay([Dropped("a", NOW - 5)])
    known: dict[str, Record] = {}
    assert reconcile({"a": a_record("a", heard_at=NOW)}, known, backlog) == ([a_record("a", heard_at=NOW)], [])
    assert "a" not in backlog.open.records
    assert known == {"a": a_record("a", heard_at=NOW)}


def test_of_a_journals_record_and_one_that_was_heard_later_theirs_counts_where_both_know_the_same(
    backlog: Backlog,
) -> None:
    backlog.replay([a_record("a", heard_at=NOW - 5, channel="old")])
    theirs = a_record("a", heard_at=NOW, channel="new")
    assert reconcile({"a": theirs}, {}, backlog)[0] == [theirs]
    assert backlog.open.records["a"] == theirs


def test_nothing_late_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    late_records().deliver([], lambda _: pytest.fail("nobody wants it"))
    assert caplog.records == []


def test_what_is_taken_is_told_and_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    late, taken = late_records(), list[Record]()
    late.deliver([overridden("a")], taken.extend)
    assert taken == [overridden("a")]
    assert caplog.messages == ["state: the keys: 1 session was loaded late"]
    assert late.amend([a_record("a", known_at=0.0)], []) == [a_record("a", known_at=0.0)]


def test_what_a_listener_cannot_take_is_kept_and_the_error_logged(caplog: pytest.LogCaptureFixture) -> None:
    late = late_records()
    late.deliver([overridden("a")], lambda _: 1 / 0)  # type: ignore[arg-type]
    assert caplog.records[0].exc_info is not None
    assert caplog.messages[1:] == [
        "state: the keys hold 1 session that is not known here; it is kept, and used from the next start on"
    ]
    assert late.amend([a_record("a", known_at=0.0)], [])[0].override == overridden("a").override


def test_what_nobody_took_is_merged_until_more_is_known(caplog: pytest.LogCaptureFixture) -> None:
    late = late_records()
    late.deliver([overridden("a"), overridden("b")], None)
    message = a_record("a", known_at=0.0, alive_at=NOW + 9, heard_at=NOW + 9, event="onmessage")
    (merged, other) = late.amend([message, a_record("c")], [])
    assert (merged.override, merged.event) == (overridden("a").override, "onmessage")
    assert other == a_record("c")
    assert late.amend([a_record("a")], [])[0] == newest(a_record("a"), overridden("a"))
    assert late.amend([a_record("a", known_at=0.0)], []) == [a_record("a", known_at=0.0)]  # the map's word counts
    late.amend([], ["b"])
    assert late.amend([a_record("b", known_at=0.0)], []) == [a_record("b", known_at=0.0)]
