"""The proxy's interface to the registry: what it asks, and what it reports."""

from collections.abc import Awaitable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from statusproxy.status.channels import ChannelRule, Correction


class LearningPort(Protocol):
    """What `statusproxy learn` wants to know of the traffic. None of it raises."""

    @property
    def on(self) -> bool:
        """Whether anything is wanted just now."""

    def event(self, body: bytes, path: str) -> None:
        """A webhook of a trusted sender came on this watched path."""

    def answer(self, body: bytes, target: str, *, configured: bool = False) -> None:
        """The gateway answered a GET with this JSON. `target` is the path that was asked for, or the corrected route's
        own path (`configured`)."""


class WatchedPort(Protocol):
    """What the answers of watched routes tell the registry about a session. Await the result for it to be durable."""

    def qr_answered(self, session: str, body: bytes, image: bool, asked_at: float) -> Awaitable[None] | None:
        """The QR route answered 2xx."""

    def created(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was created or started through the proxy, and the answer did not claim that it is connected."""

    def deleted(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was deleted through the proxy."""


class RegistryPort(Protocol):
    """What the proxy asks of, and tells to, the session registry."""

    @property
    def learning(self) -> LearningPort:
        """Who learns from the traffic, when asked to."""

    @property
    def watched(self) -> WatchedPort:
        """Who is told what watched routes show."""

    @property
    def has_overrides(self) -> bool:
        """Whether any correction is in force; while none is, what the gateway answers has nothing to change."""

    @property
    def version(self) -> int:
        """Counts the changes that could alter a corrected answer."""

    def now(self) -> float:
        """The time, epoch seconds, never the same twice; it goes back only where the clock was wrong by minutes."""

    def hear(
        self, body: bytes, source: str, path: str = "", path_session: str | None = None, by_address: bool = False
    ) -> Awaitable[None] | None:
        """A webhook's body arrived whole. What it says holds at once; await the result for it to be durable.

        `source` is the address it came from, `path` the watched path it came on; together they name whose clock its own
        time is of. `path_session` is the session in its path, where there is one. `by_address`: the sender is trusted
        for that address alone.
        """

    def identify(self, body: bytes, path_session: str | None = None) -> tuple[str | None, str | None]:
        """The session and the event's name that a webhook's body gives, as `hear` reads them; it changes nothing.

        The session is None where it names none or several.
        """

    def doubt(self, source: str, why: str) -> None:
        """A webhook came from a sender that is not trusted, and why not."""

    def correct(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None, query: str = ""
    ) -> tuple[Correction, Awaitable[None] | None]:
        """A channel list that was asked for at `asked_at`, with this `query`, corrected.

        Await the second part, if there is one.
        """

    async def correct_in_steps(
        self, body: bytes, rule: ChannelRule, asked_at: float, session: str | None, query: str = ""
    ) -> tuple[Correction, Awaitable[None] | None]:
        """The same for a long list, in steps that let others run. The result is up to date when this returns."""

    def left_out(self, what: str, peer: str, *, webhook: bool) -> None:
        """A request lacked what a proxy in front should have passed on (`front_proxy`)."""

    def unreadable(self, what: str, why: str) -> None:
        """Something could not be watched or corrected and passed as it came: counted and logged."""


class Parcel(NamedTuple):
    """An event that its receiver did not take, whole, with what the spool is to know of it."""

    path: str
    """The watched path as configured."""
    receiver: str
    """`gateway`, or the name of another receiver's pool."""
    session: str | None
    event: str | None
    head: bytes
    """The head for the receiver, without the empty line at its end."""
    body: bytes | Path
    """As it came, without its framing; a file in `SpoolPort.folder` where it is large."""
    size: int
    """Bytes of head and body."""
    framed: bool
    """It came in chunks, and the head says so."""
    checksum: int
    """CRC-32 of the body."""
    base: str = ""
    """The receiver's base path, with which the target in the head begins."""


class Attempt(NamedTuple):
    """The result of sending an event to its receiver."""

    reason: Literal["delivered", "not-sent", "refused", "no-answer", "queued", "failed"]
    """`refused`: an answer that is not 2xx; `queued`: nothing was tried; `failed`: the proxy itself could not try."""
    status: int | None = None
    retry_after: float | None = None
    """Seconds for which the receiver asked."""
    detail: str = ""
    """For the log."""


class Unkept(Protocol):
    """An event that is neither answered nor kept."""

    @property
    def session(self) -> str | None:
        """The session that it names; None where it names none or several."""


class Arrived(NamedTuple):
    """The arrival of an event: its place in the order of its session."""

    receiver: str
    id: str
    """The id that it has if it is kept."""
    at: float


class NotKeptError(Exception):
    """The spool could not take an event; the message says why."""


class SpoolPort(Protocol):
    """What the proxy asks of, and tells to, the spool."""

    @property
    def folder(self) -> Path:
        """Where files of large bodies are made."""

    @property
    def resends(self) -> bool:
        """Whether an event that was sent and not answered is delivered like others, once it is kept."""

    def quiet(self, receiver: str) -> bool:
        """Whether nothing for this receiver waits and it is not known to be away: an event may be streamed to it."""

    def arrived(self, receiver: str, event: Unkept) -> Arrived:
        """An event of a trusted sender has come, whole: those of its session that are kept and came later wait for it.
        `left` must follow, or a `keep` that keeps it."""

    def left(self, arrived: Arrived) -> None:
        """That event was answered or given up; for one that has left already, nothing happens."""

    def admit(self, receiver: str, session: str | None, size: int, arrived: Arrived) -> bool:
        """Whether an event of this session may be sent now; else it must be kept: others wait, or the receiver is away.

        An event that the spool has no room for may be sent, unless others of its session wait. True may make the event
        the probe of a receiver that is away: call `attempted` or `keep` afterwards.
        """

    def has_room(self, size: int) -> bool:
        """Whether so many bytes would be kept now."""

    async def keep(self, parcel: Parcel, attempt: Attempt, arrived: Arrived) -> str:
        """Keep an event, in the place that it got when it arrived; give its id once that is durable.

        Raises `NotKeptError`. Nothing is lost by a cancellation.
        """

    def attempted(self, receiver: str, session: str | None, attempt: Attempt) -> None:
        """Report the result of a direct attempt whose event is not kept: it was answered, or given up (`queued`)."""
