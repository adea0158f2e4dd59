"""Which target wants what: by the topics that it asks for, and by the patterns of session ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from statusproxy.alerts.message_types import SIDES
<<<<<<< HEAD
from statusproxy.alerts.values import Line, Message, Outage, Target, Topic

__all__ = ["lines_for", "wanted", "wants"]
=======
from statusproxy.alerts.values import Line, Message, Target, Topic

__all__ = ["asked", "fits", "lines_for"]
>>>>>>> bf4de8a0eb32404bfbd35546aee340b48e26c272

_EVERY = "*"


<<<<<<< HEAD
def wants(target: Target, outage: Outage, *, over: bool) -> bool:
    """Whether the target asks for the message that this outage lasts, or that it is over.

    The end of a condition is for those who ask for `back` and for the condition. Patterns are about sessions only.
    """
    if outage.session is None:
        return outage.topic in target.on and (not over or Topic.BACK in target.on)
    topic = Topic.BACK if over else outage.topic
    return topic in target.on and any(_matches(pattern, outage.session) for pattern in target.sessions)


def wanted(targets: Iterable[Target], outage: Outage, *, over: bool) -> bool:
    """Whether any target wants it."""
    return any(wants(target, outage, over=over) for target in targets)
=======
def asked(targets: Iterable[Target], topic: Topic, *, over: bool) -> frozenset[str]:
    """The patterns of session ids of those targets that ask for the message that outages of a topic last, or are over.

    Empty where none does. The end of a condition is for those who ask for `back` and for the condition.
    """
    topics = {topic} if not over else {Topic.BACK} if topic is Topic.LOST else {Topic.BACK, topic}
    return frozenset(pattern for target in targets if topics <= target.on for pattern in target.sessions)


def fits(patterns: frozenset[str], session: str | None) -> bool:
    """Whether any pattern is of this session; each is of a condition, which has none."""
    if session is None or _EVERY in patterns:
        return bool(patterns)
    return any(_compiled(pattern).fullmatch(session.casefold()) is not None for pattern in patterns)
>>>>>>> bf4de8a0eb32404bfbd35546aee340b48e26c272


def lines_for(message: Message, target: Target) -> tuple[Line, ...]:
    """The lines of the message that the target asks for. All of a test message."""
    side = SIDES.get(message.type)
    if side is None:
        return message.lines
<<<<<<< HEAD
    return tuple(line for line in message.lines if wants(target, line.outage, over=side.over))


def _matches(pattern: str, session: str) -> bool:
    return pattern == _EVERY or _compiled(pattern).fullmatch(session.casefold()) is not None
=======
    patterns = asked([target], side.topic, over=side.over)
    return tuple(line for line in message.lines if fits(patterns, line.outage.session))
>>>>>>> bf4de8a0eb32404bfbd35546aee340b48e26c272


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    """A pattern as a regular expression: `*` is any text, `?` any character, and case does not count, as with ids."""
    escaped = re.escape(re.sub(r"\*+", "*", pattern.casefold()))
    return re.compile(escaped.replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)
