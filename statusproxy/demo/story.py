"""The story a user knows, played for real: a phone is unlinked, the gateway never notices, the proxy does.

`play` runs it from beginning to end and judges every step; `serve` keeps the stage up for someone with curl.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp
import click
from yarl import URL

from statusproxy.demo.engine import Dialog
from statusproxy.demo.gateway import StandInGateway
from statusproxy.demo.proxy import Proxy, ProxyFailedError, configuration, free_port
from statusproxy.observe.terminal import colours

PROXY_PORT: Final = 8090
GATEWAY_PORT: Final = 3000
ADMIN_PORT: Final = 8091
"""Where `serve` listens, if these are free."""

LOST: Final = "sales"
STUBBORN: Final = "Front Desk"
"""The session that needs DELETE and POST before it shows a QR code."""

_SLOW: Final = 0.03
_CONTACTS: Final = 40
_MOVES: Final = 5
_POLLS: Final = 24

Say = Callable[[str], None]
"""Where the lines go; they carry terminal styles, which `speak` leaves out where there is no terminal."""
Words = Mapping[str, str]
"""A channel list as people read it: id and status word."""


def speak(line: str) -> None:
    """Print a line on standard output, with nothing in it that cannot be shown there."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(line.encode(encoding, "replace").decode(encoding), color=colours(sys.stdout, os.environ))


async def play(*, say: Say = speak, python: str = sys.executable) -> bool:
    """Play the story in a few seconds, `say` what is seen at each step, and tell whether all of it held."""
    started = time.monotonic()
    stage = _Stage(say)
    try:
        async with _set_up(python=python) as (gateway, proxy):
            stage.title("statusproxy: the story of a lost session")
            stage.note(f"gateway {gateway.base_url} · proxy {proxy.base_url}")
            for scene in _SCENES:
                await scene(stage, gateway, proxy)
    except (ProxyFailedError, aiohttp.ClientError, TimeoutError, _UnreadableError) as trouble:
        stage.check(str(trouble) or type(trouble).__name__, held=False)
    stage.verdict(time.monotonic() - started)
    return stage.held


async def serve(*, say: Say = speak, python: str = sys.executable) -> bool:
    """Keep gateway and proxy up and `say` what to try, until Ctrl-C or SIGTERM.

    False if that ended in another way: the proxy did not start, or did not stay.
    """
    ports = free_port(GATEWAY_PORT), free_port(PROXY_PORT), free_port(ADMIN_PORT)
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end.set)
    try:
        async with _set_up(*ports, python=python, show_log=True) as (gateway, proxy):
            say(_invitation(gateway, proxy))
            asked = asyncio.create_task(end.wait())
            died = asyncio.create_task(proxy.ended())
            await asyncio.wait((asked, died), return_when=asyncio.FIRST_COMPLETED)
            ended_by_itself = died.done() and not asked.done()
            for task in (asked, died):
                task.cancel()
            if ended_by_itself:
                say("the proxy ended by itself: see its last lines above")
            return not ended_by_itself
    except ProxyFailedError as trouble:
        say(str(trouble))
        return False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _set_up(
    gateway_port: int = 0, proxy_port: int = 0, admin_port: int = 0, *, python: str, show_log: bool = False
) -> AsyncIterator[tuple[StandInGateway, Proxy]]:
    """Gateway and proxy on loopback, wired both ways; the proxy's state in a folder that goes with them."""
    gateway = StandInGateway(
        sessions=(LOST, "support", STUBBORN),
        waiting=("night shift",),
        dialogs={STUBBORN: Dialog.AFTER_DELETE},
        slow=_SLOW,
    )
    with tempfile.TemporaryDirectory(prefix="statusproxy-demo-") as name:
        folder = Path(name)
        await gateway.start(port=gateway_port)
        try:
            more = {"log": {"format": "text"}} if show_log else {}
            settings = configuration(
                gateway.base_url,
                proxy_port or free_port(),
                admin_port or free_port(),
                folder / "state.db",
                **more,
            )
            async with Proxy(settings, folder, python=python, show_log=show_log) as proxy:
                gateway.engine_webhook = f"{proxy.base_url}/v1/webhooks/receive"
                gateway.outbox_url = f"{proxy.base_url}/hub/webhook"
                yield gateway, proxy
        finally:
            await gateway.stop()


# The scenes, in order


