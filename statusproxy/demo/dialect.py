"""What differs between gateways in the demonstration: routes, words, events and what is stale, as frozen values."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

SALES: Final = "sales"
"""The session that a story loses."""
SUPPORT: Final = "support"
"""The session that stays connected."""


class State(StrEnum):
    """Where a session really stands; only `CONNECTED` can carry messages."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    """The connection dropped and the engine tries to make it again: for a moment, or for ever."""
    LOST = "lost"
    CLOSED = "closed"
    """Ended by a request, such as a logout."""
    SCANNING = "scanning"
    """A QR code waits to be scanned."""


@dataclass(frozen=True)
class Seen:
    """One session as the gateway shows it at one moment."""

    id: str
    name: str
    token: str
    word: Any
    """The gateway's word for it, which may be stale."""
    code: str | None = None
    """The QR code that waits to be scanned."""
    is_connected: bool = False
    """Whether it really is connected, as a live call finds out."""


@dataclass(frozen=True)
class Occasion:
    """What an event is about, and when it happened."""

    session: Seen
    at: float
    """Epoch seconds."""
    serial: int
    """Another for each occasion."""


class Does(StrEnum):
    """What a request does at the stand-in gateway."""

    SHOW = "show"
    START = "start"
    """Show a QR code, unless the gateway takes the session for connected: then nothing."""
    CLOSE = "close"


Answer = Callable[[Sequence[Seen]], Any]
"""An answer's document, of all sessions or of the one that was asked for."""


@dataclass(frozen=True)
class Route:
    """A request that the gateway answers. The session stands in the path, in the header or in the body."""

    method: str
    path: str
    answer: Answer
    does: Does = Does.SHOW
    body: str | None = None
    """The member of the request's body that names the session."""
    shows_code: bool = False

    def path_of(self, session: Seen) -> str:
        """The path for one session."""
        return self.path.format(session=session.id)


@dataclass(frozen=True)
class Watched:
    """The answer that a hub looks at: the list or, where no list has a state, the answers about single sessions."""

    route: Route
    word: str
    """The member that holds the state; dots separate the levels."""
    entries: str | None = ""
    """The member that holds the list, "" for the document itself; None: the answer is about one session."""
    name: str = "name"
    """The member that names the session in a list."""

    def read(self, document: Any, session: str) -> dict[str, str]:
        """The state of each session; a single answer is about `session`. Raises `LookupError` or `TypeError`."""
        if self.entries is None:
            return {session: text(member(document, self.word))}
        return {member(one, self.name): text(member(one, self.word)) for one in member(document, self.entries)}


Events = Callable[[Occasion], Sequence[Any]]
"""The bodies that the gateway posts on an occasion, in order."""


@dataclass(frozen=True)
class Dialect:
    """One gateway as the demonstration plays it."""

    name: str
    """The preset's name, too."""
    title: str
    stale: str
    """What is stale at this gateway and what the proxy adds, as the story tells it."""
    loss: str
    """What happens to the session; `{session}` is its name."""
    watched: Watched
    shows: Mapping[State, Any]
    """The gateway's word for each state; a state without one is missing from the list."""
    truth: str
    """What the proxy shows of a lost session, in the gateway's own words."""
    events: Mapping[State, Events]
    """What is posted when a session comes to a state."""
    tap: str
    """The proxy's webhook path, as the preset has it."""
    webhook: str
    """Where the gateway is told to post: at or below `tap`."""
    reconnect: Sequence[Route]
    """The requests that bring a lost session back, in order; the last one shows a QR code."""
    lost: State = State.LOST
    """The state that the story's session comes to."""
    drops: bool = False
    """Whether a connection that drops for a moment is told by events."""
    grace: str | None = None
    """The demonstration's own grace for transient states, where its loss is one."""
    graced: str = ""
    """The event whose rule has that grace."""
    sends_again: bool = False
    """Whether old events arrive late and in the wrong order, and have a time that orders them."""
    others: Sequence[Route] = ()
    """More answers about one session, which the proxy corrects too."""
    names: Route | None = None
    """The request that lists the sessions' names, where no list has a state."""
    refusal: Any = None
    """What is answered where the path of `names` has no secret in the secret's place."""
    starts_in_vain: Route | None = None
    """A request that claims success for a lost session, and does nothing."""
    header: str | None = None
    """The header that chooses the session by its token."""
    form: str | None = None
    """The form's member that holds an event's JSON, where events are forms."""
    ids: Mapping[str, str] = field(default_factory=dict)
    """The id of each session, where that is not its name."""

    @property
    def is_stale(self) -> bool:
        """Whether the gateway takes the lost session for connected."""
        return bool(self.shows[self.lost] == self.shows[State.CONNECTED])

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes that the gateway answers."""
        single = [route for route in (self.names, self.starts_in_vain) if route is not None]
        return (self.watched.route, *self.others, *single, *self.reconnect)


def member(document: Any, path: str) -> Any:
    """The value at a dotted path; the document itself for ""."""
    for key in path.split(".") if path else ():
        document = document[key]
    return document


def text(word: Any) -> str:
    """A state as people read it: a word as it is, any other value as JSON."""
    return word if isinstance(word, str) else json.dumps(word)
