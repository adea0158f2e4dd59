"""The sessions on the pictures of the status page: a usual morning, on which one number was lost unnoticed."""

from typing import Any

from tests.browser.stand_in import moment, session

_HOUR, _DAY = 3600.0, 86400.0


def _connected(name: str, event: float, losses: str = "", back: float | None = None) -> dict[str, Any]:
    """A session that works; `losses` are the days at the end of its ninety, `back` is how long ago it came back."""
    days = losses.rjust(90, "0")
    lost = sum(int(day) for day in days) * 0.4 * _HOUR
    count = len(losses.replace("0", ""))
    more: dict[str, Any] = {"last_event_at": moment(event), "days": days, "losses": count,
                            "lost_seconds": lost, "uptime": 1 - lost / (90 * _DAY)}  # fmt: skip
    if back is not None:
        more |= {"reason": "connected-event", "released": "connected-event", "released_at": moment(back)}
    return session(name, "connected", **more)


def reports() -> list[dict[str, Any]]:
    """What the page is told of each session."""
    lost = 2.2 * _HOUR
    return [
        session(
            "sales", "lost", since=moment(lost), last_event_at=moment(lost), alerted_at=moment(lost - 60),
            shown_at=moment(lost - 4), days="0" * 61 + "2" + "0" * 27 + "3", losses=2, lost_seconds=3.1 * _HOUR,
            uptime=0.9985,
        ),
        session(
            "night-shift", "needs_qr", last_event_at=moment(0.6 * _HOUR), days="0" * 40 + "1" + "0" * 49, losses=1,
            lost_seconds=0.5 * _HOUR, uptime=0.9997,
        ),
        _connected("billing", 40),
        _connected("clinic", 95, "1" + "0" * 21, 22 * _DAY),
        _connected("front-desk", 12, "4" + "0" * 33 + "1" + "0" * 8, 8 * _DAY),
        _connected("school", 300),
        _connected("shop-centre", 65, "2" + "0" * 3, 3.4 * _DAY),
        _connected("support", 8),
    ]  # fmt: skip
