"""Recognises values that are times: their form, and how far they are from our clock."""

import re
from datetime import datetime
from typing import Final, NamedTuple, final

from statusproxy.status.signals import SECONDS_BELOW, smaller_unit

_ISO: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9]{10}(\.[0-9]+)?|[0-9]{13}|[0-9]{16}|[0-9]{19}", re.ASCII)

#: A number of seconds is a time only from 2020 to 2033, by any clock.
_EARLIEST, _LATEST = 1_577_836_800.0, 2_000_000_000.0


class Time(NamedTuple):
    """A value that is a time: its form, and how many seconds it lies behind our clock; None where that is not known."""

    form: str
    lag: float | None


@final
class Times:
    """The times that stood in one member."""

    __slots__ = ("count", "forms", "highest", "lowest")

    def __init__(self) -> None:
        self.count = 0
        self.forms: set[str] = set()
        self.lowest: float | None = None
        """The smallest lag behind our clock, in seconds; negative where one was ahead."""
        self.highest: float | None = None

    def add(self, time: Time) -> None:
        """Take in one more."""
        self.count += 1
        self.forms.add(time.form)
        if time.lag is not None:
            self.lowest = time.lag if self.lowest is None else min(self.lowest, time.lag)
            self.highest = time.lag if self.highest is None else max(self.highest, time.lag)

    @property
    def usable(self) -> bool:
        """Whether the proxy can order events by it: a date without a zone says not where it is local."""
        return "ISO 8601 without a zone" not in self.forms


def read(value: object, now: float | None) -> Time | None:
    """What a value says as a time; None where it is none. `now` is our clock in epoch seconds, None if unknown."""
    if type(value) is str:
        if len(value) > 40:
            return None
        if _ISO.match(value):
            return _iso(value, now)
        if not _NUMBER.fullmatch(value):
            return None
        value = float(value)
    if type(value) is not int and type(value) is not float:
        return None
    if not _EARLIEST <= value < _LATEST * 1e9:
        return None
    unit = 1.0 if value < SECONDS_BELOW else smaller_unit(value)
    seconds, form = value / unit, _FORMS[unit]
    if not _EARLIEST <= seconds < _LATEST:
        return None
    return Time(form, None if now is None else now - seconds)


_FORMS: Final = {1.0: "seconds", 1e3: "milliseconds", 1e6: "microseconds", 1e9: "nanoseconds"}


def _iso(text: str, now: float | None) -> Time | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return Time("ISO 8601 without a zone", None)
    return Time("ISO 8601", None if now is None else now - moment.timestamp())


def span(lowest: float | None, highest: float | None) -> str:
    """How far times lie from our clock, in words."""
    if lowest is None or highest is None:
        return "how far from our clock is not known"
    if lowest >= -5 and highest <= 5:
        return "within 5 s of our clock"
    return f"{_distance(lowest)} to {_distance(highest)}" if highest - lowest > 60 else _distance(lowest)


def _distance(lag: float) -> str:
    size = abs(lag)
    if size < 5:
        return "equal to our clock"
    length, unit = next(each for each in _UNITS if size >= each[0])
    return f"{size / length:.3g} {unit} {'behind' if lag > 0 else 'ahead'}"


_UNITS: Final = ((86_400, "days"), (3600, "h"), (60, "min"), (1, "s"))
