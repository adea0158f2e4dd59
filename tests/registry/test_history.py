"""What the history is told: the gateway's newest claim, and no change of a session that may be made up."""

import pytest

from statusproxy.registry.gateway_view import Word
from statusproxy.registry.history import to_keep, with_claim
from statusproxy.status.model import Change, Record, SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict


def change(session: str = "sales", said: str | None = None, reason: str = "close") -> Change:
    return Change(session, "started", reason, 1.0, 1.0, said)


def record(said_at: float | None) -> Record:
    return Record("sales", gateway_said="noted", gateway_said_at=said_at)


@pytest.mark.parametrize(
    ("said", "noted_at", "word", "claim"),
    [
        (None, None, None, None),
        (None, None, Word("connected", 5.0), "connected"),
        ("noted", 5.0, None, "noted"),
        ("noted", 5.0, Word("connected", 6.0), "connected"),
        ("noted", 5.0, Word("connected", 5.0), "noted"),
        ("noted", 6.0, Word("connected", 5.0), "noted"),
        (None, 6.0, Word("connected", 5.0), "connected"),
        ("noted", None, Word("connected", 5.0), "noted"),
    ],
)
def test_the_newest_claim_counts(
    said: str | None, noted_at: float | None, word: Word | None, claim: str | None
) -> None:
    assert with_claim(change(said=said), word, record(noted_at)).gateway_said == claim


def test_a_session_that_is_forgotten_keeps_the_claim_of_its_change() -> None:
    assert with_claim(change(said="noted"), Word("connected", 5.0), None).gateway_said == "noted"
    assert with_claim(change(), Word("connected", 5.0), None).gateway_said == "connected"


def full(*sessions: str, room: int = 2) -> SessionMap:
    known = SessionMap(SessionRules(max_sessions=room))
    for name in sessions:
        signal = Signal(SignalKind.DISCONNECTED, name, 100.0, "status-find", "browserClose", None)
        known.hear(Reading(Verdict.SIGNAL, "status-find", name, signal), 100.0)
    return known


def test_while_there_is_room_every_change_is_kept() -> None:
    changes = [change("a"), change("nobody")]
    assert to_keep(changes, full("a")) is changes


def test_in_a_full_map_only_confirmed_sessions_and_what_an_operator_does_are_kept() -> None:
    sessions = full("a", "b")
    sessions.load([Record("real", confirmed=True)])
    by_hand = change("b", reason="operator")
    real = change("real")
    assert to_keep([change("a"), by_hand, real, change("nobody")], sessions) == [by_hand, real]
