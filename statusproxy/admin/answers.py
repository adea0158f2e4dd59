"""What the admin listener answers on each path."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Final

from aiohttp import web

from statusproxy import __version__
from statusproxy.admin import assets
from statusproxy.admin.alerts import AlertAnswers
from statusproxy.admin.feed import Feed, FeedFullError
from statusproxy.admin.gateway_words import gateway_words
from statusproxy.admin.health import DRAINING, HealthCheck
from statusproxy.admin.history import HistoryAnswers, by_hand
from statusproxy.admin.ids import natural_keys
from statusproxy.admin.json_answers import answer, answer_list, refuse
from statusproxy.admin.learning import LearningAnswers
from statusproxy.admin.messages import (
    Acknowledged,
    Alive,
    Forgotten,
    Released,
    Sessions,
    State,
    to_text,
)
from statusproxy.admin.ordering import emptied, in_order, let_go
from statusproxy.admin.polling import PollAnswers
from statusproxy.admin.report import change_report, counts, damage_report, moment, row_report
from statusproxy.admin.scrape import gauges, sessions_now
from statusproxy.admin.selfreport import self_report
from statusproxy.admin.spool import SpoolAnswers
from statusproxy.config.settings import Settings
from statusproxy.observe.exposition import Exposition
from statusproxy.observe.gauges import SessionSeries
from statusproxy.pacing import Pacer
from statusproxy.proxy.handler import Proxy
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import Row
from statusproxy.spool.spool import Spool
from statusproxy.status.model import FORGOTTEN, Release
from statusproxy.status.session_state import SessionState
from statusproxy.store import StoreError

#: Reports of sessions written before others have their turn: some milliseconds where each was lost thousands of times.
AT_ONCE: Final = 5

#: Reports in one piece of an answer: a longer one is written in pieces, since the kernel takes its time for megabytes.
_PIECE: Final = 250

#: Seconds after which a load balancer has its answer, whatever store and gateway do: those that are known give a check
#: two seconds.
CHECK_TIME: Final = 1.0


class Answers:
    """The handlers, and what they look into."""

    def __init__(
        self,
        registry: SessionRegistry,
        exposition: Exposition,
        proxy: Proxy,
        settings: Settings,
        spool: Spool | None = None,
    ) -> None:
        self._registry = registry
        self.configure(settings)
        self.waiting: Sequence[str] = ()
        """The keys of settings that were changed in the file and wait for a restart."""
        self.given: Sequence[str] = ()
        """The keys of settings that the command line sets, regardless of the file."""
        self.listening: list[str] = []
        """Where the proxy itself listens."""
        self._exposition = exposition
        self._proxy = proxy
        self._history = HistoryAnswers(registry)
        self._learning = LearningAnswers(registry.learning, registry.pacer)
        self._health = HealthCheck(registry, proxy)
        self._kept = spool
        self._polling = PollAnswers(registry, lambda: self.settings.language)
        self._spool = SpoolAnswers(spool, lambda: self.settings, registry.pacer, registry.rows.names)
        self.alerts = AlertAnswers(exposition.metrics.alerts.heartbeat)
        """The answers about alerts; `alerts.alerts` is None while alerts are switched off."""
        self.feed = Feed(registry, self._health, lambda: self._gateway, self._spool.totals, self.alerts)

    def configure(self, settings: Settings) -> None:
        """Answer by these settings from now on."""
        self.settings = settings
        """The settings in force."""
        self._gateway = gateway_words(settings)
        self._registry.rows.mean(self._gateway.guidance.states)

    def routes(self) -> list[web.AbstractRouteDef]:
        """All paths with their handlers."""
        return [
            web.get("/healthz", self.healthz),
            web.get("/readyz", self.readyz),
            web.get("/metrics", self.metrics),
            web.get("/sessions", self.sessions),
            web.post("/sessions/{session}/release", self.release),
            web.post("/sessions/{session}/forget", self.forget),
            web.get("/state", self.state),
            web.post("/state/acknowledge", self.acknowledge),
            *self._history.routes(),
            *self._learning.routes(),
            *self._spool.routes(),
            *self.alerts.routes(),
            *self._polling.routes(),
            web.get("/events", self.events),
            web.get("/doctor", self.doctor),
            *assets.routes(),
        ]

    async def healthz(self, request: web.Request) -> web.Response:
        """The process is alive and its loop turns."""
        return answer(Alive("ok", __version__))

    async def readyz(self, request: web.Request) -> web.Response:
        """Whether this proxy is to get traffic: 503 once it is about to stop, answered in time for a load balancer.

        Store and gateway are told and do not count: proxies share them, so that all would be taken out at once, and
        each serves without the store. `?strict` is for a monitor: 503 as well where one of the two does not work.
        """
        strict = "strict" in request.query
        health = await self._health.report(within=None if strict else CHECK_TIME)
        unready = health.status == DRAINING or (strict and health.status == "error")
        return answer(health, status=503 if unready else 200)

    async def metrics(self, request: web.Request) -> web.Response:
        """The numbers for Prometheus."""
        alerts = self.alerts.alerts
        waiting = None if alerts is None else sum(alerts.waiting.values())
        up = await self._health.gateway_up()
        self._registry.judge()
        sessions = SessionSeries()
        async for rows in self._registry.rows.batches():
            sessions.add(sessions_now(self._registry, rows))
        losses = await self._registry.losses()
        now = gauges(self._registry, self._proxy, self._kept, waiting, gateway_up=up, sessions=sessions, losses=losses)
        pieces: list[bytes] = []
        for piece in self._exposition.pieces(now):
            pieces.append(piece)
            await self._registry.pacer.step()
        return web.Response(body=b"".join(pieces), headers={"Content-Type": self._exposition.content_type})

    async def sessions(self, request: web.Request) -> web.StreamResponse:
        """Every session, listed or not: those shown as disconnected first, each part in natural order."""
        self._registry.judge()
        pacer = self._registry.pacer
        rows: list[Row] = []
        found = Counter[SessionState]()
        async for batch in self._registry.rows.batches():
            rows += batch
            found.update(row.state for row in batch)
        left = await _in_order(rows, pacer)
        rows = []
        head = Sessions(
            now=moment(time.time()),
            started=moment(self._registry.started_at),
            webhook_last_heard=moment(self._registry.webhooks.last_heard),
            webhooks=self._registry.webhooks.totals(),
            disconnected=found[SessionState.LOST],
            list_seen_at=moment(self._registry.list_seen_at),
            counts=counts(found),
            sessions=[],
        )
        reports: list[str] = []
        shown, shift, rule = self._registry.in_system_time, self._registry.clock.shift, self._gateway.rule
        figures = self._registry.ledger.figures
        while some := list(islice(left, AT_ONCE)):
            await pacer.step()
            reports += [
                to_text(
                    row_report(row, rule, shown, shift, figures, self.alerts.alerted_at(row.spellings)),
                    compact=True,
                )
                for row in some
            ]
        if len(reports) <= _PIECE:
            return answer_list(head, reports)
        return await _in_pieces(request, head, reports, pacer)

    async def doctor(self, request: web.Request) -> web.Response:
        """What `statusproxy doctor` asks of a running proxy."""
        health = await self._health.report()
        return answer(
            self_report(
                self._registry,
                self._proxy,
                self.settings,
                self.listening,
                health,
                self.waiting,
                self.given,
                self._spool.totals(),
                self.alerts.report(short=True),
            )
        )

    async def release(self, request: web.Request) -> web.Response:
        """End the override of one session."""
        session = request.match_info["session"]
        try:
            changes = await self._registry.release(session, by_hand(request))
        except LookupError as error:
            return refuse(404, str(error.args[0] if error.args else error))
        if not changes and not self.settings.sessions.releases.get(Release.OPERATOR, True):
            return refuse(409, "release by hand is turned off (sessions.releases.operator)")
        return answer(Released(session, bool(changes), [change_report(change) for change in changes]))

    async def forget(self, request: web.Request) -> web.Response:
        """Remove all that is known of one session; an override in force ends as `operator`."""
        session = request.match_info["session"]
        try:
            changes = await self._registry.forget(session, by_hand(request))
        except LookupError as error:
            return refuse(404, str(error.args[0] if error.args else error))
        if not changes:
            return refuse(409, f"{session} is shown as disconnected, and sessions.releases.operator is off")
        forgotten = [change.session for change in changes if change.what == FORGOTTEN]
        return answer(Forgotten(session, forgotten, [change_report(change) for change in changes]))

    async def state(self, request: web.Request) -> web.Response:
        """The stored state: whether it takes writes, and unacknowledged damage."""
        saving = self._registry.saving
        return answer(
            State(
                store=self._registry.store.error or "ok",
                damage=[damage_report(damage) for damage in saving.damage],
                repairs=dict(saving.repairs),
            )
        )

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Acknowledge all damage so far."""
        try:
            return answer(Acknowledged(await self._registry.saving.acknowledge_damage()))
        except StoreError as error:
            return refuse(503, f"the damage cannot be acknowledged now: {error}")

    async def events(self, request: web.Request) -> web.StreamResponse:
        """The status page's data and its changes, as server-sent events."""
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        async with contextlib.aclosing(self.feed.follow()) as pieces:
            try:
                first = await anext(pieces)
            except FeedFullError:
                return refuse(503, "too many status pages are open", {"Retry-After": "10"})
            with contextlib.suppress(ConnectionError):  # the page was closed, or does not read (`Connections`)
                await response.prepare(request)
                await response.write(first)
                async for piece in pieces:
                    await response.write(piece)
        return response


