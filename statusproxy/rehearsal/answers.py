"""Plays answers of the gateway through the session map: lists before and after the correction, and the QR route's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from statusproxy.rehearsal.messages import ChangedChannel, ChangedValue, ListResult, QrResult, Uncorrected
from statusproxy.status import picture, qr
from statusproxy.status.channel_list import ChannelList
from statusproxy.status.channels import ChannelRule, correct_at_once
from statusproxy.status.fields import MISSING, lookup, parse, parse_path
from statusproxy.status.json_spans import Span
from statusproxy.status.model import RELEASED, Change
from statusproxy.status.sessions import SessionMap

_LONGEST: Final = 80
"""Characters of a value that are shown: status words are short."""


class Answer(msgspec.Struct, frozen=True):
    """An answer of the gateway on a corrected route."""

    body: bytes
    source: str
    """Where it stands: the file."""
    route: str
    """The route's path as it is configured."""
    rule: ChannelRule
    session: str | None = None
    """The id in the path, if that names one."""


def correct(answer: Answer, sessions: SessionMap, now: float) -> ListResult:
    """Correct an answer that was asked for at `now`."""
    listing = ChannelList(answer.body, answer.rule, answer.session)
    standing = [record.session for record in sessions.records() if record.override is not None]
    correction = correct_at_once(listing, sessions, now, now)
    listing.read()
    if listing.failure is not None:
        return ListResult(source=answer.source, route=answer.route, failure=listing.failure)
    after = ChannelList(correction.body, answer.rule, answer.session)
    return ListResult(
        source=answer.source,
        route=answer.route,
        channels=sum(channel is not None for channel, _ in listing.entries()),  # a name may stand there twice
        corrected=list(_changed(listing, after, correction.corrected)),
        uncorrected=list(_uncorrected(standing, listing, correction.corrected, correction.changes, sessions)),
    )


def _changed(before: ChannelList, after: ChannelList, corrected: tuple[str, ...]) -> Iterator[ChangedChannel]:
    after.read()
    for (channel, old), (_, new) in zip(before.entries(), after.entries(), strict=True):
        if channel in corrected:
            values = list(_values(_object(before, old), _object(after, new), before.rule.set))
            if values:
                yield ChangedChannel(channel, values)


def _object(listing: ChannelList, span: Span) -> object:
    return parse(listing.body[slice(*span)])


def _values(before: object, after: object, names: Mapping[str, object]) -> Iterator[ChangedValue]:
    """The members that are set and differ. No other value of the answer is looked at."""
    for name in names:
        old, new = lookup(before, parse_path(name)), lookup(after, parse_path(name))
        if old is not MISSING and old != new:
            yield ChangedValue(name, _shown(old), _shown(new))


def _shown(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= _LONGEST else written[: _LONGEST - 1] + "…"


def _uncorrected(
    standing: list[str],
    listing: ChannelList,
    corrected: tuple[str, ...],
    changes: tuple[Change, ...],
    sessions: SessionMap,
) -> Iterator[Uncorrected]:
    """Why the answer is not corrected for sessions that were known to be disconnected when it was asked for."""
    ended = {change.session: change.reason for change in changes if change.what == RELEASED}
    channels = {one: channel for channel, known in _assigned(listing, sessions).items() for one in known}
    for session in standing:
        if session in ended:
            yield Uncorrected(session, f"this answer ends the correction ({ended[session]})")
        elif session not in channels:
            if listing.whole:
                yield Uncorrected(session, "the answer has no such channel (for another id use sessions.aliases)")
        elif channels[session] not in corrected:
            said = listing.said(channels[session])
            if said.keeps:
                yield Uncorrected(session, f"the gateway knows of the loss: what it says stays ({said.word})")
            else:
                yield Uncorrected(session, "nothing to change: its members already say so, or are missing")


def _assigned(listing: ChannelList, sessions: SessionMap) -> dict[str, list[str]]:
    return sessions.answers.assign(listing.ids, whole=listing.whole)


def scan(
    body: bytes, source: str, session: str | None, members: tuple[str, ...], sessions: SessionMap, now: float
) -> QrResult:
    """Take in the QR route's answer, asked for at `now`.

    `session` is the one that it is about. None: no session is disconnected, and the answer changes nothing.
    """
    shows = qr.Answer.CODE if picture.is_image(body) else qr.read(body, members)
    changes: tuple[Change, ...] = ()
    if session is not None and shows is qr.Answer.CODE:
        sessions.watched.qr_seen(session, now, now)
    elif session is not None and shows is qr.Answer.CONNECTED:
        changes = sessions.watched.said_connected(session, now, now)
    override = None if session is None else sessions.override_of([session])
    connecting = override is not None and override.transient
    return QrResult(source=source, shows=shows.value, session=session, why=_why(shows, session, changes, connecting))


def _why(shows: qr.Answer, session: str | None, changes: tuple[Change, ...], connecting: bool) -> str:
    match shows:
        case qr.Answer.NOT_JSON:
            return "neither an image nor JSON; it proves nothing"
        case qr.Answer.TOO_DEEP:
            return "nested too deep; it proves nothing"
        case qr.Answer.NEITHER:
            return "no code in any member of dialect.qr, and no claim to be connected; it proves nothing"
    if session is None:
        return "no session is known to be disconnected, so it changes nothing"
    if shows is qr.Answer.CODE and connecting:
        return "it proves nothing while the gateway is connecting: it may be the code that was scanned last"
    if shows is qr.Answer.CODE:
        return "the gateway knows of the disconnect: its next `connected` ends the correction"
    if changes:
        return f"the correction ends ({changes[0].reason})"
    return "it ends nothing: the gateway has not yet shown that it knows of the disconnect"
