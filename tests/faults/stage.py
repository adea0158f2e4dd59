"""What a fault works with: the proxy, the stand-in gateway, the ordinary client, the attack, and the checks."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from tests.faults.fault import LONGEST_WAIT, Check, Fault, Growth, Measured, Outcome, SkippedError
from tests.faults.gateway import Gateway
from tests.faults.other_work import OtherWork, Standstill
from tests.faults.probe import KINDS, STRAIGHT, Probe
from tests.faults.program import Options, Program, Use
from tests.faults.waits import FLOOR, TIMES, Sample, allowed, between, summary
from tests.faults.wire import Answer, Client, WireError, ask
from tests.faults.worker import working

WEBHOOK: Final = "/v1/webhooks/receive"

MIB: Final = 1024 * 1024

#: Bytes by which the proxy's memory may grow beside an attack: some copies of the largest body it holds by purpose
#: (`limits.corrected`, 32 MiB), where each of these attacks could have more.
MEMORY: Final = 128 * MIB

#: Descriptors that may be left over after an attack: idle connections to the gateway (`limits.upstream_idle`).
DESCRIPTORS: Final = 64 + 16

#: Seconds without an attack, before it: some tens of requests of each kind. Their longest wait is the measure.
_IDLE: Final = (2.0, 0.4)

#: Seconds after an attack within which what it holds must be given back, however busy the machine is.
_SETTLE: Final = 60.0

#: Seconds that an attack may take beyond what it is told; they bound themselves in bytes and in time.
_OVERTIME: Final = 30.0

_Value = TypeVar("_Value")


class Stage:
    """Everything one fault needs; what it started is ended when the fault ends."""

    def __init__(
        self, fault: Fault, gateway: Gateway, options: Options, folder: Path, *, quick: bool, strict: bool = False
    ) -> None:
        self.gateway = gateway
        self.options = options
        self.quick = quick
        self._strict = strict
        self.outcome = Outcome(fault.item, fault.name, options.loop, quick, load=round(os.getloadavg()[0], 2))
        self._folder = folder
        self._started = contextlib.ExitStack()
        self._programs = 0

    def size(self, full: _Value, quick: _Value) -> _Value:
        """One of two sizes: for the full run, and for the quick one."""
        return quick if self.quick else full

    # ---- what runs ----

    @property
    def folder(self) -> Path:
        """A folder of this fault's own."""
        return self._folder

    def program(self, *, name: str = "", descriptors: int = 0, prefix: str = "", **settings: Any) -> Program:
        """A proxy that is not started yet. `prefix` is the gateway's base path; `settings` are keys of config.yaml."""
        self._programs += 1
        folder = self._folder / (name or f"proxy-{self._programs}")
        program = Program(self.options, folder, self.gateway.url + prefix, settings, descriptors)
        self._started.callback(program.stop)
        return program

    def proxy(self, **arguments: Any) -> Program:
        """As `program`, started."""
        program = self.program(**arguments)
        program.start()
        return program

    def close(self) -> None:
        """End what was started."""
        self._started.close()

    # ---- what is asked ----

    def check(self, what: str, ok: bool, found: object, wanted: object) -> bool:
        """Note whether something holds."""
        self.outcome.checks.append(Check(what, ok, str(found), str(wanted)))
        return ok

    def tell(self, proxy: Program, *events: Mapping[str, Any]) -> list[int]:
        """Post events as the engine does, one after the other; the statuses of the answers."""
        statuses = []
        with Client(proxy.port) as client:
            for event in events:
                body = json.dumps(event).encode()
                statuses.append(client.ask("POST", WEBHOOK, body, [("Content-Type", "application/json")]).status)
        return statuses

    def disconnected(self, proxy: Program, query: str = "") -> set[str]:
        """The ids that the corrected list shows as disconnected."""
        answer = ask(proxy.port, "GET", f"/api/channels{query}")
        if answer.status != 200:
            return set()
        channels = json.loads(answer.body)["channels"]
        return {channel["id"] for channel in channels if channel["status"] == "disconnected"}

    def truthful(self, proxy: Program) -> bool:
        """Check that an event is still heard, and that the list says so: whatever came before."""
        wanted = {"heard-afterwards"}
        try:
            self.tell(proxy, *(lost(session) for session in wanted))
            shown = self.disconnected(proxy, "?channels=0&first=heard-afterwards,support")
        except (OSError, WireError) as error:
            return self.check("an event is heard afterwards", False, repr(error), wanted)
        return self.check("an event is heard afterwards", shown == wanted, shown, wanted)

    def beside(
        self,
        proxy: Program,
        attack: Callable[..., Any],
        *,
        kinds: Sequence[str] = KINDS,
        at_most: float,
        times: float = TIMES,
        floor: float = FLOOR,
        floors: Mapping[str, float] = {},
        behind: Mapping[str, int] = {},
        memory: int = MEMORY,
        descriptors: int = DESCRIPTORS,
        truthful: bool = True,
        refusals: Set[str] = frozenset(),
        part: str = "",
        **arguments: Any,
    ) -> Any:
        """Measure an ordinary client without and then with `attack`, and check what it waits.

        `attack` runs with `arguments` in another process and ends by itself within `at_most` seconds; what it gives
        is returned. `kinds` are the ordinary client's; `times` and `floor` (of some kinds `floors`) bound what it may
        wait. `behind` is how many requests that come at once have their turn before one of a kind. `memory` (bytes)
        and `descriptors` bound by how much the proxy may grow. `refusals` are answers that count as served. `part`
        names the attack where a fault has several.
        """
        self._report(clear=True)
        with working(attack) as worker, Probe(proxy.port, self.gateway.port, kinds) as probe:
            worker.ready()
            idle_from = time.monotonic()
            time.sleep(self.size(*_IDLE))
            before = proxy.watch_anew()
            begun = time.monotonic()
            worker.begin(**arguments)
            found = worker.result(at_most + _OVERTIME)
            rest = self.size(0.5, 0.2)
            ended = max(time.monotonic(), begun + rest)  # what is refused at once may end before anything is asked
            time.sleep(rest)
            report = probe.stop()
        straight = summary(between((s for s in report.samples if s.kind == STRAIGHT), begun, ended))
        for kind in kinds:
            samples = [_allowing(sample, refusals) for sample in report.samples if sample.kind == kind]
            idle = summary(s for s in samples if idle_from <= s.begun and s.begun + s.wait < begun)
            beside = summary(between(samples, begun, ended))
            limit = allowed(
                idle, straight, times=times, floor=floors.get(kind, floor), behind=behind.get(kind, 0),
                strict=self._strict,
            )  # fmt: skip
            self.waited(f"{part} {kind}".strip(), Measured(idle, beside, limit))
        peak, after = proxy.peak(), self._settled(proxy, before.descriptors + descriptors)
        self.grew(before, peak, after, memory=memory, descriptors=descriptors, part=part)
        self._nothing_lost(report.acknowledged)
        if truthful:
            self.truthful(proxy)
        return found

    def waited(self, kind: str, measured: Measured) -> None:
        """Note what one kind of request waited, and check it."""
        self.outcome.waits[kind] = measured
        beside = measured.beside
        found = f"{beside.worst * 1000:.0f} ms, {measured.ratio:.1f} times idle"
        self.check(
            f"{kind}: {LONGEST_WAIT}", beside.worst <= measured.allowed, found, f"{measured.allowed * 1000:.0f} ms"
        )
        self.check(
            f"{kind}: all served", not beside.failed and bool(beside.count), beside.failed or beside.count, "all"
        )

    def grew(
        self,
        before: Use,
        peak: Use,
        after: Use,
        *,
        memory: int = MEMORY,
        descriptors: int = DESCRIPTORS,
        part: str = "",
    ) -> None:
        """Note what the proxy held, and check it. Of several attacks the outcome keeps the one that took most."""
        outcome, most = self.outcome, max(peak.descriptors, after.descriptors)
        grown = max(peak.memory, after.memory) - before.memory
        if outcome.memory is None or grown > outcome.memory.peak - outcome.memory.before:
            outcome.memory = Growth(before.memory, before.memory + grown, after.memory)
        if outcome.descriptors is None or most > outcome.descriptors.peak:
            outcome.descriptors = Growth(before.descriptors, most, after.descriptors)
        what = f"{part} memory grew by".strip()
        self.check(what, grown <= memory, f"{grown / MIB:.0f} MiB", f"{memory / MIB:.0f} MiB")
        left = after.descriptors - before.descriptors
        self.check(f"{part} descriptors left over".strip(), left <= descriptors, left, descriptors)

    def _settled(self, proxy: Program, descriptors: int) -> Use:
        """What the proxy holds once it has given back what it will give back."""
        end = time.monotonic() + _SETTLE
        while (use := proxy.use()).descriptors > descriptors and time.monotonic() < end:
            time.sleep(0.05)
        return use

    def _nothing_lost(self, acknowledged: Iterable[str]) -> None:
        """Every webhook that was answered with a success must have reached the gateway, once."""
        arrived = self._report(clear=False)["serials"]
        wanted = list(acknowledged)
        missing = sum(arrived.get(serial, 0) == 0 for serial in wanted)
        twice = sum(arrived.get(serial, 0) > 1 for serial in wanted)
        self.outcome.lost += missing
        if wanted:
            self.check("webhooks lost, delivered twice", not missing and not twice, f"{missing}, {twice}", "0, 0")

    def _report(self, *, clear: bool) -> dict[str, Any]:
        answer: Answer = ask(self.gateway.port, "GET", f"/gateway/report{'?clear' if clear else ''}")
        report: dict[str, Any] = json.loads(answer.body)
        return report

    def ends(self) -> dict[str, int]:
        """How the gateway's marked connections ended (see `scenes`)."""
        ends: dict[str, int] = self._report(clear=False)["ends"]
        return ends

    def until(self, true: Callable[[], bool], patience: float) -> bool:
        """Wait until something is so; whether it came to be within `patience` seconds."""
        end = time.monotonic() + patience
        while not true():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True


