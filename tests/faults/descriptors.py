"""Faults C, second part: a process that may open no more files."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Final

from tests.faults import attacks
from tests.faults.bare_server import wait_behind
from tests.faults.fault import Fault
from tests.faults.probe import FRESH
from tests.faults.program import Program
from tests.faults.stage import Stage
from tests.faults.waits import FLOOR

#: The hard limit on open files that shells and containers often have.
_LIMIT: Final = 1024

_ELSEWHERE: Final = "127.0.0.2"

#: What a warning about the limit is about, whatever its words.
_WARNING: Final = re.compile(r"open files|descriptor|nofile", re.IGNORECASE)

#: Bytes that may be logged while there are no descriptors: some lines.
_LOGGED: Final = 16 * 1024

#: The share of a processor that a process may take which has nothing to do.
_BUSY: Final = 0.3

#: Connections that say nothing: more than there are descriptors.
_SILENT: Final = 1100

#: Times the wait behind as many connections at a server that does nothing else which a fresh client may wait.
_TIMES_BARE: Final = 3.0

#: Connections that the admin listener may take from the proxied port's share.
_ADMIN_SHARE: Final = 256


def silent_admin(stage: Stage) -> None:
    """1 100 connections to the admin listener that say nothing."""
    proxy = stage.proxy(descriptors=_LIMIT)
    seconds = stage.size(6.0, 2.0)
    before = proxy.use().descriptors
    stage.beside(
        proxy, attacks.silent, at_most=seconds, kinds=("pass", "webhook", FRESH),
        port=proxy.admin_port, count=_SILENT, seconds=seconds, source=_ELSEWHERE,
    )  # fmt: skip
    grown = stage.outcome.descriptors
    taken = grown.peak - before if grown is not None else 0
    stage.check("descriptors taken at most", taken <= _ADMIN_SHARE, taken, _ADMIN_SHARE)
    answered = stage.until(lambda: proxy.admin("/healthz").status == 200, 3.0)
    stage.check("the admin listener answers again", answered, answered, True)


def out_of_descriptors(stage: Stage) -> None:
    """More silent connections than there are descriptors."""
    _exhaust(stage, stage.proxy(descriptors=_LIMIT))


def out_of_descriptors_asyncio(stage: Stage) -> None:
    """The same on asyncio's own loop, which says so in its own way."""
    stage.options = replace(stage.options, loop="asyncio")
    stage.outcome.loop = "asyncio"
    _exhaust(stage, stage.proxy(descriptors=_LIMIT))


def _exhaust(stage: Stage, proxy: Program) -> None:
    warned = any(_WARNING.search(line) for line in proxy.text().splitlines())
    stage.check("warned at start of the low limit", warned, warned, True)
    logged, processor, begun = proxy.log.stat().st_size, proxy.processor(), time.monotonic()
    seconds = stage.size(6.0, 2.0)
    floors = {FRESH: max(FLOOR, _TIMES_BARE * wait_behind(_SILENT, stage.options.loop))}
    stage.beside(
        proxy, attacks.silent, at_most=seconds, kinds=("pass", "webhook", FRESH), refusals={"503"},
        floors=floors, port=proxy.port, count=_SILENT, seconds=seconds, source=_ELSEWHERE,
    )  # fmt: skip
    lasted = time.monotonic() - begun
    said, busy = proxy.log.stat().st_size - logged, (proxy.processor() - processor) / lasted
    stage.check("bytes logged", said <= _LOGGED, said, _LOGGED)
    stage.check("share of a processor taken", busy <= _BUSY, f"{busy:.2f}", _BUSY)


FAULTS: Final = (
    Fault(
        item="C12",
        name="silent-admin",
        what="1 000 silent connections to the admin listener reset every client of the proxied port",
        how="A hard limit of 1 024 open files, 1 100 connections to the admin listener that send nothing",
        sees="The proxied port serves as usual",
        run=silent_admin,
    ),
    Fault(
        item="C13",
        name="no-descriptors",
        what="Without free descriptors, new clients hung and nothing was logged",
        how="A hard limit of 1 024 open files, 1 100 connections that send nothing",
        sees="A warning at the start; clients are served, or get 503 at once",
        run=out_of_descriptors,
    ),
    Fault(
        item="C13",
        name="no-descriptors-asyncio",
        what="Without uvloop, the same wrote 2 MB of tracebacks per second to the log",
        how="As above, with asyncio's own event loop",
        sees="A warning at the start, one log line per minute; clients are served, or get 503 at once",
        run=out_of_descriptors_asyncio,
    ),
)
