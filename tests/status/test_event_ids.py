"""The ids of events heard: a repeated delivery is told, and a flood pushes out only what may be made up."""

import pytest

from statusproxy.status.event_ids import EventIds, mark_of
from statusproxy.status.model import DUPLICATE, LATE
from statusproxy.status.signals import Signal, SignalKind


def heard(ids: EventIds, session: str, event_id: str, *, state: bool = True, confirmed: bool = False) -> bool:
    return ids.heard_before(session, event_id, state=state, confirmed=confirmed)


def test_the_same_id_of_the_same_session_was_heard_before() -> None:
    ids = EventIds()
    assert [heard(ids, "sales", "a"), heard(ids, "sales", "a"), heard(ids, "support", "a")] == [False, True, False]
    assert len(ids) == 2


def test_an_id_is_known_though_the_session_was_named_by_the_gateways_list_meanwhile() -> None:
    ids = EventIds()
    heard(ids, "sales", "a")
    assert heard(ids, "sales", "a", confirmed=True)
    assert heard(ids, "sales", "a")


def test_a_flood_of_made_up_sessions_pushes_out_no_id_of_a_real_one() -> None:
    ids = EventIds(limit=10)
    heard(ids, "real", "state", confirmed=True)
    heard(ids, "real", "message", state=False, confirmed=True)
    for number in range(100):
        heard(ids, f"made-up-{number}", "a", state=number % 2 == 0)
    assert len(ids) == 10
    assert heard(ids, "real", "state", confirmed=True)
    assert heard(ids, "real", "message", state=False, confirmed=True)
    assert heard(ids, "made-up-99", "a", state=False)
    assert not heard(ids, "made-up-0", "a")


def test_messages_go_before_what_says_connected_or_disconnected() -> None:
    ids = EventIds(limit=10)
    heard(ids, "busy", "state", confirmed=True)
    heard(ids, "sales", "state", confirmed=True)
    for number in range(100):
        heard(ids, "busy", f"message-{number}", state=False, confirmed=True)
    assert heard(ids, "busy", "state", confirmed=True)
    assert heard(ids, "sales", "state", confirmed=True)
    assert not heard(ids, "busy", "message-0", state=False, confirmed=True)


def test_one_session_pushes_out_only_its_own_the_oldest_first() -> None:
    ids = EventIds(each=3)
    heard(ids, "quiet", "a", confirmed=True)
    for number in range(4):
        heard(ids, "looping", str(number), confirmed=True)
    assert heard(ids, "quiet", "a", confirmed=True)
    assert heard(ids, "looping", "1", confirmed=True)
    assert not heard(ids, "looping", "0", confirmed=True)


def test_an_id_heard_again_is_forgotten_later() -> None:
    ids = EventIds(each=2)
    for event_id in ("a", "b", "a", "c"):
        heard(ids, "sales", event_id)
    assert heard(ids, "sales", "a")
    assert not heard(ids, "sales", "b")


def test_what_is_emptied_takes_no_room() -> None:
    ids = EventIds(limit=1)
    for number in range(10):
        heard(ids, f"s{number}", "a")
    assert len(ids) == 1
    assert sum(map(len, ids._tiers)) == 1


def test_a_session_that_pushes_out_its_own_ids_takes_no_room_from_others() -> None:
    ids = EventIds(limit=5, each=2)
    for number in range(20):
        assert not ids.heard_before("a", str(number), state=True, confirmed=True)
    assert len(ids) == 2
    assert not ids.heard_before("b", "x", state=True, confirmed=True)
    assert len(ids) == 3
    assert ids.heard_before("a", "18", state=True, confirmed=True)
    assert ids.heard_before("b", "x", state=True, confirmed=True)


def test_what_stands_for_an_id_tells_words_and_moments_apart() -> None:
    marks = [mark_of(kind, at) for kind in (SignalKind.CONNECTED, SignalKind.DISCONNECTED) for at in (1.5, 2.5)]
    assert len({*marks, mark_of(SignalKind.CONNECTED, 1.5)}) == 4


def signal(kind: SignalKind = SignalKind.DISCONNECTED, event_id: str | None = None, session: str = "sales") -> Signal:
    return Signal(kind, session, None, "event", "close", event_id)


@pytest.mark.parametrize(
    "kind", [SignalKind.DISCONNECTED, SignalKind.CONNECTED, SignalKind.TRANSIENT, SignalKind.ALIVE]
)
def test_a_signal_with_an_id_that_was_heard_is_a_duplicate_whatever_its_time(kind: SignalKind) -> None:
    ids = EventIds()
    verdicts = [ids.repeated(signal(kind, "a"), at, confirmed=False) for at in (1.5, 2.5, None)]
    assert verdicts == [None, DUPLICATE, DUPLICATE]
    assert ids.repeated(signal(kind, "a", "support"), 1.5, confirmed=False) is None


def test_the_same_word_with_the_same_time_is_late_whatever_its_id() -> None:
    ids = EventIds()
    verdicts = [ids.repeated(signal(event_id=event_id), 1.5, confirmed=True) for event_id in ("a", "b", None)]
    assert verdicts == [None, LATE, LATE]
    assert ids.repeated(signal(SignalKind.CONNECTED), 1.5, confirmed=True) is None
    assert ids.repeated(signal(), 2.5, confirmed=True) is None


@pytest.mark.parametrize(
    ("kind", "at"), [(SignalKind.DISCONNECTED, None), (SignalKind.DISCONNECTED, 2.0), (SignalKind.ALIVE, 1.5)]
)
def test_no_time_whole_seconds_and_messages_tell_no_signals_apart(kind: SignalKind, at: float | None) -> None:
    ids = EventIds()
    assert [ids.repeated(signal(kind), at, confirmed=False) for _ in range(2)] == [None, None]
    assert len(ids) == 0


def test_a_flood_pushes_out_no_signal_of_a_session_that_the_gateways_list_has_named() -> None:
    ids = EventIds(limit=4)
    ids.repeated(signal(event_id="a"), None, confirmed=True)
    ids.repeated(signal(), 1.5, confirmed=True)
    for number in range(10):
        ids.repeated(signal(event_id="a", session=f"s{number}"), None, confirmed=False)
        ids.repeated(signal(SignalKind.ALIVE, event_id=f"m{number}"), None, confirmed=True)
    assert ids.repeated(signal(event_id="a"), None, confirmed=True) == DUPLICATE
    assert ids.repeated(signal(), 1.5, confirmed=True) == LATE
