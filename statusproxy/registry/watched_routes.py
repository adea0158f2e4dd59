"""What the answer of a watched route shows about its session: a QR code, a create or start, a deletion."""

from collections.abc import Awaitable, Callable, Sequence

from statusproxy.clock import OwnClock
from statusproxy.registry.intake import Intake
from statusproxy.status import picture, qr
from statusproxy.status.model import Change
from statusproxy.status.sessions import SessionMap


class WatchedRoutes:
    """Tells the map what watched routes show. Implements `proxy.ports.WatchedPort`; it keeps no state of its own.

    `asked_at` is when the request was sent to the gateway. Await what a method gives, if anything, until it is durable.
    """

    def __init__(
        self,
        sessions: SessionMap,
        clock: OwnClock,
        intake: Intake,
        follow: Callable[[Sequence[Change]], Awaitable[None] | None],
        unreadable: Callable[[str, str], None],
    ) -> None:
        """`intake` has the rules in force. `follow` publishes and saves changes, `unreadable` counts and logs."""
        self._sessions = sessions
        self._clock = clock
        self._intake = intake
        self._follow = follow
        self._unreadable = unreadable

    def qr_answered(self, session: str, body: bytes, image: bool, asked_at: float) -> Awaitable[None] | None:
        """The QR route answered 2xx: a code shows that the gateway knows, "connected" may be the end of it."""
        now = self._clock.now()
        answer = qr.Answer.CODE if image and picture.is_image(body) else qr.read(body, self._intake.rules.dialect.qr)
        if answer is qr.Answer.CODE:
            return self._follow(self._sessions.watched.qr_seen(session, asked_at, now))
        if answer is qr.Answer.CONNECTED:
            return self._follow(self._sessions.watched.said_connected(session, asked_at, now))
        if answer in (qr.Answer.NOT_JSON, qr.Answer.TOO_DEEP):
            self._unreadable("qr", answer.value)
        return None

    def created(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was created or started through the proxy."""
        return self._follow(self._sessions.watched.created(session, asked_at, self._clock.now()))

    def deleted(self, session: str, asked_at: float) -> Awaitable[None] | None:
        """A session was deleted through the proxy."""
        return self._follow(self._sessions.watched.deleted(session, asked_at, self._clock.now()))
