"""Session reports for the status page: which sessions changed since the last event, and each one's JSON.

It looks at the sessions that changed since it looked last; all of them, with the channels of the gateway's last lists,
are compared only where the gateway's answers differ, or a minute has passed. A report is written once for all pages.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final, Protocol

from statusproxy.admin.messages import to_text
from statusproxy.admin.report import counts, row_report
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import AT_ONCE, Row
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.session_state import Claim, SessionState
from statusproxy.status.unsaved import Watch

#: Seconds within which the gateway saying the same again is not news.
SAME_AGAIN: Final = 60.0

#: Sessions looked at before others have their turn; some 15 µs each.
LOOKED_AT: Final = AT_ONCE

#: Sessions put in order, or searched for those that are gone, before others have their turn: half a millisecond.
RANKED: Final = 1_000

#: The order in which sessions are told: what needs someone comes first.
_RANKS: Final = {state: rank for rank, state in enumerate(SessionState)}


class Alerted(Protocol):
    """When sessions were told to operators (`admin.alerts.AlertAnswers`)."""

    def alerted_at(self, spellings: Iterable[str]) -> float | None:
        """When the newest message about a session was made."""

    @property
    def version(self) -> object:
        """Another object each time `alerted_at` may give something else."""


class SessionReports:
    """What the pages were last sent of each session. Empty until `begin` and after `end`."""

    def __init__(
        self,
        registry: SessionRegistry,
        rule: Callable[[], ChannelRule | None] = lambda: None,
        alerts: Alerted | None = None,
    ) -> None:
        """`rule` gives that of the channel list, which a reload may replace; `alerts` know when sessions were told."""
        self._registry = registry
        self._current_rule = rule
        self._rule: ChannelRule | None = None
        self._told: dict[str, _Told] = {}
        self._counts: Counter[SessionState] = Counter()
        self._watch: Watch | None = None
        self._all = True  # whether every session must be looked at
        self._versions = (0, 0)
        self._all_at = 0.0
        self._figures: object = None
        self._minute = 0.0
        self._alerts = alerts
        self._alerted: object = None

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
        self._counts.clear()
        self._all = True

    def look_at_all(self) -> None:
        """Look at every session next time: a look failed, and what it took from the watch is lost."""
        self._all = True

    def look(self) -> Iterator[tuple[list[str], list[str]]]:
        """The sessions that are gone, and those that differ, found as this is gone through.

        That comes `LOOKED_AT` at a time, so that others can have their turn in between. The gateway's lists must have
        been read (`SessionRows.read`).
        """
        assert self._watch is not None
        self._registry.judge()
        changed, gone = self._watch.take()
        versions = self._registry.gateway_versions
        rule = self._current_rule()
        now = time.monotonic()
        figures, self._figures = self._figures, self._registry.ledger.mark(())
        if now - self._minute >= SAME_AGAIN:
            self._minute = now
            changed = [*dict.fromkeys([*changed, *self._registry.sessions.lost()])]  # they are lost for longer
        alerted, self._alerted = self._alerted, None if self._alerts is None else self._alerts.version
        if (
            self._all
            or figures != self._figures  # a new day, or the history was read
            or alerted is not self._alerted
            or rule is not self._rule
            or versions[0] != self._versions[0]  # other words
            or (versions != self._versions and now - self._all_at >= SAME_AGAIN)  # the same, later
        ):
            self._all, self._rule, self._versions, self._all_at = False, rule, versions, now
            return self._among_all()
        return self._among([*gone, *changed])

    def ids(self) -> list[str]:
        """Every session that was told."""
        return list(self._told)

    def counts(self) -> dict[str, int]:
        """How many of the sessions that were told are in each state."""
        return counts(self._counts)

    async def in_order(self, sessions: Iterable[str]) -> list[str]:
        """Those that need attention come first, so that a page of thousands shows them first.

        Some are looked up at a time, between which others have their turn.
        """
        ranks: list[list[str]] = [[] for _ in _RANKS]
        left = iter(sessions)
        while some := list(islice(left, RANKED)):
            if len(some) == RANKED:
                await self._registry.pacer.step()
            for session in some:
                told = self._told.get(session)
                if told is not None:
                    ranks[_RANKS[told.row.state]].append(session)
        return list(chain.from_iterable(ranks))

    def texts(self, sessions: Iterable[str]) -> list[str]:
        """The reports of these sessions as JSON, as they were found last; of those that are gone meanwhile none."""
        return [told.text(self._registry) for session in sessions if (told := self._told.get(session)) is not None]

    def _among_all(self) -> Iterator[tuple[list[str], list[str]]]:
        seen: set[str] = set()
        for rows in self._registry.rows.rows():
            seen.update(row.session for row in rows)
            yield [], [row.session for row in rows if self._differs(row)]
        told = iter(list(self._told))
        while some := list(islice(told, RANKED)):
            gone = [session for session in some if session not in seen]
            for start in range(0, len(gone) or 1, LOOKED_AT):
                yield [session for session in gone[start : start + LOOKED_AT] if self._drop(session)], []

    def _among(self, names: list[str]) -> Iterator[tuple[list[str], list[str]]]:
        for start in range(0, len(names), LOOKED_AT):
            gone: dict[str, None] = {}
            different: dict[str, None] = {}
            for name in names[start : start + LOOKED_AT]:
                row = self._registry.rows.row(name)
                others = {name} if row is None else {name, row.channel or name, *row.spellings} - {row.session}
                gone.update((other, None) for other in others if self._drop(other))
                if row is not None and self._differs(row):
                    different[row.session] = None
            yield list(gone), list(different)

    def _drop(self, session: str) -> bool:
        """Forget a session that is gone, or is in another's row now; whether it was told."""
        told = self._told.pop(session, None)
        if told is None:
            return False
        self._counts[told.row.state] -= 1
        return True

    def _differs(self, row: Row) -> bool:
        """Whether a session differs from what was sent; what is sent next is stored for that."""
        before, mark = self._told.get(row.session), self._registry.ledger.mark(row.spellings)
        alerted_at = None if self._alerts is None else self._alerts.alerted_at(row.spellings)
        if before is not None:
            row = row._replace(claim=_news(row.claim, before.row.claim))
            if before.rule is self._rule and (before.row, before.mark, before.alerted_at) == (row, mark, alerted_at):
                return False
            self._counts[before.row.state] -= 1
        self._counts[row.state] += 1
        self._told[row.session] = _Told(row, self._rule, mark, alerted_at)
        return True


class _Told:
    """What pages were sent of one session."""

    __slots__ = ("_text", "alerted_at", "mark", "row", "rule")

    def __init__(self, row: Row, rule: ChannelRule | None, mark: object, alerted_at: float | None) -> None:
        """`mark` is that of its figures (`OutageLedger.mark`)."""
        self.row = row
        self.alerted_at = alerted_at
        self.rule = rule
        self.mark = mark
        self._text = ""

    def text(self, registry: SessionRegistry) -> str:
        """The report as JSON, written when the first page is told."""
        if not self._text:
            shown, shift = registry.in_system_time, registry.clock.shift
            report = row_report(self.row, self.rule, shown, shift, registry.ledger.figures, self.alerted_at)
            self._text = to_text(report, compact=True)
        return self._text


def _news(claim: Claim | None, old: Claim | None) -> Claim | None:
    """The gateway's word to show: the same again is news only once a minute, or each list would resend all."""
    if claim is None or old is None or claim._replace(at=old.at) != old or claim.at - old.at >= SAME_AGAIN:
        return claim
    return old
