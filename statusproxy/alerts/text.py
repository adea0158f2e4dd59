"""A message for people: which session, since when, why, what the gateway claims, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from types import ModuleType
from typing import Final, Literal

import msgspec

from statusproxy.alerts.values import Line, Message
from statusproxy.alerts.words import en, pt_br
from statusproxy.observe.visible import visible
from statusproxy.status.fields import fold_word
from statusproxy.status.model import Release

__all__ = ["Reader", "Text", "instant", "text"]

#: Sessions that a text names; the JSON has all.
_NAMED: Final = 10

#: Characters of an id, word or reason that a text repeats.
_LONGEST: Final = 200

_LANGUAGES: Final[Mapping[str, ModuleType]] = {"en": en, "pt-BR": pt_br}

#: For a message of a newer proxy, whose type this one does not know: the text shows the type alone.
_UNKNOWN: Final = ("", "- {session}")

#: The end of the calendar in each time zone, in epoch seconds: the year 9999.
_LAST: Final = 253_400_000_000.0

#: How corrections end where the session is known to be connected.
_CONNECTED: Final = frozenset({Release.CONNECTED_EVENT.value, Release.RECONNECTED.value, Release.ALIVE.value})


class Reader(msgspec.Struct, frozen=True):
    """For whom a text is, and what the configuration knows for them."""

    language: Literal["en", "pt-BR"] = "en"
    zone: tzinfo | None = None
    """The time zone of the moments; None is UTC."""
    gateway: str = ""
    """The gateway's name, of the preset (`Guidance.title`)."""
    bring_back: tuple[str, ...] = ()
    """The routes by which a lost session comes back (`Guidance.bring_back`)."""


class Text(msgspec.Struct, frozen=True):
    """A message in words."""

    title: str
    """One line."""
    body: str
    """The whole message: it begins with the words of the title."""


def text(message: Message, lines: Sequence[Line], reader: Reader) -> Text:
    """The message in words, of those of its lines that its target gets (`wanted.lines_for`). The same at each attempt.

    What came from elsewhere shows printable characters only, in bounded length.
    """
    words = _LANGUAGES[reader.language]
    several = len(lines) > 1
    title = _title(message, lines, words)
    tell_one, tell_each = words.TELLS.get(message.type, _UNKNOWN)
    if not several:
        facts = _facts(lines[0], message, reader, words.GATEWAY_CLAIMS) if lines else {}
        parts = [title + tell_one.format_map(facts)]
    else:
        each = [
            tell_each.format_map(_facts(line, message, reader, words.GATEWAY_CLAIMS_IN_LINE)) for line in lines[:_NAMED]
        ]
        more = [] if len(lines) <= _NAMED else [words.AND_MORE.format(count=len(lines) - _NAMED)]
        parts = [f"{title}:", *each, *more]
    if message.type == "session.lost":
        parts.append(words.RECONNECT[several])
        if reader.bring_back:
            routes = ", ".join(reader.bring_back)
            parts.append(words.WAY_BACK.format(title=_said(reader.gateway), routes=routes))
    return Text(title, "\n".join(parts))


def _title(message: Message, lines: Sequence[Line], words: ModuleType) -> str:
    table: Mapping[str, tuple[str, str]] = words.REMINDERS if message.reminder else words.TITLES
    one, many = table.get(message.type, (_plain(message.type), ""))
    if message.type == "session.back" and all(line.released in _CONNECTED for line in lines):
        one, many = words.CONNECTED_TITLES
    if len(lines) > 1 and many:
        return many.format(count=len(lines))
    return one.format(session=_said(lines[0].outage.session or "") if lines else "")


def _facts(line: Line, message: Message, reader: Reader, claim: str) -> dict[str, str]:
    words = _LANGUAGES[reader.language]
    outage = line.outage
    until = message.at if line.ended_at is None else line.ended_at
    return {
        "session": _said(outage.session or ""),
        "since": _moment(outage.since, message.at, reader),
        "ended": _moment(until, message.at, reader),
        "span": _span(until - outage.since, words),
        "why": _why(line, words),
        "how": words.RELEASED.get(line.released, words.UNKNOWN_END),
        "claim": claim.format(said=_said(outage.gateway_said)) if outage.gateway_said else "",
        "reason": _said(outage.reason or "–").rstrip("."),
    }


def _why(line: Line, words: ModuleType) -> str:
    event, word = line.outage.event or "–", line.outage.word
    causes: Mapping[str, str] = words.CAUSES
    known = causes.get(fold_word(word or "")) or causes.get(fold_word(event))
    if known is not None:
        return known
    if word is None:
        return str(words.EVENT.format(event=_said(event)))
    return str(words.WORD_OF_EVENT.format(event=_said(event), word=_said(word)))


def _moment(at: float, now: float, reader: Reader) -> str:
    """A moment in the reader's zone, on a 24-hour clock; with its day unless that is the message's."""
    zone = reader.zone or UTC
    moment = instant(at, zone)
    same_day = moment.date() == instant(now, zone).date()
    name = moment.tzname() or ""
    written = moment.strftime("%H:%M" if same_day else _LANGUAGES[reader.language].DATE)
    return f"{written} {f'UTC{name}' if name[:1] in '+-' else name}".rstrip()


def instant(at: float, zone: tzinfo) -> datetime:
    """Epoch seconds as a date. Times beyond the calendar, as a clock that is badly wrong has them, are its ends."""
    return datetime.fromtimestamp(min(max(at, 0.0), _LAST), zone)


def _span(seconds: float, words: ModuleType) -> str:
    """A length of time by its two largest units, such as `2 h 5 min`."""
    whole = max(0, int(seconds))
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, rest = divmod(rest, 60)
    counts = list(zip((days, hours, minutes, rest), words.SPAN_UNITS, strict=True))
    first = next((place for place, (count, _) in enumerate(counts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in counts[first : first + 2] if count) or f"0 {counts[3][1]}"


def _said(value: str) -> str:
    """What came from elsewhere."""
    value = visible(value)
    return value if len(value) <= _LONGEST else f"{value[: _LONGEST - 1]}…"


def _plain(name: str) -> str:
    """A text from elsewhere where a format is expected."""
    return _said(name).replace("{", "{{").replace("}", "}}")