def lost(session: str) -> dict[str, str]:
    """The engine's word that a session lost its connection."""
    return {"event": "status-find", "session": session, "status": "disconnectedMobile"}


def back(session: str) -> dict[str, str]:
    """The engine's word that a session has its connection."""
    return {"event": "status-find", "session": session, "status": "inChat"}


def escaped(session: str) -> str:
    """A session's id as a part of a path."""
    return quote(session, safe="")


def _allowing(sample: Sample, refusals: Set[str]) -> Sample:
    return msgspec.structs.replace(sample, outcome="ok") if sample.outcome in refusals else sample


def play(fault: Fault, gateway: Gateway, options: Options, *, quick: bool, strict: bool = False) -> Outcome:
    """Run one fault from its beginning to its end. Never raises; what went wrong is in the outcome.

    `strict` is for one that something else runs beside: only waits that are short on any machine are short.
    """
    begun, others, standstill = time.monotonic(), OtherWork(), Standstill()
    with tempfile.TemporaryDirectory(prefix="statusproxy-fault-") as folder:
        stage = Stage(fault, gateway, options, Path(folder), quick=quick, strict=strict)
        try:
            fault.run(stage)
        except SkippedError as skipped:
            stage.outcome.skipped = str(skipped)
        except Exception as error:  # noqa: BLE001 - one fault that cannot be run must not hide the others
            where = traceback.extract_tb(error.__traceback__)[-1]
            stage.outcome.error = f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        finally:
            stage.close()
    stage.outcome.seconds = round(time.monotonic() - begun, 1)
    stage.outcome.others = round(others.cores(), 2)
    stage.outcome.stood_still = round(standstill.end(), 3)
    return stage.outcome
