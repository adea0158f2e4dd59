"""Times as `try` shows them: ISO 8601 in UTC, durations as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

from statusproxy.admin.messages import Moment


def moment(seconds: float) -> Moment:
    """Epoch seconds as ISO 8601 in UTC with milliseconds, as the admin listener writes them."""
    try:
        written = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        return None
    return written.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(written: Moment) -> str:
    """A moment for people, to the second, in UTC."""
    return "–" if written is None else f"{written[:19].replace('T', ' ')} UTC"


def length(seconds: float) -> str:
    """A length of time in its two largest units: `5 h 30 min`, `3.9 s`."""
    seconds = abs(seconds)
    if seconds < 59.95:  # what rounds to less than a minute
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)