async def _beginning(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("All is well: gateway and proxy agree")
    direct, through = await _list(gateway.base_url), await _list(proxy.base_url)
    stage.compare(direct, through)
    stage.check("the same bytes", held=direct.body == through.body)


async def _unlinked(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Someone unlinks the phone of {LOST!r}")
    before = await _list(proxy.base_url)
    await gateway.unlink(LOST)
    direct, through = await _list(gateway.base_url), await _list(proxy.base_url)
    stage.compare(direct, through)
    stage.check("the gateway still says connected", held=direct.words.get(LOST) == "connected")
    stage.check("the proxy says disconnected", held=through.words.get(LOST) == "disconnected")
    stage.check("and of this session only", held=_but(LOST, through.words) == _but(LOST, direct.words))
    known = await _list(proxy.base_url, etag=before.etag)
    stage.check("a client with the old ETag is told too (200, not 304)", held=known.status == 200)
    known = await _list(proxy.base_url, etag=through.etag)
    stage.check("and with the new one is spared the answer (304)", held=known.status == 304)


async def _contacts(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("Contacts go offline and online, again and again")
    before = await _list(proxy.base_url)
    received, delivered = gateway.counts["received"], gateway.counts["hub_inbox"]
    bursts = [
        asyncio.create_task(gateway.contacts_move(session, _CONTACTS, moves=_MOVES)) for session in ("support", LOST)
    ]
    looks = []
    while not all(burst.done() for burst in bursts):
        looks.append(await _list(proxy.base_url))
    await asyncio.gather(*bursts)
    await gateway.settled()
    looks.append(await _list(proxy.base_url))
    sent = len(bursts) * _MOVES * 2 * _CONTACTS
    arrived = gateway.counts["received"] - received
    passed_on = gateway.counts["hub_inbox"] - delivered
    stage.check(f"{arrived} presence events reached the gateway", held=arrived == sent)
    stage.check(f"{passed_on} of its own reached the hub", held=passed_on == sent)
    changed = sum(look.words != before.words for look in looks)
    stage.check(f"looked {len(looks)} times meanwhile: nothing changed", held=changed == 0)


async def _power_cut(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("The proxy is killed (kill -9) and started again")
    await gateway.unlink(STUBBORN, "browserClose")
    await proxy.kill()
    await proxy.start()
    through = await _list(proxy.base_url)
    stage.show(through.words, (LOST, STUBBORN))
    stage.check(f"{LOST!r} is still known to be lost", held=through.words.get(LOST) == "disconnected")
    held = through.words.get(STUBBORN) == "disconnected"
    stage.check(f"{STUBBORN!r}, lost just before the kill, as well", held=held)


async def _gateway_restart(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("The gateway restarts, and repeats its stale word")
    gateway.restart()
    stage.show((await _list(proxy.base_url)).words, (LOST, "support"))
    through = await _list(proxy.base_url)
    stage.show(through.words, (LOST, "support"))
    stage.check("the proxy does not take it for news", held=through.words.get(LOST) == "disconnected")
    stage.check("the healthy session is connected", held=through.words.get("support") == "connected")


async def _qr_at_once(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Reconnect {LOST!r}: the QR dialog")
    async with aiohttp.ClientSession() as client:
        answer = await _call(client, "GET", f"{proxy.base_url}/api/channels/{LOST}/qr")
    stage.check("a QR code is shown", held=bool(answer.get("qr")))
    waiting = (await _list(proxy.base_url)).words.get(LOST)
    stage.check(f"the list says {waiting}", held=waiting == "qr_required")
    # The engine's own word gets lost here: what passed through must be enough.
    await gateway.scan(LOST, silent=True)
    await _first_poll(stage, proxy, LOST)


async def _qr_after_delete(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Reconnect {STUBBORN!r}: delete, create, QR dialog")
    path = f"{proxy.base_url}/api/channels/{STUBBORN.replace(' ', '%20')}"
    async with aiohttp.ClientSession() as client:
        answer = await _call(client, "GET", f"{path}/qr")
        stage.check(f"no code, it insists on {answer.get('status')}", held=answer.get("qr") is None)
        answer = await _call(client, "DELETE", path)
        stage.check("deleted", held=answer.get("success") is True)
        answer = await _call(client, "POST", f"{proxy.base_url}/api/channels", {"channel": STUBBORN})
        stage.check("created", held=answer.get("success") is True)
        said: list[str] = []
        while not answer.get("qr") and len(said) < _POLLS:
            answer = await _call(client, "GET", f"{path}/qr")
            said.append(str(answer.get("status")))
    stage.check(f"{' → '.join(dict.fromkeys(said))}: a QR code is shown", held=bool(answer.get("qr")))
    await gateway.scan(STUBBORN)
    await _first_poll(stage, proxy, STUBBORN)


async def _end(stage: _Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("All is well again: gateway and proxy agree")
    direct, through = await _list(gateway.base_url), await _list(proxy.base_url)
    stage.compare(direct, through)
    stage.check("the same bytes", held=direct.body == through.body)


_SCENES: Final = (
    _beginning,
    _unlinked,
    _contacts,
    _power_cut,
    _gateway_restart,
    _qr_at_once,
    _qr_after_delete,
    _end,
)


async def _first_poll(stage: _Stage, proxy: Proxy, session: str) -> None:
    word = (await _list(proxy.base_url)).words.get(session)
    stage.check(f"scanned; the first poll says {word}", held=word == "connected")


# What the eye sees


@dataclass
class _Stage:
    """Prints the story and keeps the judgement: one narrow line for each thing seen."""

    say: Say
    held: bool = True
    checks: int = 0
    broken: int = 0
    scenes: int = 0

    def title(self, text: str) -> None:
        self.say(click.style(text, bold=True))

    def note(self, text: str) -> None:
        self.say(click.style(text, dim=True))

    def scene(self, text: str) -> None:
        self.scenes += 1
        self.say("")
        self.say(click.style(f"{self.scenes}. {text}", bold=True))

    def check(self, text: str, *, held: bool) -> None:
        self.checks += 1
        self.broken += not held
        self.held = self.held and held
        mark, colour = (_GOOD, "green") if held else (_BAD, "red")
        self.say(f"   {click.style(mark, fg=colour)} {text}")

    def compare(self, direct: _Look, through: _Look) -> None:
        """Two lists side by side; the words that differ stand out."""
        width = max(map(len, ("channel", *direct.words)))
        self.note(f"     {'channel':{width}}  {'gateway':13}  proxy")
        for session in dict.fromkeys((*direct.words, *through.words)):
            left, right = direct.words.get(session, "-"), through.words.get(session, "-")
            shown = right if left == right else click.style(right, fg="yellow", bold=True)
            self.say(f"     {session:{width}}  {left:13}  {shown}")

    def show(self, words: Words, sessions: tuple[str, ...]) -> None:
        """A few channels on one line."""
        self.say("     " + " · ".join(f"{session}: {words.get(session, '-')}" for session in sessions))

    def verdict(self, seconds: float) -> None:
        self.say("")
        if self.held:
            text, colour = f"{_GOOD} all {self.checks} checks held", "green"
        else:
            text, colour = f"{_BAD} {self.broken} of {self.checks} checks failed", "red"
        self.say(click.style(f"{text} ({seconds:.1f} s)", fg=colour, bold=True))


def _marks() -> tuple[str, str]:
    """✓ and ✗, or plain words where the terminal cannot show them."""
    try:
        "✓✗".encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "ok  ", "FAIL"
    return "✓", "✗"


_GOOD, _BAD = _marks()


# What the hand does


class _UnreadableError(Exception):
    """An answer that is not what the gateway's interface promises."""


@dataclass(frozen=True)
class _Look:
    """One look at the channel list."""

    status: int
    etag: str | None
    body: bytes
    words: Words


async def _list(base_url: str, *, etag: str | None = None) -> _Look:
    headers = {} if etag is None else {"If-None-Match": etag}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client,
        client.get(f"{base_url}/api/channels", headers=headers) as answer,
    ):
        body = await answer.read()
    words: dict[str, str] = {}
    if answer.status == 200:
        for channel in _document(body).get("channels", ()):
            words[channel["id"]] = channel["status"]
    return _Look(answer.status, answer.headers.get("ETag"), body, words)


async def _call(client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> dict[str, Any]:
    async with client.request(method, URL(url, encoded=True), json=body) as answer:
        return _document(await answer.read())


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise _UnreadableError(f"expected a JSON object, got {body[:80]!r}")
    return document


def _but(session: str, words: Words) -> dict[str, str]:
    return {other: word for other, word in words.items() if other != session}


def _invitation(gateway: StandInGateway, proxy: Proxy) -> str:
    """The lines to copy."""
    direct, through = gateway.base_url, proxy.base_url
    lines = (
        ("", "the stand-in gateway, and the proxy in front of it, are up (Ctrl-C ends both)"),
        ("what the gateway says", f"curl {direct}/api/channels"),
        ("what the proxy says", f"curl {through}/api/channels"),
        ("unlink a phone", f"curl -X POST {direct}/demo/unlink/{LOST}"),
        ("contacts go off- and online", f"curl -X POST {direct}/demo/presence/{LOST}?contacts=40"),
        ("the QR dialog: ask for a code …", f"curl {through}/api/channels/{LOST}/qr"),
        ("… and scan it", f"curl -X POST {direct}/demo/scan/{LOST}"),
        ("the gateway restarts", f"curl -X POST {direct}/demo/restart"),
        ("who is really linked", f"curl {direct}/demo/truth"),
        ("what the proxy knows", f"curl {proxy.admin_url}/sessions"),
    )
    return "\n".join(f"# {what}\n  {command}" if what else f"{command}\n" for what, command in lines) + "\n"
