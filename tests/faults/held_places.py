"""Faults C, first part: places that the slowest can hold."""

from __future__ import annotations

from typing import Any, Final

from tests.faults import attacks
from tests.faults.bare_server import QUEUED
from tests.faults.fault import Fault
from tests.faults.probe import FRESH
from tests.faults.stage import MIB, Stage, lost
from tests.faults.wire import HOST

#: An address on loopback that is not the ordinary client's.
_ELSEWHERE: Final = "127.0.0.2"

#: An address that a proxy in front would name (RFC 5737).
_STRANGER: Final = "203.0.113.7"

#: Requests wait for a place as long as connecting may take: short here, so that a lack of places shows early.
_SHORT: Final = {"connect": "2s"}

#: Seconds that others may wait while some thousand connections are opened at once: the kernel and the loop have as much
#: to do for each of them as for a request.
_OPENING: Final = 0.25

#: Seconds after which a place must be free again.
_FREE_WITHIN: Final = 20.0

#: Seconds for which each request of the greedy ones holds a place, and how many such turns another may wait: eleven
#: clients for four places are three turns, and as many again for a machine that is busy.
_SERVED_IN: Final = 0.05
_TURNS: Final = 6


def half_sent(stage: Stage) -> None:
    """515 POSTs that are half sent and kept going with 9 bytes a second, from elsewhere and from behind a proxy."""
    parts = (("behind nginx", HOST, _STRANGER), ("direct", _ELSEWHERE, ""))
    for part, source, said in parts[: stage.size(2, 1)]:
        proxy = stage.proxy(timeouts=_SHORT)
        seconds = stage.size(_FREE_WITHIN + 2 if said == "" else 8.0, 3.0)
        found = stage.beside(
            proxy, attacks.half_sent, at_most=seconds, floor=_OPENING, part=part, descriptors=1200,
            port=proxy.port, count=515, seconds=seconds, source=source, said_from=said, drip=9,
        )  # fmt: skip
        if not stage.quick and not said:
            _freed(stage, found, 512)
        proxy.stop()


def slow_readers(stage: Stage) -> None:
    """More downloads than there are places, read at 9 bytes a second.

    Of each download the kernel's own buffer takes up to 4 MiB (tcp_wmem, tcp(7)): it must be larger to hold a place.
    And so there are few places here, since five hundred such buffers would be the whole machine's.
    """
    proxy = stage.proxy(timeouts=_SHORT, limits={"upstream_connections": 32})
    seconds = stage.size(_FREE_WITHIN + 2, 3.0)
    found = stage.beside(
        proxy, attacks.slow_readers, at_most=seconds, floor=_OPENING, descriptors=300,
        port=proxy.port, count=48, seconds=seconds, source=_ELSEWHERE, size=8 * MIB,
    )  # fmt: skip
    if not stage.quick:
        _freed(stage, found, 16)  # one address holds half of the places; the others wait, and are refused


def _freed(stage: Stage, found: dict[str, Any], holding: int) -> None:
    """Whether the connections that held places were ended while they went on."""
    ended = found["dropped"]
    stage.check(f"slow ones ended within {_FREE_WITHIN:.0f} s", ended >= 0.9 * holding, ended, f"90 % of {holding}")


def idle_connections(stage: Stage) -> None:
    """More idle connections than there may be, while others come and go."""
    limit = stage.size(4096, 400)
    proxy = stage.proxy(limits={"connections": limit})
    seconds = stage.size(8.0, 2.0)
    for part, attack in (("asked once", attacks.idle), ("silent", attacks.silent))[: stage.size(2, 1)]:
        stage.beside(
            proxy, attack, at_most=seconds + 5, kinds=("pass", FRESH), floor=_OPENING, part=part,
            behind={FRESH: QUEUED} if attack is attacks.idle else {},
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


def greedy(stage: Stage) -> None:
    """Eight clients for four places, each with requests waiting behind the one that is served."""
    proxy = stage.proxy(timeouts=_SHORT, limits={"upstream_connections": 4})
    seconds = stage.size(6.0, 2.5)
    stage.beside(
        proxy, attacks.greedy, at_most=seconds, floor=_TURNS * _SERVED_IN,
        port=proxy.port, target=f"/wait/{_SERVED_IN}", clients=8, ahead=10, seconds=seconds,
    )  # fmt: skip


FAULTS: Final = (
    Fault(
        item="C10",
        name="half-sent",
        what="515 incomplete POSTs, kept alive by 9 bytes per second, used every connection to the gateway",
        how="515 uploads of 9 bytes per second, from one address and from behind a proxy",
        sees="Lists, webhooks and all others are served; the slow uploads are ended within 20 s",
        run=half_sent,
    ),
    Fault(
        item="C10",
        name="slow-readers",
        what="Clients that read slowly did the same",
        how="48 downloads of 8 MiB for 32 connections, read at 9 bytes per second",
        sees="Lists, webhooks and all others are served; the slow downloads are reset within 20 s",
        run=slow_readers,
    ),
    Fault(
        item="C11",
        name="idle-connections",
        what="More than 4 096 idle connections blocked all new clients for half a minute",
        how="4 200 connections that sent one request, then 4 200 that sent none",
        sees="New connections are served; idle ones are closed to make room",
        run=idle_connections,
    ),
    Fault(
        item="C14",
        name="made-up-ids",
        what="A flood of invented session ids removed the records of real sessions",
        how="12 000 disconnects of sessions that do not exist, with room for 10 000 sessions",
        sees="Sessions that the gateway's own list has contained stay known",
        run=flood,
    ),
    Fault(
        item="C15",
        name="greedy-clients",
        what="A free connection to the gateway went to a new client while others waited, and some of them were refused",
        how="8 clients for 4 connections, each with 10 requests in advance (pipelining)",
        sees="First come, first served",
        run=greedy,
    ),
)
