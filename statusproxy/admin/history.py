"""The admin listener's answers about the past: lines of history, outages as records, uptime by months.

A history may have half a million lines: it is read and answered a page at a time, and an answer holds no more than its
`limit`.
"""

import heapq
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from itertools import islice
from operator import itemgetter
from typing import Final

import msgspec
from aiohttp import web

from statusproxy.admin.ids import natural_keys
from statusproxy.admin.json_answers import refuse
from statusproxy.admin.messages import History, OutageList, Uptime, to_text
from statusproxy.admin.ordering import emptied, in_order, let_go
from statusproxy.admin.past import changes
from statusproxy.admin.report import change_report, moment, month_report, outage_report
from statusproxy.admin.since import parse_since
from statusproxy.pacing import Pacer
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import Row
from statusproxy.status.model import Record
from statusproxy.status.outages import Outage, Pairing, newest_first, standing
from statusproxy.status.uptime import Share, months, together
from statusproxy.store import StoreError

log = logging.getLogger("statusproxy.admin")

#: Lines or outages in an answer, where the query does not say how many; and at most.
GIVEN: Final = 1_000
MOST: Final = 100_000

#: Months in an answer, where the query does not say how many; and at most.
MONTHS: Final = 12
MOST_MONTHS: Final = 120

#: Characters of a name that are kept.
LONGEST_NAME: Final = 64

#: Entries written, or sessions looked at, before others have their turn: a millisecond.
_AT_ONCE: Final = 50

#: Sessions whose months are counted before others have their turn: a millisecond for ten years of each.
_SESSIONS_AT_ONCE: Final = 5

#: Months of sessions added up before others have their turn: half a millisecond.
_SHARES_AT_ONCE: Final = 1_000


class HistoryAnswers:
    """The handlers of `/history`, `/outages` and `/uptime`."""

    def __init__(self, registry: SessionRegistry) -> None:
        self._registry = registry

    def routes(self) -> list[web.AbstractRouteDef]:
        """The paths with their handlers."""
        return [
            web.get("/sessions/{session}/history", self.history),
            web.get("/history", self.history),
            web.get("/outages", self.outages),
            web.get("/uptime", self.uptime),
        ]

    async def history(self, request: web.Request) -> web.StreamResponse:
        """Changes of one session or of all, newest first: `?since=`, `?limit=`, `?session=`."""
        session = request.match_info.get("session", request.query.get("session"))
        try:
            since, limit = _since(request), _number(request, "limit", GIVEN, MOST)
        except ValueError as error:
            return refuse(400, str(error))
        async with aclosing(self._lines(session, since, limit)) as lines:
            try:
                first = await anext(lines, None)
                if first is None and await self._is_unknown(session):
                    return _nobody(session)
            except StoreError as error:
                return _unreadable(error)
            return await _stream(request, History([]), _with(first, lines), self._registry.pacer)

    async def outages(self, request: web.Request) -> web.StreamResponse:
        """Outages of one session or of all that lasted at `?since=` or began later, newest first, at most `?limit=`."""
        session = request.query.get("session")
        try:
            since, limit = _since(request), _number(request, "limit", GIVEN, MOST)
        except ValueError as error:
            return refuse(400, str(error))
        try:
            found, more = await self._outages(session, since, limit)
            if not found and await self._is_unknown(session):
                return _nobody(session)
        except StoreError as error:
            return _unreadable(error)
        now = time.time()
        head = OutageList(now=moment(now), more=more, outages=[])
        texts = _texts(outage_report(one, now) for one in emptied(found))
        try:
            return await _stream(request, head, texts, self._registry.pacer)
        finally:
            await let_go(found, self._registry.pacer)  # the client has gone

    async def uptime(self, request: web.Request) -> web.StreamResponse:
        """The last `?months=` calendar months of each session and of all together, or of one `?session=`."""
        session = request.query.get("session")
        try:
            count = _number(request, "months", MONTHS, MOST_MONTHS)
            if await self._is_unknown(session):
                return _nobody(session)
        except ValueError as error:
            return refuse(400, str(error))
        except StoreError as error:
            return _unreadable(error)
        head = Uptime(now=moment(time.time()), complete=self._registry.ledger.filled, months=[])
        return await _stream(request, head, self._months(session, count), self._registry.pacer)

    # ---- what is found ----

    async def _is_unknown(self, session: str | None) -> bool:
        """Whether neither the proxy nor the history knows of it; StoreError where the history cannot be read."""
        if session is None:
            return False
        await self._registry.rows.read()
        if self._registry.rows.row(session) is not None:
            return False
        async with aclosing(self._lines(session, None, 1)) as lines:
            return await anext(lines, None) is None

    async def _lines(self, session: str | None, since: float | None, limit: int) -> AsyncGenerator[str, None]:
        left = limit
        async with aclosing(changes(self._registry.store, await self._names(session), since)) as found:
            async for change in found:
                yield to_text(change_report(change))
                left -= 1
                if left <= 0:
                    return

    async def _outages(self, session: str | None, since: float | None, limit: int) -> tuple[list[Outage], bool]:
        """The newest outages, the newest last, and whether there are more.

        Lines from before are read until none lacks its beginning.
        """
        newest: list[tuple[float, int, Outage]] = []
        count = 0

        def keep(outages: Iterable[Outage]) -> None:
            nonlocal count
            for one in outages:
                if since is None or one.until is None or one.until >= since:
                    count += 1
                    (heapq.heappush if len(newest) < limit else heapq.heappushpop)(newest, (one.since, count, one))

        self._registry.judge()
        for name in await self._names(session):
            pairing = Pairing(await self._standing(name))
            async with aclosing(self._registry.store.history_pages(name, None)) as pages:
                async for page in pages:
                    for change in page:
                        if since is None or change.recorded_at >= since or pairing.has(change.session):
                            keep(pairing.take(change))
                    if since is not None and page and page[-1].recorded_at < since and not pairing.lacking:
                        break
                    await self._registry.pacer.step()
            rest = pairing.left()
            while some := list(islice(rest, _AT_ONCE)):
                keep(some)
                await self._registry.pacer.step()
        found = await in_order((one for *_, one in emptied(newest)), newest_first, self._registry.pacer)
        found.reverse()
        return found, count > limit

    async def _standing(self, session: str | None) -> dict[str, Outage]:
        """The outages that last, of all sessions or of one id."""
        sessions, shown = self._registry.sessions, self._registry.in_system_time
        lost: dict[str, Outage] = {}
        for number, name in enumerate(sessions.lost() if session is None else [session]):
            if number % _AT_ONCE == 0:
                await self._registry.pacer.step()
            record = sessions.get(name)
            outage = None if record is None else standing(shown(record))
            if outage is not None:
                lost[name] = outage
        return lost

    async def _names(self, session: str | None) -> Sequence[str | None]:
        """The ids that lines of the history may have for a session; None for all sessions."""
        return (None,) if session is None else await self._registry.rows.names(session)

    def _row(self, session: str) -> Sequence[Row]:
        row = self._registry.rows.row(session)
        return [] if row is None else [row]

    async def _months(self, session: str | None, count: int) -> AsyncIterator[str]:
        ledger, shown = self._registry.ledger, self._registry.in_system_time
        rows = await self._registry.rows.all() if session is None else self._row(session)
        keys = await natural_keys([row.session for row in rows], self._registry.pacer)
        ordered = await in_order(zip(keys, rows, strict=True), itemgetter(0), self._registry.pacer)
        found: dict[str, list[tuple[str, Share]]] = {month: [] for month, *_ in months(count, time.time())}
        for number, (_, row) in enumerate(ordered):
            if number % _SESSIONS_AT_ONCE == 0:
                await self._registry.pacer.step()
            record = shown(row.record) if row.record is not None else Record(row.session)
            for month, share in ledger.monthly(record, row.spellings, count):
                found.setdefault(month, []).append((row.session, share))
        try:
            for month, shares in found.items():
                if shares and session is None:
                    whole = together(())
                    for start in range(0, len(shares), _SHARES_AT_ONCE):
                        whole = whole.and_(together(share for _, share in shares[start : start + _SHARES_AT_ONCE]))
                        await self._registry.pacer.step()
                    yield to_text(month_report(month, None, whole))
                shares.reverse()
                for name, share in emptied(shares):
                    yield to_text(month_report(month, name, share))
        finally:
            for shares in found.values():
                await let_go(shares, self._registry.pacer)  # the client has gone


