"""The spool: whether events that were not taken are kept, and whether an operator must act on those."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from statusproxy.admin.spool_messages import SpoolTotals
from statusproxy.config.settings import Settings, State
from statusproxy.config.state_url import Memory, parse_state_url
from statusproxy.doctor.findings import Finding, ago, listed, note, ok, warning
from statusproxy.doctor.paste import Written
from statusproxy.doctor.subject import Subject
from statusproxy.spool.circuit import PROBES

#: Seconds after which an event has waited for long: longer than a restart or an upgrade of the gateway takes.
_LONG: Final = 600.0

#: The part of the room from which on the spool counts as nearly full.
_NEARLY: Final = 0.8


async def look(subject: Subject) -> list[Finding]:
    """Look at the subject's settings, and at what the running proxy keeps."""
    report = subject.report
    kept = None if report is None or report.spool is None else list(judge(report.spool, report.now))
    return [*configured(subject.settings, subject.written), *(kept or [])]


def configured(settings: Settings, written: Written) -> Iterator[Finding]:
    """Whether events are kept, and where."""
    paths = [webhook.path for webhook in settings.webhooks if webhook.spool]
    if not paths:
        if any(webhook.forward for webhook in settings.webhooks):
            yield note("spool.off")
    elif isinstance(parse_state_url(settings.state.url), Memory):
        yield warning("spool.no-place", paths=listed(paths), lines=written.with_keys("state", url=State().url))
    else:
        yield ok("spool.on", paths=listed(paths))


def judge(totals: SpoolTotals, now: float) -> Iterator[Finding]:
    """What is kept at `now`, as far as someone should know of it."""
    for away in totals.away:
        first, second, last = map(round, PROBES)
        since = ago(now - _seconds(away.since))
        yield warning("spool.away", receiver=away.receiver, since=since, first=first, second=second, last=last)
    waited = now - _seconds(totals.waiting_since) if totals.waiting_since else 0.0
    if totals.waiting:
        facts = {"count": totals.waiting, "since": ago(waited), "max_age": ago(totals.max_age)}
        yield warning("spool.waits-long", **facts) if waited > _LONG else note("spool.waits", **facts)
    if totals.unknown:
        yield warning("spool.unanswered", count=totals.unknown, max_age=ago(totals.max_age))
    if totals.dead:
        yield warning("spool.dead", count=totals.dead, max_age=ago(totals.max_age))
    part = max(totals.entries / totals.max_entries, totals.bytes / totals.max_bytes)
    if part >= _NEARLY:
        yield warning("spool.nearly-full", percent=int(part * 100))


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
