"""The command line's tables: what is known of each session, and its history."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from statusproxy.observe.visible import visible


def sessions_table(answer: dict[str, Any]) -> str:
    """`/sessions` as a table: one line a session, those shown as disconnected first."""
    rows = [
        (
            str(one["session"]),
            "disconnected" if one["shows"] == "disconnected" else "as gateway says",
            local(one["since"]),
            str(one["reason"] or "–"),
            str(one["last_event"] or "–"),
            local(one["last_event_at"]),
            str(one["gateway_said"] or "–"),
        )
        for one in answer["sessions"]
    ]
    if not rows:
        heard = answer.get("webhook_last_heard")
        if heard:
            return "No session is known yet; events have been seen, but none about a session."
        return "No session is known yet: no webhook has come through since the start."
    head = ("SESSION", "SHOWN", "SINCE", "WHY", "LAST EVENT", "HEARD", "GATEWAY SAID")
    return _table(head, rows)


def history_table(answer: dict[str, Any]) -> str:
    """`/history` as a table: one line a change, newest first."""
    rows = [
        (
            local(one["at"]),
            str(one["session"]),
            str(one["change"]),
            str(one["reason"]),
            str(one["gateway_said"] or "–"),
        )
        for one in answer["history"]
    ]
    if not rows:
        return "No session was lost or regained in the time that is kept."
    return _table(("WHEN", "SESSION", "CHANGE", "WHY", "GATEWAY SAID"), rows)


def state_text(answer: dict[str, Any]) -> str:
    """`/state` as sentences: whether the state can be written, and each damage that is not acknowledged."""
    lines = [
        "The state can be written." if answer["store"] == "ok" else f"The state cannot be written: {answer['store']}"
    ]
    lines += [f"Damage: {one['text']}" for one in answer["damage"]]
    if answer["damage"]:
        lines.append("When you have looked into it: statusproxy state acknowledge")
    return "\n".join(visible(line) for line in lines)


def local(moment: str | None) -> str:
    """An ISO 8601 moment in this host's time, to the second."""
    if not moment:
        return "–"
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head, *rows = [[visible(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    return "\n".join(line.rstrip() for line in lines)
