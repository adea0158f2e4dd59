"""Whether a receiver is tried at all: a circuit for each, so that entries burn no attempts on one that is away.

| is | a failure | an answer |
| --- | --- | --- |
| closed | opens it | stays closed |
| open, nothing tried | | (an earlier attempt's) closes it |
| open, a probe under way | open, the next probe later | closes it |
| open, a probe under way that is answered 502, 503 or 504 | open, the next probe soon, for another queue | |

A failure is that the receiver was not reached or did not answer, or the third 502, 503 or 504 in a row that answers
events of different queues: a failure of one session is not one of the receiver. So the next probe goes soon, a second
later, until three queues in a row were refused. Pure: time is an argument.
"""

from typing import Final, NamedTuple

from statusproxy.proxy.ports import Attempt

__all__ = ["CLOSED", "PROBES", "Circuit", "begun", "reached", "tried"]

#: Seconds between the probes of an open circuit; the last repeats. A receiver that is back must not wait for long.
PROBES: Final = (1.0, 5.0, 30.0)

#: Different queues whose events were refused in a row when the receiver itself counts as away.
_REFUSED_QUEUES: Final = 3

#: Seconds after which another probe may go, whatever became of the first: a receiver that takes events and answers
#: none, while no timeout is set, must not hold all for ever.
_PATIENCE: Final = 300.0

_AWAY: Final = frozenset({502, 503, 504})


class Circuit(NamedTuple):
    """What is known of a receiver."""

    opened_at: float | None = None
    """Since when it is away, epoch seconds; None while the circuit is closed."""
    probe_at: float = 0.0
    """When it may be tried again."""
    probes: int = 0
    """How many probes failed."""
    probe: str | None = None
    """The queue whose event is the probe under way; None if no probe is."""
    refused: frozenset[str] = frozenset()
    """The queues whose events were refused in a row: since the last other answer or failure."""

    @property
    def closed(self) -> bool:
        """Whether everything may be sent."""
        return self.opened_at is None

    def lets(self, now: float) -> bool:
        """Whether an event may be sent now. On an open circuit that event is the probe, and `begun` must be called."""
        return self.opened_at is None or now >= self.probe_at


CLOSED: Final = Circuit()


def begun(circuit: Circuit, queue: str, now: float) -> Circuit:
    """An attempt for an event of this queue begins."""
    return circuit if circuit.closed else circuit._replace(probe=queue, probe_at=now + _PATIENCE)


def reached(circuit: Circuit, now: float) -> Circuit:
    """A connection to the receiver was made again: the next probe may go at once."""
    if circuit.closed or circuit.probe is not None:
        return circuit
    return circuit._replace(probe_at=min(circuit.probe_at, now))


def tried(circuit: Circuit, attempt: Attempt, queue: str, now: float) -> Circuit:
    """An attempt for an event of this queue has ended."""
    refused, soon = circuit.refused, False
    if attempt.status is not None:
        if attempt.status not in _AWAY:
            return CLOSED
        refused |= {queue}
        soon = circuit.refused < refused and len(refused) < _REFUSED_QUEUES
        if circuit.closed and len(refused) < _REFUSED_QUEUES:
            return circuit._replace(refused=refused)
    learned = attempt.reason not in ("queued", "failed")
    if attempt.status is None and learned:
        refused = frozenset()
    if circuit.opened_at is None:
        return Circuit(now, now + PROBES[0], 0, refused=refused) if learned else circuit
    if circuit.probe != queue:
        return circuit  # an attempt that began before the circuit opened
    if attempt.reason == "queued":  # given up, so that another may be the probe at once
        return circuit._replace(probe=None, probe_at=now)
    if soon:
        return circuit._replace(probe=None, probe_at=now + PROBES[0], refused=refused)
    probes = circuit.probes + learned
    return circuit._replace(
        probe=None, probe_at=now + PROBES[min(probes, len(PROBES) - 1)], probes=probes, refused=refused
    )
