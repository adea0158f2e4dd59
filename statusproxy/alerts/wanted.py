"""Which target wants what: by the topics that it asks for, and by the patterns of session ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

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
    return any(_compiled(pattern).fullmatch(session.casefold()) is not None for pattern in patterns)


def lines_for(message: Message, target: Target) -> tuple[Line, ...]:
    """The lines of the message that the target asks for. All of a test message."""
    side = SIDES.get(message.type)
    if side is None:
        return message.lines
    patterns = asked([target], side.topic, over=side.over)
    return tuple(line for line in message.lines if fits(patterns, line.outage.session))


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: `*` is any text, `?` any character, and case does not count, as with ids."""
    escaped = re.escape(re.sub(r"\*+", "*", pattern.casefold()))
    return re.compile(escaped.replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
