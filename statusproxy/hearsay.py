"""What the gateway last said of sessions that no correction is in force for, read only when somebody asks.

While no override is in force an answer passes unparsed, and the map notes the gateway's words for overridden
sessions alone. Yet the history and the status page must tell what the gateway claimed when a session was lost. So
the last answers are kept as they came (a reference each, no copy, no work on their way) and read when a session
changes or somebody looks.
"""

import sys
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from statusproxy.status.channels import ChannelRule, correct
from statusproxy.status.sessions import Override, Record, SessionMap, SessionRules

#: Answers kept: the list routes, and the last few that told of one channel.
KEPT: Final = 16

#: Bytes of the largest answer kept; some eight thousand channels. All that is kept is bounded by both together.
LARGEST: Final = 512 * 1024


class Word(NamedTuple):
    """The gateway's word for a session's status, and when it said so (epoch seconds)."""

    said: str
    at: float


class _Answer(NamedTuple):
    body: bytes
    rule: ChannelRule
    channel: str | None
    at: float


class Hearsay:
    """Keeps the gateway's last answers, and finds in them what it said of a session."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[int, str | None], _Answer] = OrderedDict()
        self.version = 0
        """Counts the answers noted: while it stands still, so does what `words` would give."""

    def note(self, body: bytes, rule: ChannelRule, channel: str | None, now: float) -> None:
        """Keep an answer of a corrected route, in place of the one before; `channel` is the id in its path."""
        # The answer holds its rule, so the rule's identity cannot be another's while it is a key.
        key = (id(rule), channel)
        self._answers.pop(key, None)
        self.version += 1
        if len(body) > LARGEST:
            return
        self._answers[key] = _Answer(body, rule, channel, now)
        if len(self._answers) > KEPT:
            # The lists stay: they tell of every session.
            single = next((key for key in self._answers if key[1] is not None), None)
            del self._answers[single or next(iter(self._answers))]

    def reader(self, aliases: Mapping[str, str]) -> "Reader":
        """What reads the answers kept now; it may be used in another thread."""
        return Reader(tuple(self._answers.values()), aliases)


class Reader(NamedTuple):
    """Some answers, oldest first, and how ids are matched."""

    answers: tuple[_Answer, ...]
    aliases: Mapping[str, str]

    def words(self, sessions: Iterable[str]) -> dict[str, Word]:
        """The gateway's last word for each of these sessions that it spoke of."""
        if not self.answers:
            return {}
        # The domain reads an answer's words for the sessions it has overrides for. So it is shown a map of its own
        # in which it has one for each, that began after all answers: nothing can end it.
        never = max(answer.at for answer in self.answers) + 1
        override = Override(since=never, at=never, began=never, event="")
        listening = SessionMap(SessionRules(aliases=self.aliases, releases=frozenset(), max_sessions=sys.maxsize))
        listening.load([Record(session, override=override) for session in sessions])
        for answer in self.answers:
            correct(answer.body, answer.rule, listening, answer.at, answer.at, answer.channel)
        return {
            record.session: Word(record.gateway_said, record.gateway_said_at)
            for record in listening.records()
            if record.gateway_said is not None and record.gateway_said_at is not None
        }
