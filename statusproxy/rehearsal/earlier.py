"""Which signals of one run were said before: with the same id, or the same word at the same time."""

from __future__ import annotations

from statusproxy.status.signals import Signal, SignalKind


class Earlier:
    """The signals received so far. They are all kept: a run has a bounded number."""

    def __init__(self) -> None:
        self._said: set[tuple[str, SignalKind, float]] = set()
        self._by_id: dict[tuple[str, str], SignalKind] = {}

    def note(self, signal: Signal) -> tuple[bool, SignalKind | None]:
        """Note a signal; whether the same was said of the same time before, and what the first with its id said."""
        at = signal.ahead if signal.at is None else signal.at
        said = None if at is None else (signal.session, signal.kind, at)
        repeats = said in self._said
        if said is not None:
            self._said.add(said)
        if signal.event_id is None:
            return repeats, None
        named = signal.session, signal.event_id
        first = self._by_id.get(named)
        self._by_id.setdefault(named, signal.kind)
        return repeats, first
