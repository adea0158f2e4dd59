"""Which sessions go first: by what is known of them, then by how long they have been untouched."""

import pytest
from msgspec.structs import replace

from statusproxy.status.model import Override, Record, Release
from statusproxy.status.retention import Retention, rank
from statusproxy.status.signals import SignalKind

OVERRIDDEN = Record("overridden", SignalKind.DISCONNECTED, override=Override(1.0, 1.0, 1.0, "ev"))
ONCE_DOWN = Record("once-down", SignalKind.CONNECTED, released=Release.CONNECTED_EVENT)
DELETED = Record("deleted", released=Release.DELETED)
NEVER_DOWN = Record("never-down", SignalKind.CONNECTED)
MATTERS = [NEVER_DOWN, DELETED, ONCE_DOWN, OVERRIDDEN]


def test_what_tells_more_matters_more_and_whom_the_gateway_names_matters_most() -> None:
    confirmed = [replace(record, confirmed=True) for record in MATTERS]
    ranks = [rank(record) for record in (*MATTERS, *confirmed)]
    assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("released", [Release.EXPIRED, Release.ALIVE])
def test_a_session_of_which_nothing_is_known_matters_least_unless_it_was_deleted(released: Release) -> None:
    assert rank(Record("x", released=released)) == rank(Record("x")) < rank(DELETED)


def order(retention: Retention, count: int) -> list[str]:
    gone = []
    for _ in range(count):
        gone.append(retention.first())
        retention.remove(gone[-1])
    return gone


def test_those_that_matter_least_go_first_and_longest_untouched_first() -> None:
    retention = Retention()
    for record in (*reversed(MATTERS), Record("b"), Record("c")):
        retention.put(record, heard=True)
    retention.put(Record("b"), heard=True)
    assert order(retention, 6) == ["never-down", "c", "b", "deleted", "once-down", "overridden"]
    with pytest.raises(StopIteration):
        retention.first()


def test_what_is_noted_without_an_event_moves_a_session_only_if_it_matters_more_now() -> None:
    retention = Retention()
    for name in ("a", "b"):
        retention.put(Record(name), heard=True)
    retention.put(Record("a", gateway_said="open"), heard=False)
    assert retention.first() == "a"
    retention.put(Record("a", confirmed=True), heard=False)
    assert order(retention, 2) == ["b", "a"]


def test_every_rank_has_its_place_in_the_order() -> None:
    retention = Retention()
    records = [*MATTERS, *(replace(one, session=f"real-{one.session}", confirmed=True) for one in MATTERS)]
    for record in reversed(records):
        retention.put(record, heard=True)
    assert order(retention, 8) == [record.session for record in records]
