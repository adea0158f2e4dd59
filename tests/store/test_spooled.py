"""Ops on entries of the spool: two of one entry are one."""

from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.store.spooled import Content, Entry, EntryState, Kept, Moved, Reason, Removed, SpoolOp, coalesced

from .samples import NOW, an_entry, kept

NEW, LATER = Moved(an_entry("a", attempts=1)), Moved(an_entry("a", attempts=2))
FILE = Path("/spool/part")


def test_rows_hold_states_and_reasons_by_these_words() -> None:
    assert [*map(str, EntryState)] == ["waiting", "unknown", "dead"]
    assert [*map(str, Reason)] == ["queued", "not-sent", "refused", "no-answer"]


def test_what_is_not_told_of_an_entry_is_that_nothing_happened_yet() -> None:
    entry = Entry("a", "/hook", "gateway", "sales", None, EntryState.WAITING, Reason.QUEUED, 100, NOW, NOW)
    assert (entry.attempts, entry.rejected, entry.status, entry.event) == (0, 0, None, None)
    assert (entry.framed, entry.filed, entry.checksum, entry.base) == (False, False, None, None)


@pytest.mark.parametrize(("before", "op", "both"), [
    (None, NEW, NEW),
    (kept("a"), NEW, Kept(NEW.entry, kept("a").content)),
    (kept("a"), kept("a", attempts=3), kept("a", attempts=3)),
    (kept("a"), Removed("a"), Removed("a")),
    (kept("a", FILE), Removed("a"), Removed("a", FILE)),
    (NEW, LATER, LATER),
    (NEW, Removed("a"), Removed("a")),
    (Removed("a", FILE), NEW, Removed("a", FILE)),
    (Removed("a", FILE), Removed("a"), Removed("a", FILE)),
    (Removed("a"), kept("a"), kept("a")),
])  # fmt: skip
def test_two_ops_are_one(before: SpoolOp | None, op: SpoolOp, both: SpoolOp) -> None:
    assert coalesced(before, op) == both
    assert (op.id, both.id) == ("a", "a")


_OPS = st.one_of(
    st.builds(lambda n, body: kept("a", body, attempts=n), st.integers(0, 9), st.binary(max_size=2)),
    st.builds(lambda n: Moved(an_entry("a", attempts=n)), st.integers(0, 9)),
    st.just(Removed("a")),
)


def _done(row: tuple[Entry, Content] | None, op: SpoolOp) -> tuple[Entry, Content] | None:
    """What one op leaves of a row."""
    match op:
        case Kept(entry, content):
            return entry, content
        case Moved(entry):
            return None if row is None else (entry, row[1])
        case Removed():
            return None


@given(st.one_of(st.none(), st.just(kept("a", b"before"))), st.lists(_OPS, min_size=1, max_size=6))
def test_any_ops_leave_what_they_leave_one_after_the_other(there: Kept | None, ops: list[SpoolOp]) -> None:
    row = None if there is None else (there.entry, there.content)
    one = reduce(coalesced, ops)
    assert _done(row, one) == reduce(_done, ops, row)
    assert _done(_done(row, one), one) == _done(row, one), "writing it again is the same as writing it once"
