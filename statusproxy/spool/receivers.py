"""Which receivers are tried at all: the circuit of each, and the log lines of when one went away and came back."""

import logging

from statusproxy.clock import OwnClock
from statusproxy.proxy.ports import Attempt
from statusproxy.spool.circuit import CLOSED, Circuit, begun, reached, tried

__all__ = ["Receivers"]

log = logging.getLogger("statusproxy.spool")


class Receivers:
    """The circuits by receiver. Times are those of our own clock."""

    def __init__(self, clock: OwnClock) -> None:
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}  # those that are not as `CLOSED`

    def takes(self, receiver: str) -> bool:
        """Whether it is not known to be away: everything may be sent."""
        return not self._circuits or self._circuits.get(receiver, CLOSED).closed

    def lets(self, receiver: str, now: float | None = None) -> bool:
        """Whether an event may be sent now: any, or a probe. `begin` must be called when it is sent."""
        circuit = self._circuits.get(receiver)
        return circuit is None or circuit.lets(self._clock.now() if now is None else now)

    def probe_at(self, receiver: str) -> float:
        """When one that is away may be tried again."""
        return self._circuits.get(receiver, CLOSED).probe_at

    def begin(self, receiver: str, queue: str) -> None:
        """An attempt for an event of this queue begins."""
        circuit = self._circuits.get(receiver)
        if circuit is not None:
            self._circuits[receiver] = begun(circuit, queue, self._clock.now())

    def reached(self, receiver: str) -> None:
        """A connection to a receiver was made again: if it is away, the next probe may go at once."""
        circuit = self._circuits.get(receiver)
        if circuit is not None:
            self._circuits[receiver] = reached(circuit, self._clock.now())

    def ended(self, receiver: str, queue: str, attempt: Attempt) -> bool:
        """An attempt for an event of this queue has ended; whether it shows that one that was away is back."""
        before = self._circuits.get(receiver, CLOSED)
        if before is CLOSED and attempt.reason == "delivered":
            return False  # the usual case
        circuit = tried(before, attempt, queue, self._clock.now())
        if circuit == CLOSED:
            self._circuits.pop(receiver, None)
        else:
            self._circuits[receiver] = circuit
        if before.closed and not circuit.closed:
            log.warning(
                "spool: %s does not accept events (%s): they are stored", receiver, attempt.status or attempt.reason,
                extra={"receiver": receiver, "reason": attempt.reason, "status": attempt.status},
            )  # fmt: skip
        back = circuit.closed and not before.closed
        if back:
            log.info("spool: %s accepts events again", receiver, extra={"receiver": receiver})
        return back

    @property
    def away(self) -> dict[str, float]:
        """Those that are not tried but for probes, and since when."""
        return {name: each.opened_at for name, each in self._circuits.items() if each.opened_at is not None}
