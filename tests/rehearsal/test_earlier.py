"""What was said before by the signals of a run."""

from statusproxy.rehearsal.earlier import Earlier
from statusproxy.status.signals import Signal, SignalKind


def signal(
    kind: SignalKind,
    session: str = "a",
    at: float | None = 1.0,
    event_id: str | None = None,
    ahead: float | None = None,
) -> Signal:
    return Signal(session=session, kind=kind, event="state", word=None, at=at, event_id=event_id, ahead=ahead)


def test_the_same_of_the_same_time_is_a_repeat_and_nothing_else_is() -> None:
    earlier = Earlier()
    said = [
        signal(SignalKind.CONNECTED),
        signal(SignalKind.DISCONNECTED),
        signal(SignalKind.CONNECTED, session="b"),
        signal(SignalKind.CONNECTED, at=2.0),
        signal(SignalKind.CONNECTED, at=None),
        signal(SignalKind.CONNECTED, at=None),
        signal(SignalKind.CONNECTED),
        signal(SignalKind.CONNECTED, at=None, ahead=2.0),
    ]
    assert [earlier.note(one)[0] for one in said] == [False] * 6 + [True] * 2


def test_an_id_stands_for_what_was_first_said_with_it() -> None:
    earlier = Earlier()
    said = [
        signal(SignalKind.CONNECTED, event_id="1"),
        signal(SignalKind.DISCONNECTED, event_id="1"),
        signal(SignalKind.DISCONNECTED, event_id="1"),
        signal(SignalKind.DISCONNECTED, event_id="2"),
        signal(SignalKind.DISCONNECTED, session="b", event_id="1"),
        signal(SignalKind.DISCONNECTED),
    ]
    assert [earlier.note(one)[1] for one in said] == [
        None,
        SignalKind.CONNECTED,
        SignalKind.CONNECTED,
        None,
        None,
        None,
    ]
