"""What the admin listener answers on `/spool`: events that are kept are listed, shown, replayed and dropped."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from aiohttp import web
from multidict import MultiMapping

from statusproxy.admin.json_answers import answer, answer_list, refuse
from statusproxy.admin.messages import to_text
from statusproxy.admin.report import moment
from statusproxy.admin.spool_messages import SpoolChanged, SpoolEntry, SpoolList, SpoolShown, SpoolTotals
from statusproxy.admin.spool_reports import entry_report, field_reports, totals_report
from statusproxy.config.settings import Settings
from statusproxy.config.state_url import Memory, parse_state_url
from statusproxy.observe.counted import counted
from statusproxy.observe.network_errors import in_words
from statusproxy.pacing import Pacer
from statusproxy.spool.control import Control, SharedError
from statusproxy.spool.spool import Spool
from statusproxy.status.fields import fold_id
from statusproxy.store.errors import StoreError
from statusproxy.store.spooled import Body, Entry, EntryState

log = logging.getLogger("statusproxy.admin")

#: Entries that a list has where the query does not say, and at most.
LISTED: Final = 100
MOST: Final = 10_000

#: Entries looked at, written as JSON, and changed before others have their turn: each some milliseconds.
_LOOKED_AT: Final = 1_000
_WRITTEN: Final = 40
_CHANGED: Final = 50

#: Bytes of a body's file that are read at once.
_PIECE: Final = 64 * 1024

_PAGE: Final = "docs/spool.md"

NO_PATH: Final = f"no event is stored: no webhook path has spool: true ({_PAGE} explains it)"
NO_PLACE: Final = (
    f"no event is stored: this needs a state in SQLite or Redis, such as state.url: sqlite:///state.db ({_PAGE})"
)


class RefusedError(Exception):
    """The answer is an error."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status


class Wanted(NamedTuple):
    """Which entries a query is about."""

    state: EntryState | None
    queues: frozenset[str] | None
    """The session's ids as the map folds them; None for all."""

    def has(self, entry: Entry) -> bool:
        """Whether it is about this entry."""
        return (self.state is None or entry.state is self.state) and (self.queues is None or entry.queue in self.queues)


Names = Callable[[str], Awaitable[Sequence[str]]]
"""Gives every id of a session that is named by one of them."""


