"""The command line's table of kept events, and one of them as lines."""

from datetime import datetime
from typing import Final

from statusproxy.admin.messages import Moment
from statusproxy.admin.spool_messages import SpoolEntry, SpoolList, SpoolShown, SpoolTotals
from statusproxy.admin.table import local, table
from statusproxy.observe.visible import delimited, visible

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def spool_table(answer: SpoolList, *, chosen: bool = False) -> str:
    """`/spool` as a table: one line an event; `chosen` tells that not all of them were asked for."""
    totals = answer.totals
    lines = [_summary(answer)]
    rows = [
        (
            one.id,
            "–" if one.session is None else delimited(one.session),
            one.event or "–",
            one.state,
            _why(one),
            str(one.attempts),
            span(one.received_at, answer.now),
            _next(one, answer.now),
            size(one.bytes),
        )
        for one in answer.entries
    ]
    if rows:
        head = ("ID", "SESSION", "EVENT", "STATE", "WHY", "SENT", "AGE", "NEXT", "SIZE")
        lines += ["", table(head, rows)]
    elif chosen and totals.entries:
        lines += ["", "None of them is of this state or session."]
    if rows and not chosen and len(rows) < totals.entries:
        lines += ["", f"{len(rows)} of {totals.entries}; --limit shows more."]
    return "\n".join(lines)


def shown_text(answer: SpoolShown) -> str:
    """`/spool/{id}` as lines: what is known about the event, and the fields of its head."""
    one = answer.entry
    facts = [
        ("id", one.id),
        ("session", "–" if one.session is None else delimited(one.session)),
        ("event", one.event or "–"),
        ("state", one.state),
        ("why", _why(one)),
        ("sent", f"{one.attempts} time{'' if one.attempts == 1 else 's'}"),
        ("came", f"{local(one.received_at)} ({span(one.received_at, answer.now)} ago)"),
        ("next", _next(one, answer.now)),
        ("size", size(one.bytes)),
        ("path", one.path),
        ("receiver", one.receiver),
    ]
    fields = [f"  {each.name}" + ("" if each.value is None else f": {each.value}") for each in answer.fields]
    lines = [f"{name:9} {value}" for name, value in facts]
    return "\n".join(map(visible, [*lines, "", "Fields (most values are not shown):", *fields]))


def _summary(answer: SpoolList) -> str:
    """All that is kept, in sentences."""
    totals = answer.totals
    if not totals.entries:
        return "\n".join(["No event is stored.", *_away(totals, answer.now)])
    since = f" since {local(totals.waiting_since)}" if totals.waiting_since else ""
    kept = f"{totals.waiting} waiting{since}, {totals.unknown} unknown, {totals.dead} dead"
    room = f"{size(totals.bytes)} of {size(totals.max_bytes)}, {totals.entries} of {totals.max_entries} events"
    return "\n".join([f"{kept} ({room})", *_away(totals, answer.now)])


def _away(totals: SpoolTotals, now: Moment) -> list[str]:
    return [visible(f"{each.receiver} is away, for {span(each.since, now)}") for each in totals.away]


def _why(one: SpoolEntry) -> str:
    return one.reason if one.status is None else f"{one.reason} {one.status}"


def _next(one: SpoolEntry, now: Moment) -> str:
    """When it is sent again."""
    if one.next_at is None:
        return "–"
    wait = _seconds(one.next_at) - _seconds(now)
    return "now" if wait < 1 else f"in {_spoken(wait)}"


def span(since: Moment, now: Moment) -> str:
    """A length of time as people say it, in two units at most: `40 s`, `12 min`, `2 h 13 min`, `3 d 4 h`."""
    return _spoken(_seconds(now) - _seconds(since))


def _spoken(seconds: float) -> str:
    left = max(0, int(seconds))
    said: list[str] = []
    for length, unit in _UNITS:
        count, left = divmod(left, length)
        if count:
            said.append(f"{count} {unit}")
        if len(said) == 2 or (said and length == 60):
            break
        if said and not count:
            break
    return " ".join(said) or "0 s"


def size(count: int) -> str:
    """Bytes as people say them."""
    if count < 1024:
        return f"{count} B"
    return f"{count / 1024:.0f} KiB" if count < 1024**2 else f"{count / 1024**2:.1f} MiB"


def _seconds(moment: Moment) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
