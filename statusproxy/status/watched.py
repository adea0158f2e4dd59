"""What the answers of watched routes say about one channel: a QR code, connected, a create or start, a deletion."""

from __future__ import annotations

from statusproxy.status.model import Change
from statusproxy.status.observation import Observer
from statusproxy.status.records import Records
from statusproxy.status.statements import Statement
from statusproxy.status.transitions import step_answer


class Watched:
    """Takes them into the map. `asked_at` is when the gateway was asked, `now` when its answer was complete."""

    __slots__ = ("_answers", "_records")

    def __init__(self, records: Records, answers: Observer) -> None:
        self._records = records
        self._answers = answers

    def qr_seen(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The gateway gave a QR code for this channel: it has caught up. Changes no override."""
        return self._answered(channel, Statement.QR_CODE, asked_at, now)

    def created(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The channel was created or started through the proxy: the gateway has caught up."""
        return self._answered(channel, Statement.CREATED, asked_at, now)

    def said_connected(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """An uncorrected answer about this one channel says connected."""
        return tuple(self._answers.said_connected(self._records.sessions_of(channel), asked_at, now, None))

    def _answered(self, channel: str, said: Statement, asked_at: float, now: float) -> tuple[Change, ...]:
        records = self._records
        sessions = records.sessions_of(channel)
        return records.take(step_answer(records[one], said, asked_at, now, records.rules) for one in sessions)

    def deleted(self, channel: str, asked_at: float, now: float) -> tuple[Change, ...]:
        """The channel was deleted through the proxy: forget what was known of it.

        The empty record stays for a while, so that a disconnect of before the deletion is late when it comes.
        `asked_at` does not matter: the engine reports the end of a session while it is being deleted.
        """
        return self._records.own(self._records.sessions_of(channel), Statement.DELETED, now)
