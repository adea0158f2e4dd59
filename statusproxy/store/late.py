"""Records that a store delivers after its opening, and how they are merged with the known ones.

A store on a server may be away when the proxy starts, lose its memory, or be written by another proxy. With each new
connection its records are merged with what is known here: of each session the newest knowledge (`known`) stands, on
both sides.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from statusproxy.observe.counted import counted
from statusproxy.status.model import Record
from statusproxy.store.backlog import Backlog

__all__ = ["LateRecords", "newest", "reconcile"]


def newest(ours: Record, theirs: Record) -> Record:
    """One record of two of the same session: the one that knows the newest, `ours` where they know the same.

    When the session was last heard of, and last alive, is taken from whichever knows better: a message that came in
    must go on speaking against a disconnect, whoever heard of it.
    """
    base = theirs if theirs.known.here > ours.known.here else ours
    heard = theirs if theirs.heard_at > ours.heard_at else ours
    alive = theirs if theirs.alive.here > ours.alive.here else ours
    return replace(
        base,
        alive_at=alive.alive_at,
        alive_clock=alive.alive_clock,
        alive_lag=alive.alive_lag,
        heard_at=heard.heard_at,
        event=heard.event,
        lags=ours.lags or theirs.lags,
    )


def reconcile(
    found: Mapping[str, Record], known: dict[str, Record], backlog: Backlog
) -> tuple[list[Record], list[Record]]:
    """Merge the records `found` in a store with those in the backlog and those `known` to have been in the store.

    Returns the records that were not known here, or only older ones, which are in `known` or in the backlog now, and
    those that the store lacks, which are in the batch that is being written now.
    """
    late: list[Record] = []
    for session, theirs in found.items():
        holders: tuple[dict[str, Record | None] | dict[str, Record], ...]
        holders = (backlog.open.records, backlog.writing.records, known)
        holder = next((holder for holder in holders if session in holder), None)
        if holder is None:
            known[session] = theirs
            late.append(theirs)
            continue
        ours = holder[session]
        outdated = theirs.heard_at > backlog.replayed.get(session, theirs.heard_at)
        if ours is None:  # forgotten meanwhile
            if outdated:
                del holder[session]
                known[session] = theirs
                late.append(theirs)
            continue
        merged = newest(theirs, ours) if outdated else newest(ours, theirs)
        if merged != ours:
            holder[session] = merged
            late.append(merged)
    missing = {session: record for session, record in known.items() if found.get(session) != record}
    writing = backlog.writing
    writing.records = {**missing, **writing.records}
    return late, list(missing.values())


class LateRecords:
    """Late records until they are taken. Until then older knowledge must not overwrite them."""

    def __init__(self, name: str, log: logging.Logger) -> None:
        """`name`: where the state is, for messages."""
        self._name = name
        self._log = log
        self._unclaimed: dict[str, Record] = {}

    def deliver(self, records: Sequence[Record], take: Callable[[list[Record]], None] | None) -> None:
        """Give records to the one who wants them, or keep them."""
        if not records:
            return
        if take is not None:
            try:
                take(list(records))
            except Exception:  # noqa: BLE001 - an error of the listener is no reason to hold up saves
                self._log.exception("state: sessions that were loaded late could not be taken over")
            else:
                self._log.warning(
                    "state: %s: %s loaded late", self._name, counted(len(records), "session was", "sessions were")
                )
                return
        self._unclaimed |= {record.session: record for record in records}
        self._log.warning(
            "state: %s hold %s kept, and used from the next start on",
            self._name,
            counted(
                len(records), "session that is not known here; it is", "sessions that are not known here; they are"
            ),
        )  # fmt: skip

    def amend(self, records: Sequence[Record], forgotten: Iterable[str]) -> Sequence[Record]:
        """The records to be saved, merged with late ones of the same sessions."""
        if not self._unclaimed:
            return records
        for session in forgotten:
            self._unclaimed.pop(session, None)
        return [self._merged(record) for record in records]

    def _merged(self, record: Record) -> Record:
        late = self._unclaimed.get(record.session)
        if late is None:
            return record
        if record.known.here >= late.known.here:
            del self._unclaimed[record.session]
        return newest(record, late)
