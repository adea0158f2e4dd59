"""Faults C, first part: places that the slowest can hold."""

from __future__ import annotations

from typing import Any, Final

from tests.faults import attacks
from tests.faults.fault import Fault, Measured
from tests.faults.probe import FRESH
from tests.faults.stage import MIB, Stage, lost
from tests.faults.waits import Waits, quantile
from tests.faults.wire import HOST

#: An address on loopback that is not the ordinary client's.
_ELSEWHERE: Final = "127.0.0.2"

#: An address that a proxy in front would name (RFC 5737).
_STRANGER: Final = "203.0.113.7"

#: Requests wait for a place as long as connecting may take: short here, so that a lack of places shows early.
_SHORT: Final = {"connect": "2s"}

#: Seconds after which a place must be free again.
_FREE_WITHIN: Final = 20.0

#: Times the median that the last of a crowd may wait, where each is served in turn.
_TIMES_MEDIAN: Final = 3.0


def half_sent(stage: Stage) -> None:
    """515 POSTs that are half sent and kept going with 9 bytes a second, from elsewhere and from behind a proxy."""
    for part, source, said in (("direct", _ELSEWHERE, ""), ("behind nginx", HOST, _STRANGER)):
        proxy = stage.proxy(timeouts=_SHORT)
        seconds = stage.size(_FREE_WITHIN + 2 if said == "" else 8.0, 5.0)
        found = stage.beside(
            proxy, attacks.half_sent, at_most=seconds, part=part, descriptors=1200,
            port=proxy.port, count=515, seconds=seconds, source=source, said_from=said, drip=9,
        )  # fmt: skip
        if not stage.quick and not said:
            _freed(stage, found)
        proxy.stop()


def slow_readers(stage: Stage) -> None:
    """1 000 downloads that are read at 9 bytes a second."""
    proxy = stage.proxy(timeouts=_SHORT)
    seconds = stage.size(_FREE_WITHIN + 2, 5.0)
    found = stage.beside(
        proxy, attacks.slow_readers, at_most=seconds, memory=1200 * MIB, descriptors=1200,
        port=proxy.port, count=1000, seconds=seconds, source=_ELSEWHERE, size=2 * MIB,
    )  # fmt: skip
    if not stage.quick:
        _freed(stage, found)


def _freed(stage: Stage, found: dict[str, Any]) -> None:
    """Whether the attackers' connections were ended while they went on."""
    opened, ended = found["opened"], found["dropped"]
    stage.check(
        f"slow connections ended within {_FREE_WITHIN:.0f} s", ended >= 0.9 * opened, ended, f"90 % of {opened}"
    )


def idle_connections(stage: Stage) -> None:
    """More idle connections than there may be, while others come and go."""
    limit = stage.size(4096, 400)
    proxy = stage.proxy(limits={"connections": limit})
    seconds = stage.size(8.0, 3.0)
    stage.beside(
        proxy, attacks.idle, at_most=seconds + 5, kinds=("pass", FRESH), part="asked once",
        port=proxy.port, count=limit + 104, seconds=seconds, source=_ELSEWHERE,
    )  # fmt: skip
    stage.beside(
        proxy, attacks.silent, at_most=seconds + 5, kinds=("pass", FRESH), part="silent",
        port=proxy.port, count=limit + 104, seconds=seconds, source=_ELSEWHERE,
    )  # fmt: skip


def flood(stage: Stage) -> None:
    """A trusted sender that reports 12 000 sessions that do not exist, where 10 000 may be known."""
    known, count = stage.size((10_000, 12_000), (1000, 1200))
    proxy = stage.proxy(sessions={"max_sessions": known})
    real = {f"c{number}" for number in range(5)}
    stage.tell(proxy, *(lost(session) for session in sorted(real)))
    stage.disconnected(proxy, "?channels=20")  # the gateway's own list confirms them
    stage.beside(
        proxy, attacks.made_up, at_most=20.0, truthful=False, times=20.0,
        port=proxy.port, count=count, connections=16, seconds=20.0,
    )  # fmt: skip
    shown = stage.disconnected(proxy, "?channels=20")
    stage.check("real sessions still shown as disconnected", shown >= real, sorted(shown), sorted(real))
    stage.outcome.lost += len(real - shown)
    stage.truthful(proxy)


def crowd(stage: Stage) -> None:
    """Forty clients for four places to the gateway, each asking again as soon as it is answered."""
    proxy = stage.proxy(timeouts=_SHORT, limits={"upstream_connections": 4})
    before = proxy.watch_anew()
    found = attacks.crowd(proxy.port, "/wait/0.05", 40, stage.size(8.0, 3.0))
    waits = sorted(found["waits"])
    median, worst = quantile(waits, 0.5), waits[-1]
    turn = Waits(len(waits), median, median, median)
    beside = Waits(len(waits), median, quantile(waits, 0.99), worst, found["failed"])
    stage.waited("in the crowd", Measured(turn, beside, _TIMES_MEDIAN * median))
    stage.grew(before, proxy.peak(), proxy.use())
    stage.truthful(proxy)


FAULTS: Final = (
    Fault(
        item="C10",
        name="half-sent",
        what="515 half-sent POSTs, kept alive by 9 bytes a second, took every place to the gateway",
        how="515 uploads of 9 bytes a second, from one address and from behind a proxy",
        sees="Lists, webhooks and all others are served; the slow ones are ended within 20 s",
        run=half_sent,
    ),
    Fault(
        item="C10",
        name="slow-readers",
        what="So did 1 000 clients that read slowly",
        how="1 000 downloads of 2 MiB, read at 9 bytes a second",
        sees="Lists, webhooks and all others are served; the slow ones are reset within 20 s",
        run=slow_readers,
    ),
    Fault(
        item="C11",
        name="idle-connections",
        what="More than 4 096 idle connections locked everybody out for half a minute",
        how="4 200 connections that asked once, then 4 200 that never did",
        sees="New connections are served; idle ones are closed for them",
        run=idle_connections,
    ),
    Fault(
        item="C14",
        name="made-up-ids",
        what="A flood of made-up session ids pushed out what was known of real ones",
        how="12 000 disconnects of sessions that do not exist, where 10 000 sessions may be known",
        sees="Sessions that the gateway's own list has named stay known",
        run=flood,
    ),
    Fault(
        item="C15",
        name="crowd",
        what="A freed place to the gateway was taken by a newcomer while others waited, some until they were refused",
        how="40 clients for 4 places",
        sees="First come, first served",
        run=crowd,
    ),
)