class SpoolAnswers:
    """The handlers of one `Spool`."""

    def __init__(self, spool: Spool | None, settings: Callable[[], Settings], pacer: Pacer, names: Names) -> None:
        """`spool` is None where the state keeps none; `settings` gives those in force.

        `names` gives every id of a session (`SessionRows.names`).
        """
        self._kept = spool
        self._names = names
        self._pacer = pacer
        self._settings = settings

    def routes(self) -> list[web.AbstractRouteDef]:
        """The paths with their handlers."""
        return [
            web.get("/spool", self.entries, allow_head=False),
            web.delete("/spool", self.drop_all),
            web.post("/spool/replay", self.replay_all),
            web.get("/spool/{id}", self.show, allow_head=False),
            web.post("/spool/{id}/replay", self.replay),
            web.delete("/spool/{id}", self.drop),
        ]

    def totals(self) -> SpoolTotals | None:
        """What all entries come to; None where no event is ever kept, and while that is not known."""
        return None if self._kept is None or self._off or self._kept.unread else totals_report(self._kept)

    async def entries(self, request: web.Request) -> web.StreamResponse:
        """As many entries as `limit` says, the oldest first, or as `order` says; `state` and `session` choose."""
        try:
            query = _read(request.query, "limit", "order", "state", "session")
            limit, newest, wanted = _limit(query), _newest(query), await self._wanted(query)
            spool = self._spool()
        except RefusedError as refused:
            return _refuse(refused)
        chosen = await _first(spool.control.entries(), wanted, limit, self._pacer, newest=newest)
        head = SpoolList(now=moment(time.time()), totals=totals_report(spool), entries=[])
        texts: list[str] = []
        for start in range(0, len(chosen), _WRITTEN):
            reports = [_report(spool, entry) for entry in chosen[start : start + _WRITTEN]]
            texts += [to_text(report, compact=True) for report in reports]
            await self._pacer.step()
        return answer_list(head, texts)

    async def show(self, request: web.Request) -> web.StreamResponse:
        """One entry with the fields of its head; with `body=1` its body instead, as it came."""
        try:
            with_body = _flag(_read(request.query, "body"), "body")
            spool = self._spool()
            entry = self._entry(spool, request)
            content = await spool.content(entry)
            if content is None:
                raise _gone(entry.id)
            try:
                if with_body:
                    return await _body(request, entry, content.body)
            finally:
                spool.release(content)
        except StoreError as error:
            return refuse(503, f"the event cannot be read: {error}")
        except RefusedError as refused:
            return _refuse(refused)
        return answer(
            SpoolShown(now=moment(time.time()), entry=_report(spool, entry), fields=field_reports(content.head))
        )

    async def replay(self, request: web.Request) -> web.StreamResponse:
        """Have one entry delivered now, whatever its state."""
        return await self._change_one(request, Control.replay)

    async def drop(self, request: web.Request) -> web.StreamResponse:
        """Drop one entry permanently."""
        return await self._change_one(request, Control.drop)

    async def replay_all(self, request: web.Request) -> web.StreamResponse:
        """Have entries delivered now: those of a `state`, of a `session`, or of both."""
        return await self._change_all(request, Control.replay)

    async def drop_all(self, request: web.Request) -> web.StreamResponse:
        """Drop entries permanently: those of a `state`, of a `session`, or of both."""
        return await self._change_all(request, Control.drop)

    # Inside

    @property
    def _off(self) -> bool:
        """Whether nothing is kept any more, and nothing is left of what was."""
        on = any(webhook.spool for webhook in self._settings().webhooks)
        return not on and (self._kept is None or not self._kept.control.totals.entries)

    def _spool(self) -> Spool:
        if self._kept is None and isinstance(parse_state_url(self._settings().state.url), Memory):
            raise RefusedError(409, NO_PLACE)
        if self._kept is None or self._off:
            raise RefusedError(409, NO_PATH)
        if self._kept.unread is not None:
            raise RefusedError(503, f"it is not known which events are stored: {self._kept.unread}")
        return self._kept

    def _entry(self, spool: Spool, request: web.Request) -> Entry:
        id_ = request.match_info["id"]
        entry = spool.control.get(id_)
        if entry is None:
            raise _gone(id_)
        return entry

    async def _wanted(self, query: dict[str, str]) -> Wanted:
        state, session = query.get("state"), query.get("session")
        if state is not None and state not in list(EntryState):
            raise RefusedError(400, f"state is one of {', '.join(EntryState)}")
        if session is not None and not fold_id(session):
            raise RefusedError(400, "a session's id cannot be empty")
        queues = None if session is None else frozenset(map(fold_id, await self._names(session)))
        return Wanted(None if state is None else EntryState(state), queues)

    async def _change_one(self, request: web.Request, change: "Change") -> web.StreamResponse:
        try:
            _read(request.query)
            spool = self._spool()
            id_ = self._entry(spool, request).id
            return answer(SpoolChanged(await change(spool.control, [id_])))
        except RefusedError as refused:
            return _refuse(refused)
        except SharedError as error:
            return refuse(503, str(error))
        except StoreError as error:
            return _not_on_disk(error)

    async def _change_all(self, request: web.Request, change: "Change") -> web.StreamResponse:
        changed = 0
        try:
            wanted = await self._wanted(_read(request.query, "state", "session"))
            if wanted == Wanted(None, None):
                raise RefusedError(400, "name the events: by a state, a session, or both, such as ?state=dead")
            spool = self._spool()
            entries = spool.control.entries()
            await self._pacer.step()  # with many, that was a step of its own
            refused: StoreError | None = None
            entries.reverse()
            while entries:
                # As they are now, since the delivery and other operators go on meanwhile.
                now = [spool.control.get(entry.id) for entry in reversed(entries[-_CHANGED:])]
                del entries[-_CHANGED:]  # else those that are dropped would be freed in one go at the end
                ids = [entry.id for entry in now if entry is not None and wanted.has(entry)]
                if ids:
                    try:
                        changed += await change(spool.control, ids)
                    except StoreError as error:  # in force all the same, so the others must follow
                        refused = error
                await self._pacer.step()
            return answer(SpoolChanged(changed)) if refused is None else _not_on_disk(refused)
        except RefusedError as refused:
            return _refuse(refused)
        except SharedError as error:
            before = f"after {counted(changed, 'event was', 'events were')} changed: " if changed else ""
            return refuse(503, f"{before}{error}")


