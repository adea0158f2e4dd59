"""Several proxies that share a map on one real Redis; each of them, Redis and the gateway are killed in random order.

Two at once as well, and the hardest case: Redis, then a proxy that answered for events meanwhile, whose journal alone
knows of them. Redis comes back with what its append-only file holds.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.program import Options, Program
from tests.faults.stage import WEBHOOK
from tests.faults.wire import WireError
from tests.kills.ledger import Ledger
from tests.kills.result import Result
from tests.kills.sender import Sender, Sent
from tests.kills.shown import alike, disconnected, healthy, kept, start, until
from tests.kills.verdict import figures, wrongs
from tests.ports import free_port
from tests.store.redis_server import RedisServer

#: Sessions that events come for at the same time.
SESSIONS: Final = 6

#: Seconds from a start to the next kill, and from a kill to the next start, at most.
_BETWEEN: Final = 0.6
_DOWN: Final = 0.4

#: How often what was killed stays away until the next kill, and how often all are looked at after one.
_STAYS: Final = 0.2
_LOOKS: Final = 0.15

#: Kills between two lines that tell how far it is.
_TOLD: Final = 50

#: Seconds until all proxies agree, at most: each tries Redis again after some seconds.
_AGREE: Final = 30.0

#: Seconds that the delivery of all that waits may take: a killed proxy's lease on it, and probes half a minute apart.
_DRAIN: Final = 120.0


@dataclass(frozen=True)
class Settings:
    """How a run is made up."""

    proxies: int = 2
    fsync: str = "always"
    """Redis' `appendfsync`."""
    spool: bool = True
    """Whether the proxies keep events."""
    hardest: float = 0.2
    """The part of kills that are of Redis and then of a proxy."""


class Site:
    """All that runs, by name: what is killed, and started again."""

    def __init__(self, folder: Path, seed: int, options: Options, settings: Settings) -> None:
        self.gateway = Ledger(free_port(), folder / "ledger", seed)
        self.redis = RedisServer(folder / "redis", "--appendfsync", settings.fsync)
        self.proxies = [
            Program(options, folder / f"proxy-{number}", self.gateway.url, {
                "state": {"url": f"redis://127.0.0.1:{self.redis.port}/0", "journal": "."},
                "webhooks": [{"path": WEBHOOK, "spool": settings.spool}],
                "spool": {"schedule": ["100ms", "200ms", "500ms"]},
            })
            for number in range(settings.proxies)
        ]  # fmt: skip
        self.senders = [
            Sender(f"session-{number}", [proxy.port for proxy in self.proxies], seed, self._heard)
            for number in range(SESSIONS)
        ]
        self.spare = Sender("session-spare", [proxy.port for proxy in self.proxies], seed)
        """Posts only what it is told to, and goes to the proxy it is told."""
        self._starts: dict[str, Callable[[], None]] = {"Redis": self.redis.start, "the gateway": self.gateway.start}
        self._kills: dict[str, Callable[[], None]] = {"Redis": self.redis.stop, "the gateway": self.gateway.kill}
        for number, proxy in enumerate(self.proxies, 1):
            self._starts[f"proxy {number}"] = lambda proxy=proxy: start(proxy)  # type: ignore[misc]
            self._kills[f"proxy {number}"] = proxy.kill
        self.names = list(self._starts)
        self.down = list(self.names)
        """What does not run, in the order in which it was killed."""

    def kill(self, name: str) -> None:
        """End it by SIGKILL."""
        self._kills[name]()
        self.down.append(name)

    def start(self, *names: str) -> None:
        """Start what does not run; without names everything."""
        for name in [name for name in self.down if not names or name in names]:
            self._starts[name]()
            self.down.remove(name)

    def runs(self, name: str) -> bool:
        """Whether it was started, and not killed since."""
        return name not in self.down

    def answered(self) -> int:
        """How many events were answered with a success."""
        return sum(each.acknowledged for sender in self.senders for each in sender.sent)

    @property
    def sent(self) -> dict[str, list[Sent]]:
        """What each session's sender has sent."""
        return {sender.session: sender.sent for sender in (*self.senders, self.spare)}

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Nobody posts anything, and nobody is answered."""
        with contextlib.ExitStack() as held:
            for sender in self.senders:
                held.enter_context(sender.posting)
            yield

    def end(self) -> None:
        """End everything."""
        for sender in (*self.senders, self.spare):
            sender.stop()
        for kill in self._kills.values():
            kill()

    def _heard(self, place: int, event: Sent) -> bool:
        """Whether a proxy knows that the event is kept, or it has arrived."""
        with contextlib.suppress(OSError, WireError):
            if self.proxies[place].admin(f"/spool/{event.id}").status == 200:
                return True
        return self.gateway.has(event.digest)


def available() -> bool:
    """Whether Redis is installed."""
    return shutil.which("redis-server") is not None


def run_shared(
    kills: int, seed: int, options: Options, settings: Settings, tell: Callable[[str], None] = lambda line: None
) -> Result:
    """Kill so often, and look. Raises where something does not start. `tell` is given a line now and then."""
    result, begun = Result(seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="statusproxy-kills-") as folder:
        site = Site(Path(folder), seed, options, settings)
        try:
            site.start()
            for sender in site.senders:
                sender.start()
            _kill_again_and_again(result, kills, site, settings, tell)
            for sender in site.senders:
                sender.stop()
            _settle(result, site, spool=settings.spool)
        finally:
            site.end()
        result.note(sender.error for sender in site.senders if sender.error is not None)
        lines = [line for proxy in site.proxies for line in proxy.lines()]
        result.note(f"logged: {line['message']}" for line in lines if "inside the proxy" in str(line.get("message")))
    result.seconds = time.monotonic() - begun
    return result


def _kill_again_and_again(
    result: Result, kills: int, site: Site, settings: Settings, tell: Callable[[str], None]
) -> None:
    chance, told = Random(result.seed), 0
    while result.kills.total() < kills:
        if result.kills.total() >= told + _TOLD:
            told = result.kills.total()
            tell(f"{told} kills, {site.answered()} events answered with a success, {len(result.wrong)} things wrong")
        time.sleep(chance.random() * _BETWEEN)
        if chance.random() < settings.hardest:
            _both(result, site, chance)
            continue
        name = chance.choice([name for name in site.names if site.runs(name)])
        site.kill(name)
        result.kills[name] += 1
        time.sleep(chance.random() * _DOWN)
        if chance.random() < _LOOKS:
            look(result, site)
        elif chance.random() > _STAYS or len(site.down) > 2:
            some = list(site.down)
            chance.shuffle(some)
            site.start(*some)


def _both(result: Result, site: Site, chance: Random) -> None:
    """Redis, then a proxy: what it answered for between the two is in its journal alone.

    At least one change is, for one session has nothing that waits, and its proxy knows that the gateway is there.
    """
    number = chance.randrange(len(site.proxies))
    name = f"proxy {number + 1}"
    site.start("Redis", "the gateway", name)
    site.spare.go_to(number)
    until(lambda: site.spare.posts() and site.spare.sent[-1].status == 200, _DRAIN)
    everybody = [*site.senders, site.spare]
    before = [len(sender.sent) for sender in everybody]
    site.kill("Redis")

    def changes() -> int:
        return sum(sender.changes(first, number) for sender, first in zip(everybody, before, strict=True))

    until(lambda: site.spare.posts() and site.spare.changes(before[-1], number) > 0, _AGREE)
    time.sleep(chance.random() * _DOWN)
    site.kill(name)
    result.kills.update(["Redis", name])
    with site.silence():
        result.journalled += changes()
        site.start(*(("Redis", name) if chance.random() < 0.5 else ("Redis",)))
        _agree(result, site)


def look(result: Result, site: Site) -> None:
    """Note whether all proxies agree once everything runs and nothing is posted."""
    with site.silence():
        _agree(result, site)


def _agree(result: Result, site: Site) -> None:
    site.start()
    if not until(lambda: healthy(site.proxies), _AGREE):
        states = [proxy.admin("/readyz").body.decode() for proxy in site.proxies]
        result.note([f"not all are well after {_AGREE:g} s: {states}"])
        return
    until(lambda: not _differences(site), _AGREE)
    result.note(_differences(site))
    result.looks += len(site.proxies) * sum(sender.told() is not None for sender in site.senders)


def _differences(site: Site) -> list[str]:
    """Where a proxy does not show what was acknowledged last, or another's map is not the same."""
    found: list[str] = []
    maps = [alike(proxy) for proxy in site.proxies]
    for number, proxy in enumerate(site.proxies, 1):
        shown = disconnected(proxy)
        for sender in (*site.senders, site.spare):
            told = sender.told()
            if told is not None and shown.get(sender.session) is not told:
                was = f"lost is {shown.get(sender.session)}, acknowledged was {told}"
                found.append(f"proxy {number}, {sender.session}: {was}")
        strangers = shown.keys() - site.sent.keys()
        found += [f"proxy {number}: {session} was never named" for session in sorted(strangers)]
        if maps[number - 1] != maps[0]:
            found.append(f"proxy {number} knows {maps[number - 1]}, proxy 1 knows {maps[0]}")
    return found