async def _in_pieces(request: web.Request, head: Sessions, reports: list[str], pacer: Pacer) -> web.StreamResponse:
    """As `answer_list`, written in pieces between which others have their turn; empties the list."""
    first, between, last = to_text(head).removesuffix("]}"), ", ", "]}"
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    # Characters are bytes: JSON's own escapes leave nothing but ASCII.
    response.content_length = sum(map(len, reports)) + len(first) + len(between) * (len(reports) - 1) + len(last)
    reports.reverse()
    left = emptied(reports)
    with contextlib.suppress(ConnectionError):  # the client has gone
        await response.prepare(request)
        await response.write(first.encode("ascii"))
        while piece := list(islice(left, _PIECE)):
            end = between if reports else last
            await response.write((between.join(piece) + end).encode("ascii"))
            await pacer.step()
    await let_go(reports, pacer)
    return response


async def _in_order(rows: Sequence[Row], pacer: Pacer) -> Iterator[Row]:
    """Sort sessions: those shown as disconnected first, each part in natural order; yields to the event loop.

    Each is let go when it is given.
    """
    keys = await natural_keys([row.session for row in rows], pacer)
    keyed = ((row.state is not SessionState.LOST, key, row) for key, row in zip(keys, rows, strict=True))
    ordered = await in_order(keyed, itemgetter(0, 1), pacer)
    ordered.reverse()
    return (row for _, _, row in emptied(ordered))
