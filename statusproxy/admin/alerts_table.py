"""The command line's view of alerts: targets, what was told, and the last messages."""

from typing import Final

from statusproxy.admin.alert_messages import AlertMessageLine, AlertsReport, ToldLine
from statusproxy.admin.spool_table import span
from statusproxy.admin.table import local, table
from statusproxy.observe.visible import delimited, visible

#: Messages that are shown; the JSON has more.
_SHOWN: Final = 20


def alerts_table(answer: AlertsReport) -> str:
    """`/alerts` as tables."""
    if not answer.configured:
        return "No alerts are configured (see docs/alerts.md)."
    parts = [_state(answer), _targets(answer), _told(answer), _messages(answer)]
    return "\n\n".join(part for part in parts if part)


def _state(answer: AlertsReport) -> str:
    lines = [] if answer.sending else ["Another proxy that shares the state sends the messages."]
    if not answer.written:
        lines.append("Sent alerts are not being saved now: the stored state cannot be written.")
    beat = answer.heartbeat
    if beat is not None:
        last = "never answered yet" if beat.last_at is None else f"answered {span(beat.last_at, answer.now)} ago"
        lines.append(f"Heartbeat: {last} ({beat.answered} answered, {beat.failed} failed, {beat.withheld} withheld)")
    return "\n".join(lines)


def _targets(answer: AlertsReport) -> str:
    if not answer.targets:
        return "No target is configured (alerts.to)."
    rows = [
        (
            str(one.number),
            one.target,
            " ".join(one.on),
            " ".join(map(delimited, one.sessions)),
            str(one.waiting),
            "–" if one.last_at is None else f"{span(one.last_at, answer.now)} ago: {one.last_error or 'sent'}",
        )
        for one in answer.targets
    ]
    return table(("N", "TARGET", "ON", "SESSIONS", "WAITING", "LAST"), rows)


def _told(answer: AlertsReport) -> str:
    if not answer.told:
        return "No reported outage is open."
    rows = [
        (
            _about(one),
            local(one.since),
            one.reason or "–",
            local(one.alerted_at) if one.delivered else "nobody yet",
            str(one.reminders),
        )
        for one in answer.told
    ]
    more = answer.told_total - len(answer.told)
    text = table(("LASTS", "SINCE", "WHY", "TOLD", "REMINDERS"), rows)
    return text + (f"\n… and {more} more" if more > 0 else "")


def _about(one: ToldLine) -> str:
    return one.topic if one.session is None else delimited(one.session)


def _messages(answer: AlertsReport) -> str:
    rows = [(local(one.at), one.type, _what(one), visible(_deliveries(one))) for one in answer.messages[:_SHOWN]]
    return table(("WHEN", "MESSAGE", "ABOUT", "DELIVERIES"), rows) if rows else ""


def _what(one: AlertMessageLine) -> str:
    shown = " ".join(map(delimited, one.sessions[:3])) or "–"
    more = one.count - min(3, len(one.sessions)) if one.sessions else 0
    return (f"{shown} +{more}" if more else shown) + (f" (reminder {one.reminder})" if one.reminder else "")


def _deliveries(one: AlertMessageLine) -> str:
    return "; ".join(
        f"{each.target}: {each.state}" + ("" if each.error is None else f", {each.error}") for each in one.deliveries
    )