def _settle(result: Result, site: Site, *, spool: bool) -> None:
    """Look at what stands in the spool while the gateway is away, and at everything once it is back."""
    site.start()
    if spool:
        until(lambda: healthy(site.proxies), _AGREE)
        site.kill("the gateway")
    for sender in (*site.senders, site.spare):  # the last word of each session is acknowledged
        if not until(lambda sender=sender: sender.posts(), _AGREE):  # type: ignore[misc]
            result.note([f"{sender.session}: nothing is acknowledged any more: {sender.sent[-1]}, {sender.waits_for}"])
    if spool:
        last_words = {sent[-1].id for sent in site.sent.values()}
        heard = until(lambda: all(last_words <= _ids(proxy) for proxy in site.proxies), _AGREE)
        result.note([] if heard else ["not every proxy knows what was kept last"])
        entries = kept(site.proxies[-1])
        result.stood = sum(entry["state"] == "waiting" for entry in entries)
        judge(result, site, {entry["id"] for entry in entries})
    _agree(result, site)
    drain(result, site)
    judge(result, site)
    result.unknown = sum(entry["state"] == "unknown" for entry in kept(site.proxies[0]))
    result.figures = figures(site.sent, site.gateway.arrivals())


def drain(result: Result, site: Site) -> None:
    """Wait until nothing waits in the spool any more."""
    if not until(lambda: not any(_waits(proxy) for proxy in site.proxies), _DRAIN):
        result.note(["events still wait in the spool"])


def judge(result: Result, site: Site, ids: Collection[str] = ()) -> None:
    """Whether all that was acknowledged arrived, or has one of these ids in the spool, and in order."""
    result.note(wrongs(site.sent, site.gateway.arrivals(), ids, one_proxy=False))


def _ids(proxy: Program) -> set[str | None]:
    return {entry["id"] for entry in kept(proxy)}


def _waits(proxy: Program) -> bool:
    return any(entry["state"] == "waiting" for entry in kept(proxy))
