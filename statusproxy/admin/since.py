"""A time in the past as people write it: a duration before now, or a date."""

from datetime import UTC, datetime, tzinfo
from typing import Final

from statusproxy.config.units import parse_duration

__all__ = ["parse_since"]

_ALLOWED: Final = "a duration before now such as 30m, 12h or 7d, or a date such as 2026-01-31 or 2026-01-31T18:00"


def parse_since(text: str, now: float, zone: tzinfo | None = UTC) -> float:
    """The moment, in epoch seconds, that `text` names: `7d`, `2026-01-31`, `2026-01-31T18:00:00Z`.

    A date without a time zone is in `zone`; None is this host's. ValueError says what is allowed.
    """
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text.strip())
        seconds = (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"allowed: {_ALLOWED}") from None
    return seconds