def by_hand(request: web.Request) -> str | None:
    """Who sends this request, as its `?by=` says: the first 64 characters that can be shown."""
    name = "".join(char if char.isprintable() else " " for char in request.query.get("by", "")[: 4 * LONGEST_NAME])
    return " ".join(name.split())[:LONGEST_NAME].rstrip() or None


# ---- queries ----


def _since(request: web.Request) -> float | None:
    said = request.query.get("since")
    try:
        return None if said is None else parse_since(said, time.time())
    except ValueError as error:
        raise ValueError(f"since: {error}") from None


def _number(request: web.Request, name: str, default: int, most: int) -> int:
    said = request.query.get(name, str(default))
    if not (said.isascii() and said.isdigit() and len(said) < 9 and 1 <= int(said) <= most):
        raise ValueError(f"{name} is a whole number from 1 to {most}")
    return int(said)


# ---- answers ----


async def _stream(
    request: web.Request, head: msgspec.Struct, entries: AsyncIterator[str], pacer: Pacer
) -> web.StreamResponse:
    """A message whose last key is a list, empty as yet, with these entries in it, written as they come."""
    response = web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})
    piece = [to_text(head).removesuffix("]}")]
    between = ""
    try:
        async for entry in entries:
            piece.append(between + entry)
            between = ", "
            if len(piece) >= _AT_ONCE:
                if not response.prepared:
                    await response.prepare(request)
                await response.write("".join(piece).encode())
                piece = []
                await pacer.step()
        if not response.prepared:
            return web.Response(text="".join([*piece, "]}"]), content_type="application/json")
        await response.write("".join([*piece, "]}"]).encode())
    except StoreError as error:
        if not response.prepared:
            return _unreadable(error)
        log.warning("the history could not be read to its end: %s", error)
        if request.transport is not None:
            request.transport.abort()  # half an answer must not pass for a whole one
    except ConnectionError:
        pass  # the client has gone
    return response


async def _with(first: str | None, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    if first is not None:
        yield first
    async for one in rest:
        yield one


async def _texts(messages: Iterable[msgspec.Struct]) -> AsyncIterator[str]:
    for one in messages:
        yield to_text(one)


def _unreadable(error: StoreError) -> web.Response:
    return refuse(503, f"the history cannot be read: {error}")


def _nobody(session: str | None) -> web.Response:
    return refuse(404, f"no session {session!r} is known, and the history has none of that name")
