"""Session maps for tests: made, told of events, and looked into."""

from collections.abc import Iterable

from statusproxy.status.identity import ChannelIds
from statusproxy.status.model import Change, Override, Record, Release, Said, SessionRules
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import Reading, Signal, SignalKind, Verdict

DOWN, UP, ALIVE = SignalKind.DISCONNECTED, SignalKind.CONNECTED, SignalKind.ALIVE


def without(*releases: Release) -> SessionRules:
    return SessionRules(releases=frozenset(Release) - set(releases))


def reading(session: str, kind: SignalKind, at: float | None = None, event_id: str | None = None) -> Reading:
    return Reading(Verdict.SIGNAL, "ev", session, Signal(kind, session, at, "ev", str(kind)[:4], event_id))


def hear(
    sessions: SessionMap,
    session: str,
    kind: SignalKind,
    *,
    at: float | None = None,
    arrival: float | None = None,
    event_id: str | None = None,
) -> str:
    """Hear a signal; `arrival` defaults to its own time. Gives the outcome's verdict."""
    if arrival is None:
        assert at is not None
        arrival = at
    return sessions.hear(reading(session, kind, at, event_id), arrival).verdict


def down(*names: str, rules: SessionRules | None = None, at: float = 100.0) -> SessionMap:
    """A map with an override for each of these sessions, all saved."""
    sessions = SessionMap(rules)
    for name in names:
        hear(sessions, name, DOWN, at=at)
    sessions.take_unsaved()
    sessions.take_stale()
    return sessions


def in_force(sessions: SessionMap) -> set[str]:
    return {record.session for record in sessions.records() if record.override is not None}


def record(sessions: SessionMap, session: str) -> Record:
    found = sessions.get(session)
    assert found is not None
    return found


def override(sessions: SessionMap, session: str) -> Override:
    found = record(sessions, session).override
    assert found is not None
    return found


def see(
    sessions: SessionMap,
    *channels: str,
    says: str | None = None,
    keeps: bool = False,
    connected: bool = False,
    asked_at: float = 200.0,
    now: float = 201.0,
    whole: bool = True,
    source: str = "",
) -> tuple[frozenset[str], tuple[Change, ...]]:
    """Observe an answer with these channels, all of which say the same."""
    assigned = sessions.answers.assign(ChannelIds(set(channels)), whole=whole)
    said = [Said(channel, says, keeps, connected) for channel in channels if channel in assigned]
    observed = sessions.answers.observe(said, assigned, asked_at, now, source)
    return observed.overridden, observed.changes


def reasons(changes: Iterable[Change]) -> list[tuple[str, str, str]]:
    return [(change.session, change.what, change.reason) for change in changes]


LISTED = ChannelIds({"real-0", "real-1", "real-2", "REAL-3"})


def confirm(sessions: SessionMap, channels: ChannelIds = LISTED) -> None:
    for _ in sessions.answers.confirm(channels):
        pass
