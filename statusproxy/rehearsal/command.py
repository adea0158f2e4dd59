"""`statusproxy try` behind its options: reads the files, plays them, and writes what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from statusproxy.admin.client import pretty
from statusproxy.assembly import sender_policy
from statusproxy.captures import CaptureError, Delivery, deliveries
from statusproxy.config.packages import missing_for_webhooks
from statusproxy.config.settings import Settings
from statusproxy.config.templates import SESSION
from statusproxy.observe.exchange_report import RouteKind
from statusproxy.rehearsal import answers, files, mixed_up, releases
from statusproxy.rehearsal.explanation import shortened
from statusproxy.rehearsal.files import FileError
from statusproxy.rehearsal.hearing import TICK, Given, Hearing
from statusproxy.rehearsal.messages import ListResult, QrResult, Results
from statusproxy.rehearsal.moments import moment
from statusproxy.rehearsal.report import as_text
from statusproxy.rehearsal.site import Site, is_left_out, site
from statusproxy.status import picture
from statusproxy.status.fields import parse
from statusproxy.status.sessions import SessionMap


class UsageError(ValueError):
    """The options or files cannot be used. `str()` is one line."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the command line says."""

    events: Sequence[str] = ()
    path: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    lists: Sequence[str] = ()
    routes: Sequence[str] = ()
    qr: str | None = None
    session: str | None = None
    now: float
    """When the first event comes in, in epoch seconds."""
    wait: float = 0.0
    """Seconds from the last event to the lists."""
    as_json: bool = False

    def check(self) -> None:
        """Raise UsageError where the options do not fit together."""
        inputs = [*self.events, *self.lists, *([] if self.qr is None else [self.qr])]
        if not inputs:
            raise UsageError("nothing to try: give --event, --list or --qr")
        if inputs.count(files.STANDARD_INPUT) > 1:
            raise UsageError("standard input (-) can be read only once")
        if self.routes and len(self.routes) != len(self.lists):
            raise UsageError("give --route once for each --list, in the same order")


def play(settings: Settings, request: Request) -> Results:
    """Everything that is asked for, in the order in which a proxy would see it. Raises UsageError."""
    missing = missing_for_webhooks(settings.webhooks)
    if missing is not None:
        raise UsageError(missing)
    where = site(settings, sender_policy)
    posted = where.webhook(request.path)
    if request.path is not None and posted.kind is not RouteKind.WEBHOOK and not is_left_out(posted):
        raise UsageError(f"--path: no webhook of the configuration has this path; {_known(settings, webhooks=True)}")
    if request.events and not settings.webhooks and request.path is None:
        raise UsageError("--event: the configuration has no webhook")
    try:
        events = [one for name in request.events for one in _events(name, where)]
        lists = [(files.label(name), _answer(name)) for name in request.lists]
        qr = None if request.qr is None else _answer(request.qr, image=True)
    except (CaptureError, FileError) as error:
        raise UsageError(str(error)) from None
    return _play(where, request, events, lists, qr)


def _play(
    where: Site, request: Request, events: Sequence[Delivery], lists: Sequence[tuple[str, bytes]], qr: bytes | None
) -> Results:
    settings = where.settings
    sessions = SessionMap(settings.session_rules())
    hearing = Hearing(where, sessions, request.now)
    heard = list(hearing.hear(events, Given(request.path, request.headers)))
    now = hearing.now + request.wait + TICK
    sessions.expire(now)
    sessions.judge_transient(now)
    shown: list[ListResult] = []
    for number, (name, body) in enumerate(lists):
        route = request.routes[number] if request.routes else None
        shown.append(_list(where, name, body, route, sessions, now))
    scanned = None if qr is None else _scan(settings, request, qr, sessions, now)
    missed = any(one.missed for one in heard) or any(one.failure for one in shown)
    return Results(
        now=moment(now),
        events=heard,
        lists=shown,
        qr=scanned,
        overrides=releases.overrides(settings, sessions),
        waiting=releases.waiting(settings, sessions),
        exit_code=int(missed),
    )


def _events(name: str, where: Site) -> list[Delivery]:
    found = deliveries(files.read(name), files.label(name))
    route = mixed_up.listed_on(found[0].body, where) if len(found) == 1 else None
    if route is not None:
        raise FileError(f"{files.label(name)}: this is not an event but the list of {route}; give it with --list")
    return found


def _list(where: Site, name: str, body: bytes, route: str | None, sessions: SessionMap, now: float) -> ListResult:
    found = where.answer(route)
    if found.entry is None:
        raise UsageError(f"--route: no corrected route has this path; {_known(where.settings, webhooks=False)}")
    shown = found.template or ""
    if len(body) > where.settings.limits.corrected:
        return ListResult(source=name, route=shown, failure="too-large")
    result = answers.correct(answers.Answer(body, name, shown, found.entry, found.session), sessions, now)
    event = mixed_up.event_in(body, where) if result.failure is not None else None
    if event is not None:
        raise UsageError(f"{name}: this is not a list but the event {shortened(event)}; give it with --event")
    return result


def _scan(settings: Settings, request: Request, body: bytes, sessions: SessionMap, now: float) -> QrResult:
    assert request.qr is not None
    known = [record.session for record in sessions.records() if record.override is not None]
    if request.session is None and len(known) > 1:
        raise UsageError("--qr: several sessions are disconnected; name the session of this answer with --session")
    session = request.session or next(iter(known), None)
    return answers.scan(body, files.label(request.qr), session, settings.dialect.qr, sessions, now)


def _known(settings: Settings, *, webhooks: bool) -> str:
    paths = [one.path for one in (settings.webhooks if webhooks else settings.channels)]
    hint = f" ({SESSION} stands for an id)" if any(SESSION in path for path in paths) else ""
    return f"it has {', '.join(paths) or 'none'}{hint}"


def _answer(name: str, *, image: bool = False) -> bytes:
    """An answer of the gateway: JSON, or an image where it may be one."""
    content = files.read(name)
    if not content.strip():
        raise FileError(f"{files.label(name)}: the file is empty")
    if image and picture.is_image(content):
        return content
    try:
        parse(content)
    except RecursionError:  # the proxy passes it unread, and the results say so
        pass
    except ValueError:
        what = "neither a JSON document nor an image" if image else "not one JSON document"
        raise FileError(f"{files.label(name)}: this is {what}") from None
    return content


def report(results: Results, *, as_json: bool, colours: bool) -> str:
    """What came of it, as JSON or for people."""
    return pretty(msgspec.to_builtins(results)) if as_json else as_text(results, colours=colours)
