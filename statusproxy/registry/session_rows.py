"""Every session once: those that events were about, and every channel of the gateway's last lists.

A session whose events spell its id differently than the list does, or in several ways, is one row. Nothing is kept
here: each row is found when asked for, at some µs, from the map and the gateway's last answers. Whoever asks for all of
them takes them in batches, between which others have their turn.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from statusproxy.pacing import Pacer
from statusproxy.registry.gateway_view import TOGETHER, GatewayView
from statusproxy.status.identity import ChannelIds
from statusproxy.status.model import Record
from statusproxy.status.one_session import deciding
from statusproxy.status.session_state import Claim, Meanings, SessionState, list_shows, session_state
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind

#: Rows found before others have their turn: half a millisecond, or one where many answers are kept.
AT_ONCE: Final = 12


class Row(NamedTuple):
    """A session as it stands now. Its times are of the proxy's own clock."""

    session: str
    """Its id: as the list spells it where events do so too, else as the events that came first; without events the
    channel's."""
    channel: str | None
    """The channel of the gateway's list that it is."""
    record: Record | None
    """What events said; None for a channel of which no event came. Of several spellings, the one that decides."""
    spellings: tuple[str, ...]
    """Every id under which its events came."""
    listed: bool
    """Whether a last list has it."""
    claim: Claim | None
    """The gateway's newest word."""
    state: SessionState
    shows: str | None
    """The word that the list shows, corrected where a correction is in force."""


class Kin(NamedTuple):
    """What events said of one session, under each spelling of its id. Its times are of the proxy's own clock."""

    session: str
    """Its id, as `Row.session`."""
    record: Record
    """The one that decides."""
    records: list[Record]
    """That of each spelling, as the next corrected list will have it."""


