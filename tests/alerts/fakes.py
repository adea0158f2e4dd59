"""What alerts stand on, for their tests: an outbox in memory, channels that keep letters, and sessions."""

import asyncio
from collections.abc import Sequence

from statusproxy.alerts.channels.letter import SENT, Letter, Outcome
from statusproxy.alerts.sightings import Vitals
from statusproxy.alerts.values import Delivery, DeliveryState, Line, Message, Outage, Target, Topic
from statusproxy.registry.session_rows import Kin
from statusproxy.status.model import Override, Record, Release
from statusproxy.store.errors import StoreError
from statusproxy.store.outbox import OutboxDocument

#: Everything happens at about this time, epoch seconds.
NOW = 1_800_000_000.0

ALL = frozenset(Topic)


def target(id_: str = "hub", **more: object) -> Target:
    """A target that asks for everything."""
    return Target(id_, f"webhook {id_}.example", ALL, **more)  # type: ignore[arg-type]


def lost(session: str, since: float = NOW) -> Outage:
    """The outage of a session."""
    return Outage(Topic.LOST, since, session, "connection.update", "close", "connected")


def message(
    id_: str = "m1",
    *sessions: str,
    at: float = NOW,
    state: DeliveryState = DeliveryState.WAITING,
    attempts: int = 0,
    targets: Sequence[str] = ("hub",),
) -> Message:
    """A message of lost sessions, on its way to targets."""
    lines = tuple(Line(lost(session)) for session in sessions or ("sales",))
    return Message(id_, "session.lost", at, lines, tuple(Delivery(each, state, attempts) for each in targets))


class SharedOutbox:
    """Implements `Outbox`, for one proxy or several. `away` makes it fail."""

    def __init__(self) -> None:
        self.document = OutboxDocument(0, b"")
        self.away = False
        self.loses_answers = False
        """It writes, and its answer gets lost."""
        self.writes = 0

    async def read(self) -> OutboxDocument:
        """As `Outbox.read`."""
        await asyncio.sleep(0)
        if self.away:
            raise StoreError("the server is away")
        return self.document

    async def write(self, payload: bytes, after: int) -> int | None:
        """As `Outbox.write`."""
        await asyncio.sleep(0)
        if self.away:
            raise StoreError("the server is away")
        if after != self.document.version:
            return None
        self.writes += 1
        self.document = OutboxDocument(after + 1, payload)
        if self.loses_answers:
            raise StoreError("no answer in time")
        return after + 1


class Mailbox:
    """A channel that keeps what it is given. Its `outcome` is that of each attempt, once it is `open`."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.outcome = SENT
        self.open = asyncio.Event()
        self.open.set()

    async def send(self, letter: Letter) -> Outcome:
        """As `Channel.send`."""
        self.letters.append(letter)
        await self.open.wait()
        return self.outcome


class Said:
    """The gateway's word for a session."""

    def __init__(self, said: str, at: float) -> None:
        self.said = said
        self.at = at


class FakeRegistry:
    """Implements `sightings.Sessions`, and its map. Its own clock goes `shift` seconds behind the system's."""

    def __init__(self) -> None:
        self.known: dict[str, Record] = {}
        self.words: dict[str, Said] = {}
        self.shift = 0.0
        self.looks = 0

    @property
    def sessions(self) -> "FakeRegistry":
        """As `Sessions.sessions`."""
        return self

    @property
    def has_overrides(self) -> bool:
        """As `Sessions.has_overrides`."""
        return any(record.override is not None for record in self.known.values())

    @property
    def rows(self) -> "FakeRegistry":
        """As `Sessions.rows`; each id is a session of its own."""
        return self

    async def read(self) -> None:
        """As the rows'."""

    def kin(self, session: str) -> Kin | None:
        """As the rows'."""
        record = self.known.get(session)
        return None if record is None else Kin(session, record, [record])

    def lost(self) -> list[str]:
        """As the map's."""
        self.looks += 1
        return [session for session, record in self.known.items() if record.override is not None]

    def get(self, session: str) -> Record | None:
        """As the map's."""
        return self.known.get(session)

    def in_system_time(self, record: Record) -> Record:
        """As the registry's, for the moments that alerts read."""
        from msgspec.structs import replace

        if not self.shift:
            return record
        override = record.override
        return replace(
            record,
            override=None if override is None else replace(override, since=override.since + self.shift),
            released_at=None if record.released_at is None else record.released_at + self.shift,
            gateway_said_at=None if record.gateway_said_at is None else record.gateway_said_at + self.shift,
        )

    def gateway_word(self, session: str) -> Said | None:
        """As the registry's."""
        return self.words.get(session)

    def lose(self, session: str, at: float = NOW) -> None:
        """A session is lost from now on."""
        override = Override(since=at, at=at, began=at, event="connection.update", word="close")
        self.known[session] = Record(session, override=override, gateway_said="connected", gateway_said_at=at - 10)

    def find(self, session: str, at: float) -> None:
        """It is back."""
        self.known[session] = Record(session, released=Release.CONNECTED_EVENT, released_at=at)


class FakeSite:
    """Implements `sender.Watched`."""

    def __init__(self) -> None:
        self.registry = FakeRegistry()
        self.now = Vitals()
        self.shift = 0.0

    def vitals(self) -> Vitals:
        """As `Watched.vitals`."""
        return self.now