Change = Callable[[Control, Sequence[str]], Awaitable[int]]
"""`Control.replay` or `Control.drop`."""


async def _first(
    entries: Sequence[Entry], wanted: Wanted, limit: int, pacer: Pacer, *, newest: bool
) -> Sequence[Entry]:
    """The oldest (or newest) of the wanted entries, in that order; yields to the event loop."""
    first: list[Entry] = []
    for start in range(0, len(entries), _LOOKED_AT):
        first += filter(wanted.has, entries[start : start + _LOOKED_AT])
        first.sort(key=attrgetter("id"), reverse=newest)
        del first[limit:]
        await pacer.step()
    return first


# ---- queries ----


def _read(query: MultiMapping[str], *known: str) -> dict[str, str]:
    """The query's parameters. A misspelt one would choose too much: it is refused."""
    for name in query:
        if name not in known:
            allowed = f"allowed: {', '.join(known)}" if known else "none is allowed here"
            raise RefusedError(400, f"the parameter {name!r} is not known; {allowed}")
    said = dict(query.items())
    if len(said) != len(query):
        raise RefusedError(400, "a parameter is given twice")
    return said


def _limit(query: dict[str, str]) -> int:
    said = query.get("limit", str(LISTED))
    if not (said.isascii() and said.isdigit() and len(said) < 6 and 1 <= int(said) <= MOST):
        raise RefusedError(400, f"limit is a whole number from 1 to {MOST}")
    return int(said)


def _newest(query: dict[str, str]) -> bool:
    order = query.get("order", "oldest")
    if order not in ("oldest", "newest"):
        raise RefusedError(400, "order is oldest or newest: which comes first")
    return order == "newest"


def _flag(query: dict[str, str], name: str) -> bool:
    said = query.get(name, "0")
    if said not in ("0", "1"):
        raise RefusedError(400, f"{name} is 0 or 1")
    return said == "1"


# ---- answers ----


async def _body(request: web.Request, entry: Entry, body: Body) -> web.StreamResponse:
    """A body as it came, as a file of no type that a browser would show; a large one goes straight from its file."""
    headers = {"Content-Disposition": f'attachment; filename="{entry.id}"'}
    if isinstance(body, bytes):
        return web.Response(body=body, headers=headers, content_type="application/octet-stream")
    try:
        file, size = await asyncio.to_thread(_open, body)
    except FileNotFoundError:  # delivered just now
        raise _gone(entry.id) from None
    except OSError as error:
        raise RefusedError(503, f"the event's body cannot be read: {in_words(error)}") from None
    response = web.StreamResponse(headers=headers)
    response.content_type, response.content_length = "application/octet-stream", size
    try:
        await response.prepare(request)
        while piece := await asyncio.to_thread(file.read, _PIECE):
            await response.write(piece)
    except OSError as error:
        if not isinstance(error, ConnectionError):  # else the client has gone
            log.error("the body of event %s could not be read to its end: %s", entry.id, in_words(error))
        if request.transport is not None:
            request.transport.abort()  # half a body must not pass for a whole one
    finally:
        file.close()
    return response


def _open(path: Path) -> tuple[BinaryIO, int]:
    file = path.open("rb")
    return file, os.fstat(file.fileno()).st_size


def _report(spool: Spool, entry: Entry) -> SpoolEntry:
    return entry_report(entry, is_next=spool.control.is_next(entry), shift=spool.control.shift)


def _gone(id_: str) -> RefusedError:
    return RefusedError(404, f"no event {id_!r} is kept; it may have been delivered")


def _not_on_disk(error: StoreError) -> web.Response:
    return refuse(503, f"the change is in force, but not on disk yet: {error}")


def _refuse(refused: RefusedError) -> web.Response:
    return refuse(refused.status, str(refused))
