"""Logs changes of sessions, rate-limited: a flood of events does not become a flood of lines.

A line takes 25 µs. A site on which 300 sessions fall at once gets a line for each; beyond `LINES` a minute the lines
are counted, and the count is said once the minute is over. The history and the metrics have every change.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from statusproxy.observe.logs import NOTICE, public_name
from statusproxy.observe.visible import delimited
from statusproxy.status.fields import fold_word
from statusproxy.status.model import FORGOTTEN, RELEASED, REPEATED, STARTED, Change
from statusproxy.status.signals import SignalKind

log = logging.getLogger("statusproxy.sessions")

#: Lines about single sessions within one period of this length in seconds.
LINES: Final = 1_000
PERIOD: Final = 60.0

#: How many senders with a wrong clock are logged, one line each.
SENDERS_AHEAD: Final = 64

_WORDS: Final = {
    STARTED: "%s: disconnected (%s); will be shown as disconnected",
    REPEATED: "%s: reported as disconnected again (%s)",
    RELEASED: "%s: no longer shown as disconnected (%s)",
    FORGOTTEN: "%s: forgotten (%s)",
}

#: A loss asks for someone to act; its end is worth a look; its repetition is neither.
_LEVELS: Final = {STARTED: logging.WARNING, RELEASED: NOTICE}


class ChangeLog:
    """The subscriber that writes the lines, and counts those that there were too many of."""

    def __init__(self, reads: Callable[[str, str | None], str | None] = lambda session, said: None) -> None:
        """`reads` gives what answers read of a session that is shown as disconnected, where the gateway itself says the
        second, as far as both are known."""
        self._reads = reads
        self._since = 0.0
        self._written = 0
        self._left_out = 0
        self._ahead: set[tuple[str, str]] = set()

    def changed(self, changes: Sequence[Change], now: float) -> None:
        """One line for each change of a session's state."""
        for change in changes:
            if self._may(now):
                session = public_name(change.session)
                reads = self._other_word(change.session, change.gateway_said) if change.what == STARTED else {}
                log.log(
                    _LEVELS.get(change.what, logging.INFO),
                    _WORDS.get(change.what, "%s: %s") + "%s",
                    delimited(session),
                    change.reason,
                    "".join(f": answers will read {word}" for word in reads.values()),
                    extra={"session": session, "change": change.what, "reason": change.reason, "at": change.at} | reads,
                )

    def first_shown(self, session: str, now: float) -> None:
        """One line when an answer was first changed for a session."""
        if self._may(now):
            reads = self._other_word(session, None)
            session = public_name(session)
            log.info(
                "%s: shown as disconnected from now on%s",
                delimited(session),
                "".join(f": answers read {word}" for word in reads.values()),
                extra={"session": session, "change": "shown"} | reads,
            )

    def _other_word(self, session: str, said: str | None) -> dict[str, str]:
        """What answers read of a session, under `reads`, where that is another word than the one the lines use."""
        reads = self._reads(session, said)
        return {} if reads is None or fold_word(reads) == SignalKind.DISCONNECTED else {"reads": reads}

    def ignored(self, session: str, event: str | None, verdict: str, now: float) -> None:
        """One line for an event that is late, or was received before."""
        if self._may(now):
            session = public_name(session)
            log.info(
                "%s: %s event ignored: %s",
                delimited(session),
                event,
                verdict,
                extra={"session": session, "event": event, "verdict": verdict},
            )

    def dated_ahead(self, source: str, path: str, seconds: float) -> None:
        """Log once for each sender that its events are dated too far ahead."""
        if (source, path) in self._ahead or len(self._ahead) >= SENDERS_AHEAD:
            return
        self._ahead.add((source, path))
        log.warning(
            "%s sends events on %s with times %d s ahead of this machine's clock; beyond 5 minutes such times only "
            "order the events: synchronise both machines (timedatectl set-ntp true)",
            source,
            path,
            seconds,
            extra={"client": source, "path": path, "ahead": round(seconds)},
        )

    def overdue(self, now: float) -> None:
        """Log the counts left from the last minute."""
        if not 0 <= now - self._since < PERIOD:
            self._begin(now)

    def _may(self, now: float) -> bool:
        if not 0 <= now - self._since < PERIOD:  # over, or the clock was set back
            self._begin(now)
        if self._written >= LINES:
            self._left_out += 1
            return False
        self._written += 1
        return True

    def _begin(self, now: float) -> None:
        if self._left_out:
            log.warning(
                "%d more lines about sessions were left out within a minute; the history has every change",
                self._left_out,
                extra={"left_out": self._left_out},
            )
        self._since, self._written, self._left_out = now, 0, 0