class SessionRows:
    """Finds the rows."""

    def __init__(self, sessions: SessionMap, view: GatewayView, now: Callable[[], float], pacer: Pacer) -> None:
        """`now` gives the time on the proxy's own clock."""
        self._sessions = sessions
        self._view = view
        self._now = now
        self._meanings = Meanings({})
        self._pacer = pacer

    def mean(self, states: Mapping[str, str]) -> None:
        """Take what the gateway's words mean (`about.states` of a preset), from now on."""
        self._meanings = Meanings(states)

    async def read(self) -> None:
        """Read the gateway's last lists, and fold the ids of all of them together, as far as that has not been done.

        Others have their turn after each step.
        """
        for _ in self._view.reading():
            await self._pacer.step()

    @property
    def seen_at(self) -> float | None:
        """When the gateway's last list passed, on the proxy's own clock; None if no list has passed since the start."""
        return self._view.seen_at

    def row(self, session: str) -> Row | None:
        """The row of a session: named by any id of events, by its channel, or in another spelling of these.

        None if no event and no list has named it, or if the name fits several sessions.
        """
        channels = self._view.channels()
        channel, spellings = self._found(session, channels)
        if not spellings and (channel is None or channel not in channels.exact):
            return None
        return self._row(channel, spellings, channels)

    async def names(self, session: str) -> Sequence[str]:
        """The ids that lines of the history may have for a session, named as in `row`. Reads the newest lists first.

        A session that is not known has only the id given here.
        """
        await self.read()
        row = self.row(session)
        if row is None:
            return (session,)
        # What was forgotten may have had the id given here, or the channel's.
        return tuple(dict.fromkeys((*row.spellings, session, row.channel or session)))

    def kin(self, session: str) -> Kin | None:
        """The records of a session, named as in `row`, without a look at what the gateway says of it.

        The one of exactly this id if the name fits several sessions. None if no event was about it.
        """
        record = self._sessions.get(session)
        if record is not None and not self._sessions.spelt_alike:
            return Kin(session, record, [record])
        channel, spellings = self._found(session, self._view.channels())
        if not spellings:
            return None if record is None else Kin(session, record, [record])
        records = self._sessions.settled(spellings, self._now())
        return Kin(_name(channel, spellings), deciding(records), records)

    def rows(self) -> Iterator[list[Row]]:
        """Every row once, `AT_ONCE` sessions at a time: those of the map first, then the others listed.

        The lists must have been read (`read`).
        """
        channels = self._view.channels()
        told: set[str] = set()
        known = [record.session for record in self._sessions.records()]
        for start in range(0, len(known), AT_ONCE):
            names = [one for one in known[start : start + AT_ONCE] if self._is_first(one, channels, told)]
            yield [row for name in names if (row := self.row(name)) is not None]
        rest = list(channels.exact)
        for start in range(0, len(rest), AT_ONCE):
            names = [channel for channel in rest[start : start + AT_ONCE] if channel not in told]
            yield [row for name in names if (row := self.row(name)) is not None]

    async def batches(self) -> AsyncIterator[list[Row]]:
        """Every row once, with the newest lists read, a batch at a time, after each of which others have their turn."""
        await self.read()
        rows = self.rows()
        while True:
            await self._pacer.step()
            batch = next(rows, None)
            if batch is None:
                return
            yield batch

    async def all(self) -> list[Row]:
        """Every row once, found as `batches` finds them."""
        return [row async for batch in self.batches() for row in batch]

    def _found(self, session: str, channels: ChannelIds) -> tuple[str | None, tuple[str, ...]]:
        """The channel that a name means, and the sessions of the map."""
        channel = self._channel(session, channels)
        spellings = self._spellings(session, channel, channels)
        if channel is None and spellings:
            channel = self._channel(spellings[0], channels)
        return channel, spellings

    def _channel(self, session: str, channels: ChannelIds) -> str | None:
        """The channel that a session is: in the last lists, or else as it was found last."""
        if session in channels.exact:
            return session
        record = self._sessions.get(session)
        found = None if record is None else record.channel
        if found is not None and not self._view.is_whole:
            return found  # the lists may have left it out: then one that folds to the session is another
        match = channels.match(session, self._sessions.aliases)
        return match.channel if match.channel is not None or match.ambiguous else found

    def _spellings(self, session: str, channel: str | None, channels: ChannelIds) -> tuple[str, ...]:
        """The sessions of the map that a name means, which is that of this channel, if of any."""
        sessions = self._sessions
        if channel is not None:
            return tuple(one for one in sessions.kin(channel) if self._channel(one, channels) == channel)
        if sessions.get(session) is not None:
            return (session,)
        if channels.match(session, sessions.aliases).ambiguous:
            return ()
        kin = sessions.kin(session)
        return tuple(kin) if len(kin) == 1 or self._is_one(kin, channels) else ()

    def _is_one(self, kin: Sequence[str], channels: ChannelIds) -> bool:
        """Whether all of these are known to be the same channel."""
        found = {self._channel(one, channels) for one in kin}
        return len(found) == 1 and None not in found

    def _is_first(self, session: str, channels: ChannelIds, told: set[str]) -> bool:
        """Whether the row of a session's channel has not been told yet; notes that it is."""
        channel = self._channel(session, channels)
        if channel is None:
            return True
        if channel in told:
            return False
        told.add(channel)
        return True

    def _row(self, channel: str | None, spellings: tuple[str, ...], channels: ChannelIds) -> Row:
        listed = channel is not None and channel in channels.exact
        if not spellings:
            assert channel is not None
            session, record = channel, None
        else:
            session = _name(channel, spellings)
            record = deciding(self._sessions.settled(spellings, self._now()))
        claim = self._claim(channel or session, listed=listed)
        override = None if record is None else record.override
        lost = override is not None
        state = session_state(
            lost=lost,
            claim=claim,
            told_connected=record is not None and self._told_connected(record, listed=listed),
            meanings=self._meanings,
        )
        shows = list_shows(claim, lost=lost, word=None if override is None else override.word)
        return Row(session, channel, record, spellings, listed, claim, state, shows)

    def _claim(self, name: str, *, listed: bool) -> Claim | None:
        """The gateway's newest word, as long as it counts: of a session that left the list only a newer one does."""
        claim = self._view.claim(name, self._sessions.aliases)
        whole_at = self._view.whole_at
        if claim is None or whole_at is None:
            return claim
        return claim if claim.at > (whole_at - TOGETHER if listed else whole_at) else None

    def _told_connected(self, record: Record, *, listed: bool) -> bool:
        """Whether events told that it is connected, and no later list is without it."""
        whole_at = self._view.whole_at
        return record.verdict is SignalKind.CONNECTED and (listed or whole_at is None or record.known.here > whole_at)


def _name(channel: str | None, spellings: tuple[str, ...]) -> str:
    """The id of a session of that channel: as the list spells it where events do so too."""
    return channel if channel is not None and channel in spellings else spellings[0]
