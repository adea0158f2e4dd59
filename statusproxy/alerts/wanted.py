"""Which target wants what: by the topics that it asks for, and by the patterns of session ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from statusproxy.alerts.message_types import SIDES
from statusproxy.alerts.values import Line, Message, Target, Topic

__all__ = ["asked", "fits", "lines_for"]

_EVERY = "*"


def asked(targets: Iterable[Target], topic: Topic, *, over: bool) -> frozenset[str]:
    """The patterns of session ids of those targets that ask for the message that outages of a topic last, or are over.

    Empty if no target does. The end of a condition is reported to those who ask for `back` and for the condition.
    """
    topics = {topic} if not over else {Topic.BACK} if topic is Topic.LOST else {Topic.BACK, topic}
    return frozenset(pattern for target in targets if topics <= target.on for pattern in target.sessions)


def fits(patterns: frozenset[str], session: str | None) -> bool:
    """Whether any pattern is of this session; each is of a condition, which has none."""
    if session is None or _EVERY in patterns:
        return bool(patterns)
    return any(_fits(pattern, session) for pattern in patterns)


def lines_for(message: Message, target: Target) -> tuple[Line, ...]:
    """The lines of the message that the target asks for. All of a test message."""
    side = SIDES.get(message.type)
    if side is None:
        return message.lines
    patterns = asked([target], side.topic, over=side.over)
    return tuple(line for line in message.lines if fits(patterns, line.outage.session))


def _fits(pattern: str, session: str) -> bool:
    """Whether a pattern is of this id: `*` is any text, `?` any character. Case does not count, as with ids.

    The parts between the stars are found one after the other, each at the first place that is left. No other place can
    fit better, so the time is at most that of one search for each part, however many stars there are.
    """
    session = session.casefold()
    (first, *middle), last = _parts(pattern)
    begin = first.match(session)
    if begin is None:
        return False
    if last is None:
        return begin.end() == len(session)
    at, end = begin.end(), len(session) - last.length
    for part in middle:
        found = part.search(session, at, max(at, end))
        if found is None:
            return False
        at = found.end()
    return at <= end and last.text.match(session, end) is not None


class _Last(NamedTuple):
    text: re.Pattern[str]
    length: int


@lru_cache(maxsize=256)
def _parts(pattern: str) -> tuple[tuple[re.Pattern[str], ...], _Last | None]:
    """The parts before and between the stars of a pattern, and the one after the last; None where it has no star."""
    parts = re.split(r"\*+", pattern.casefold())
    texts = tuple(re.compile(re.escape(part).replace(r"\?", "."), re.DOTALL) for part in parts)
    return (texts, None) if len(parts) == 1 else (texts[:-1], _Last(texts[-1], len(parts[-1])))
