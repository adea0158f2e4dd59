"""The results for people: a paragraph an event, the answers before and after, and what would end each correction."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import click

from statusproxy.observe.visible import delimited, visible
from statusproxy.rehearsal import quiet
from statusproxy.rehearsal.elements import AHEAD, NONE, ORDERS, TOO_FAR, UNUSABLE
from statusproxy.rehearsal.explanation import shortened
from statusproxy.rehearsal.messages import EventResult, ListResult, OverrideResult, QrResult, Results, Waiting
from statusproxy.rehearsal.moments import length, shown
from statusproxy.rehearsal.senders import HOLDS, NONE_ASKED, NOT_CHECKED
from statusproxy.status.model import APPLIED

_MARGIN: Final = 10
"""Columns of the labels, and two."""

WIDTH: Final = 100
"""Columns of text that is broken into lines; text that people copy is never broken."""

_SPACE: Final = "\x03"
"""A space at which no line may be broken. No text from elsewhere can hold it: it does not print."""

#: Seconds below which an event's own time is its arrival.
_AT_ONCE: Final = 0.05


def as_text(results: Results, *, colours: bool) -> str:
    """The report; with `colours` it has the terminal's escapes, and no text of others has any."""
    paint = _Paint(colours)
    parts = [_run(run) if len(run) > 1 else "\n".join(_event(run[0], paint)) for run in quiet.runs(results.events)]
    parts += ["\n".join(_list(one, paint)) for one in results.lists]
    if results.qr is not None:
        parts.append("\n".join(_qr(results.qr, paint)))
    parts += ["\n".join(_override(one, paint)) for one in results.overrides]
    parts += [
        "\n".join(
            [
                paint.bold(f"{_id(one.session)}: {_text(one.reason)}"),
                f"  shown as the gateway shows it; {_from_then(one)} {shown(one.due)}, if it lasts until then",
            ]
        )
        for one in results.waiting
    ]
    parts.append(_summary(results, paint))
    return "\n\n".join(parts)


class _Paint:
    """Colours, or none."""

    def __init__(self, on: bool) -> None:
        self._on = on

    def bold(self, text: str) -> str:
        return click.style(text, bold=True) if self._on else text

    def __call__(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._on else text


def _run(events: Sequence[EventResult]) -> str:
    return textwrap.fill(
        _text(quiet.run_told(events)), WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _event(one: EventResult, paint: _Paint) -> Iterator[str]:
    yield paint.bold(_text(one.source))
    if one.event is not None:
        yield _line("event", _text(shortened(one.event)))
    if one.rule is not None:
        yield _line("rule", f"{one.rule} ({_text(', '.join(one.rule_events))})")
    if one.session is not None:
        yield _line("session", _id(one.session))
    if one.word is not None:
        yield _line("word", f'"{_text(shortened(one.word))}"')
    if one.says is not None:
        yield _line("means", one.says)
    if one.event is not None:
        yield _line("time", _time(one))
    if one.sender not in (None, NONE_ASKED):
        yield _line("sender", _sender(one.sender or ""))
    colour = "red" if one.missed else "green" if one.verdict == APPLIED else "yellow"
    yield _line("verdict", f"{paint(one.verdict, colour)}: {_text(one.why)}")


def _time(one: EventResult) -> str:
    if one.at is None or one.skew is None:
        return f"{_UNDATED[one.time]}; its arrival counts"
    when = shown(one.at)
    if abs(one.skew) >= _AT_ONCE:
        when += f", {length(one.skew)} {'ahead of' if one.skew > 0 else 'before'} its arrival"
    return when + _ORDERING.get(one.time, "")


_ORDERING: Final = {
    ORDERS: "; it only orders this sender's events",
    AHEAD: "; too far to be used for more than this sender's order",
}


_UNDATED: Final = {
    NONE: "none in the event",
    TOO_FAR: "not usable: it is too far ahead",
    UNUSABLE: "not usable: it has no time zone, or is not a time",
}


def _sender(proof: str) -> str:
    if proof == NOT_CHECKED:
        return "assumed to be trusted; with --header its proof is checked"
    return "its proof is valid" if proof == HOLDS else _text(proof)


def _list(one: ListResult, paint: _Paint) -> Iterator[str]:
    if one.failure is not None:
        yield paint.bold(_text(one.source))
        yield _line("route", _text(one.route))
        yield _line("failed", f"{paint(one.failure, 'red')}: {_FAILURES[one.failure]}")
        return
    yield paint.bold(f"--- {_text(one.source)}: as the gateway answers {_text(one.route)}")
    yield paint.bold("+++ as it is passed on")
    for channel in one.corrected:
        yield paint(f"@@ {_id(channel.channel)} @@", "cyan")
        for value in channel.values:
            yield paint(f"-{_text(value.name)}: {_text(value.before)}", "red")
            yield paint(f"+{_text(value.name)}: {_text(value.after)}", "green")
    yield f"{len(one.corrected)} of {one.channels} {'channel' if one.channels == 1 else 'channels'} corrected"
    for session in one.uncorrected:
        yield f"not {_id(session.session)}: {_text(session.why)}"


_FAILURES: Final = {
    "not-json": "it is not JSON",
    "no-list": "none of the members of `list` has the channels",
    "too-deep": "it is nested too deep",
    "too-large": "it has too many values, or is larger than limits.corrected; the proxy passes it on as it is",
}


def _qr(one: QrResult, paint: _Paint) -> Iterator[str]:
    yield paint.bold(_text(one.source))
    if one.session is not None:
        yield _line("session", _id(one.session))
    yield _line("shows", f"{one.shows}: {_text(one.why)}")


def _override(one: OverrideResult, paint: _Paint) -> Iterator[str]:
    caught_up = f"; the gateway knows ({one.caught_up})" if one.caught_up is not None else ""
    state = "not connected" if one.transient else "disconnected"
    head = f"{_id(one.session)}: {state} since {shown(one.since)} by {_text(one.reason)}{caught_up}"
    yield paint.bold(head)
    if one.reads is not None:
        yield f"  Answers read {_text(one.reads)}."
    yield "  This would end the correction:"
    width = max((len(way.rule) for way in one.released_by), default=0)
    for way in one.released_by:
        lead = f"  {way.rule.ljust(width)}  "
        by = [_text(one).replace(" ", _SPACE) for one in way.by]
        yield textwrap.fill(
            _text(way.what) + (f": {', '.join(by)}" if by else ""),
            WIDTH,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        ).replace(_SPACE, " ")


def _from_then(one: Waiting) -> str:
    return "counts as disconnected from" if one.reads is None else f"as {_text(one.reads)} from"


def _summary(results: Results, paint: _Paint) -> str:
    counts = Counter(one.verdict for one in results.events)
    number = len(results.events)
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    missed = sum(one.missed for one in results.events)
    lines = [f"{number} {'event' if number == 1 else 'events'}" + (f": {told}" if told else "")] if number else []
    if missed:
        lines.append(paint(f"{missed} of them may mean a disconnect that is missed", "red"))
    lines.extend(textwrap.fill(_text(step), WIDTH, break_on_hyphens=False) for step in quiet.next_steps(results.events))
    if any(one.failure for one in results.lists):
        lines.append(paint("An answer cannot be corrected", "red"))
    if not lines:
        lines.append("No event was given")
    return "\n".join(lines)


def _line(label: str, text: str) -> str:
    return f"  {label.ljust(_MARGIN - 2)}{text}"


def _id(session: str) -> str:
    return visible(delimited(session))


def _text(text: str) -> str:
    return visible(text)
