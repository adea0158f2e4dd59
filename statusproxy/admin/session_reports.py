"""Session reports for the status page: which sessions changed since the last event, and each one's JSON.

It looks at the sessions that changed since it looked last; all of them are compared only where the gateway's answers
differ, or a minute has passed. A report is written once for all pages.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from statusproxy.admin.messages import to_text
from statusproxy.admin.report import session_report
from statusproxy.registry.gateway_view import Word
from statusproxy.registry.registry import SessionRegistry
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.model import Record
from statusproxy.status.unsaved import Watch

#: Seconds within which the gateway saying the same again is not news.
SAME_AGAIN: Final = 60.0

#: Sessions looked at before others have their turn; some 6 µs each.
LOOKED_AT: Final = 250


class SessionReports:
    """What the pages were last sent of each session. Empty until `begin` and after `end`."""

    def __init__(self, registry: SessionRegistry, rule: Callable[[], ChannelRule | None] = lambda: None) -> None:
        """`rule` gives that of the channel list, which a reload may replace."""
        self._registry = registry
        self._current_rule = rule
        self._rule: ChannelRule | None = None
        self._told: dict[str, _Told] = {}
        self._watch: Watch | None = None
        self._all = True  # whether every session is to be looked at
        self._versions = (0, 0)
        self._all_at = 0.0
        self._figures: object = None
        self._minute = 0.0

    def begin(self) -> None:
        """Collect changes from now on. No effect if begun already."""
        if self._watch is None:
            self._watch = self._registry.sessions.watch()

    def end(self) -> None:
        """Collect no longer, and forget what was sent."""
        if self._watch is not None:
            self._registry.sessions.unwatch(self._watch)
            self._watch = None
        self._told = {}
        self._all = True

    def look_at_all(self) -> None:
        """Look at every session next time: a look failed, and what it took from the watch is lost."""
        self._all = True

    def look(self) -> tuple[list[str], Iterator[list[str]]]:
        """The sessions that are gone, and those that differ, found as the second part is gone through.

        That comes `LOOKED_AT` at a time, so that others can have their turn in between.
        """
        assert self._watch is not None
        known = self._registry.records()
        changed, gone = self._watch.take()
        versions = self._registry.gateway_versions
        rule = self._current_rule()
        now = time.monotonic()
        figures, self._figures = self._figures, self._registry.ledger.mark("")
        if now - self._minute >= SAME_AGAIN:
            self._minute = now
            changed = [*dict.fromkeys([*changed, *self._registry.sessions.lost()])]  # they are lost for longer
        if (
            self._all
            or figures != self._figures  # a new day, or the history was read
            or rule is not self._rule
            or versions[0] != self._versions[0]  # other words
            or (versions != self._versions and now - self._all_at >= SAME_AGAIN)  # the same, later
        ):
            self._all, self._rule, self._versions, self._all_at = False, rule, versions, now
            changed = [record.session for record in known]
        return [session for session in gone if self._told.pop(session, None) is not None], self._different(changed)

    def ids(self) -> list[str]:
        """Every session that was told."""
        return list(self._told)

    def in_order(self, sessions: Iterable[str]) -> list[str]:
        """Those that need attention come first, so that a page of thousands shows them first."""
        told = self._told
        known = [session for session in sessions if session in told]
        known.sort(key=lambda session: told[session].record.override is None)
        return known

    def texts(self, sessions: Iterable[str]) -> list[str]:
        """The reports of these sessions as JSON, as they were found last; of those that are gone meanwhile none."""
        return [told.text for session in sessions if (told := self._told.get(session)) is not None]

    def _different(self, sessions: list[str]) -> Iterator[list[str]]:
        for start in range(0, len(sessions), LOOKED_AT):
            yield [session for session in sessions[start : start + LOOKED_AT] if self._differs(session)]

    def _differs(self, session: str) -> bool:
        """Whether a session differs from what was sent; what is sent next is stored for that."""
        record = self._registry.sessions.get(session)
        if record is None:  # gone meanwhile
            return False
        before = self._told.get(session)
        word = _word(self._registry.gateway_word(session), before.word if before is not None else None)
        mark = self._registry.ledger.mark(session)
        # Records and words are values that are replaced, so that the same object means that nothing is new.
        if (
            before is not None
            and before.record is record
            and before.word is word
            and before.rule is self._rule
            and before.mark == mark
        ):
            return False
        self._told[session] = _Told(record, word, self._rule, mark, self._registry)
        return True


class _Told:
    """What pages were sent of one session."""

    __slots__ = ("_registry", "_text", "mark", "record", "rule", "word")

    def __init__(
        self, record: Record, word: Word | None, rule: ChannelRule | None, mark: object, registry: SessionRegistry
    ) -> None:
        """`mark` is that of its figures (`OutageLedger.mark`)."""
        self._registry = registry
        self.record = record
        self.word = word
        self.rule = rule
        self.mark = mark
        self._text = ""

    @property
    def text(self) -> str:
        """The report as JSON, written when the first page is told."""
        if not self._text:
            record = self._registry.in_system_time(self.record)
            figures = self._registry.ledger.figures(record)
            self._text = to_text(session_report(record, self.word, self.rule, figures), compact=True)
        return self._text


def _word(word: Word | None, old: Word | None) -> Word | None:
    """The gateway's word to show: the same again is news only once a minute, or each list would resend all."""
    if word is None or old is None or word.said != old.said or word.at - old.at >= SAME_AGAIN:
        return word
    return old
