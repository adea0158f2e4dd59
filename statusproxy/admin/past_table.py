"""Outages and uptime as tables for a terminal, and as CSV for spreadsheets."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from statusproxy.admin.messages import MonthLine, OutageLine, OutageList, Uptime
from statusproxy.admin.table import ENDS, local, table
from statusproxy.observe.visible import delimited, visible

#: What a spreadsheet takes for the beginning of a formula (OWASP, "CSV Injection").
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

_ALL: Final = "all sessions"


def outages_table(answer: OutageList, session: str | None = None) -> str:
    """`/outages` as a table, of one `session` or of all: one line an outage, newest first."""
    rows = [
        (
            delimited(one.session),
            ("before " if one.began_before else "") + local(one.since),
            local(one.until) if one.until else "still lost",
            how_long(one.seconds),
            _why(one),
            one.gateway_said or "–",
            _ended(one),
        )
        for one in answer.outages
    ]
    if not rows:
        if session is not None:
            return f"{visible(delimited(session))} was not lost in that time."
        return "No session was lost in that time."
    return table(("SESSION", "LOST", "BACK", "HOW LONG", "WHY", "GATEWAY SAID", "ENDED"), rows)


def outages_csv(answer: OutageList) -> str:
    """`/outages` as CSV; moments are in UTC."""
    head = ("session", "lost", "back", "seconds", "event", "word", "gateway_said", "ended", "released_by")
    return _csv(
        head,
        (
            (
                one.session, one.since, one.until, f"{one.seconds:.3f}", one.reason, one.word, one.gateway_said,
                one.released, one.released_by,
            )
            for one in answer.outages
        ),
    )  # fmt: skip


def uptime_table(answer: Uptime) -> str:
    """`/uptime` as a table: one line for each month and session, all together first."""
    rows = [
        (one.month, _whose(one), percent(one.uptime), how_long(one.lost_seconds), str(one.losses))
        for one in answer.months
    ]
    if not rows:
        return "There are no data for these months yet."
    return table(("MONTH", "SESSION", "UPTIME", "LOST", "LOSSES"), rows)


def uptime_csv(answer: Uptime) -> str:
    """`/uptime` as CSV. The session is empty for all together; uptime is from 0 to 1."""
    head = ("month", "session", "uptime", "lost_seconds", "losses")
    return _csv(
        head,
        (
            (
                one.month, one.session, None if one.uptime is None else f"{one.uptime:.6f}", f"{one.lost_seconds:.3f}",
                str(one.losses),
            )
            for one in answer.months
        ),
    )  # fmt: skip


def percent(share: float | None) -> str:
    """A share as people read it; never 100 % where something was lost."""
    if share is None:
        return "–"
    if share >= 1:
        return "100 %"
    return f"{min(share * 100, 99.99):.2f} %"


def how_long(seconds: float) -> str:
    """A duration in its two largest units: `3d 4h`, `12m 5s`."""
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if parts or count:
            parts.append(f"{count}{unit}")
    return " ".join(part for part in parts[:2] if not part.startswith("0")) or "0s"


def _why(one: OutageLine) -> str:
    return " ".join(part for part in (one.reason, one.word) if part) or "–"


def _ended(one: OutageLine) -> str:
    if one.released is None:
        return "–"
    how = ENDS.get(one.released, f"back ({one.released})" if one.released != "unknown" else "unknown")
    return f"{how} ({one.released_by})" if one.released_by else how


def _whose(one: MonthLine) -> str:
    return _ALL if one.session is None else delimited(one.session)


def _csv(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    """Rows as RFC 4180 has them, safe to be opened in a spreadsheet and to be shown in a terminal."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows([_cell(value or "") for value in row] for row in rows)
    return text.getvalue()


def _cell(value: str) -> str:
    """A value that no spreadsheet takes for a formula: an apostrophe before it makes it a text."""
    return visible(f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value)
