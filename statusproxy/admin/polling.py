"""What tools that poll are answered: whether a session is up, by the status of the answer; and its badge.

Up is what the channel list shows as connected. Where nothing is known, a session counts as up: silence is never a
disconnect. A query such as `?unknown=down&needs_qr=up` says otherwise.
"""

import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Final

from aiohttp import web

from statusproxy.admin.badge import HEADERS, badge
from statusproxy.admin.ids import natural_keys
from statusproxy.admin.json_answers import answer, refuse
from statusproxy.admin.messages import Up, UpAll
from statusproxy.admin.report import counts, moment
from statusproxy.admin.state_words import reason
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import Row
from statusproxy.status.session_state import SessionState

#: Whether each state counts as up.
_UP: Final[Mapping[SessionState, bool]] = {
    SessionState.LOST: False,
    SessionState.REPORTED_DOWN: False,
    SessionState.NEEDS_QR: False,
    SessionState.CONNECTED: True,
    SessionState.UNKNOWN: True,
}

#: The states for which a query may say otherwise.
_CHOSEN: Final = (SessionState.REPORTED_DOWN, SessionState.NEEDS_QR, SessionState.UNKNOWN)

#: Sessions that `/up` names at most; it counts all.
NAMED: Final = 100


class PollAnswers:
    """The handlers of these paths."""

    def __init__(self, registry: SessionRegistry, language: Callable[[], str]) -> None:
        """`language` gives that of the settings in force."""
        self._registry = registry
        self._language = language

    def routes(self) -> list[web.AbstractRouteDef]:
        """The paths with their handlers; each answers HEAD as well."""
        return [
            web.get("/up", self.all_up),
            web.get("/sessions/{session}/up", self.one_up),
            web.get("/badge/{session}.svg", self.badge),
        ]

    async def one_up(self, request: web.Request) -> web.Response:
        """Whether a session is up: 200 or 503, with the reason; 404 if the session is not known."""
        ups = _ups(request)
        if isinstance(ups, web.Response):
            return ups
        session = request.match_info["session"]
        row = await self._row(session)
        if row is None:
            return refuse(404, f"no session {session!r} is known, and the gateway's last list has none of that name")
        up = self._up(row, ups)
        return answer(up, status=200 if up.up else 503)

    async def all_up(self, request: web.Request) -> web.Response:
        """Whether every session is up: 200, or 503 with those that are down, in natural order."""
        ups = _ups(request)
        if isinstance(ups, web.Response):
            return ups
        self._registry.judge()
        found = Counter[SessionState]()
        down: list[Row] = []
        async for rows in self._registry.rows.batches():
            found.update(row.state for row in rows)
            down += [row for row in rows if not ups[row.state]]
        keys = await natural_keys([row.session for row in down], self._registry.pacer)
        first = heapq.nsmallest(NAMED, zip(keys, down, strict=True), key=itemgetter(0))
        said = UpAll(
            up=not down,
            counts=counts(found),
            list_seen_at=moment(self._registry.list_seen_at),
            down=len(down),
            sessions=[self._up(row, ups) for _, row in first],
        )
        return answer(said, status=503 if down else 200)

    async def badge(self, request: web.Request) -> web.Response:
        """A picture that says how a session stands, for a page of the hub; 404 with one where it is not known."""
        session = request.match_info["session"]
        row = await self._row(session)
        picture = badge(session, None if row is None else row.state, self._language())
        return web.Response(
            body=picture, status=404 if row is None else 200, content_type="image/svg+xml", headers=HEADERS
        )

    async def _row(self, session: str) -> Row | None:
        self._registry.judge()
        await self._registry.rows.read()
        return self._registry.rows.row(session)

    def _up(self, row: Row, ups: Mapping[SessionState, bool]) -> Up:
        registry, shift = self._registry, self._registry.clock.shift
        override = None if row.record is None else registry.in_system_time(row.record).override
        return Up(
            session=row.session,
            up=ups[row.state],
            state=row.state.value,
            since=None if override is None else moment(override.since),
            list_shows=row.shows,
            listed=row.listed,
            gateway_said_at=None if row.claim is None else moment(row.claim.at + shift),
            reason=reason(row, self._language(), list_seen=registry.rows.seen_at is not None),
        )


def _ups(request: web.Request) -> Mapping[SessionState, bool] | web.Response:
    """Whether each state counts as up for this request; a refusal where its query cannot be read."""
    ups = dict(_UP)
    for name, value in request.query.items():
        if name not in _CHOSEN or value not in ("up", "down"):
            allowed = ", ".join(f"{state.value}=up, {state.value}=down" for state in _CHOSEN)
            return refuse(400, f"unknown query; allowed: {allowed}")
        ups[SessionState(name)] = value == "up"
    return ups
