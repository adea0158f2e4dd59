"""The demonstration's story: a phone is unlinked, the gateway does not notice, the proxy does.

`play` runs it from beginning to end and judges every step; `serve` keeps the stage up for someone with curl.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import AbstractAsyncContextManager
from typing import Final

import aiohttp

from statusproxy.demo.engine import Dialog
from statusproxy.demo.gateway import StandInGateway
from statusproxy.demo.keeping import invited, keep_up, usual_ports
from statusproxy.demo.look import Words, call, channel_list
from statusproxy.demo.proxy import Proxy
from statusproxy.demo.stage import Say, Stage, speak
from statusproxy.demo.telling import ANY, Ports, Raise, quiet, set_up, tell, with_log

LOST: Final = "sales"
STUBBORN: Final = "Front Desk"
"""The session that needs DELETE and POST before it shows a QR code."""

_SLOW: Final = 0.03
_CONTACTS: Final = 40
_MOVES: Final = 5
_POLLS: Final = 24


async def play(*, say: Say = speak, python: str = sys.executable) -> bool:
    """Play the story in a few seconds, `say` what is seen at each step, and tell whether all of it held."""
    both = _set_up(quiet(python))
    return await tell("statusproxy: the story of a lost session", both, _SCENES, say)


async def serve(*, say: Say = speak, python: str = sys.executable) -> bool:
    """Keep gateway and proxy up and `say` what to try, until Ctrl-C or SIGTERM.

    False if that ended in another way: the proxy did not start, or did not stay.
    """
    return await keep_up(_set_up(with_log(python), usual_ports()), _invitation, say)


def _set_up(up: Raise[Proxy], ports: Ports = ANY) -> AbstractAsyncContextManager[tuple[StandInGateway, Proxy]]:
    """Gateway and proxy, wired both ways."""
    return set_up(stand_in(), up, ports, lambda _: {}, _wire)


def stand_in() -> StandInGateway:
    """The gateway of the story, with its sessions."""
    return StandInGateway(
        sessions=(LOST, "support", STUBBORN),
        waiting=("night shift",),
        dialogs={STUBBORN: Dialog.AFTER_DELETE},
        slow=_SLOW,
    )


def _wire(gateway: StandInGateway, proxy: Proxy) -> None:
    gateway.engine_webhook = f"{proxy.base_url}/v1/webhooks/receive"
    gateway.outbox.url = f"{proxy.base_url}/hub/webhook"


# The scenes, in order


async def _beginning(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("All is well: gateway and proxy agree")
    direct, through = await channel_list(gateway.base_url), await channel_list(proxy.base_url)
    stage.agree(direct, through)


async def _unlinked(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Someone unlinks the phone of {LOST!r}")
    before = await channel_list(proxy.base_url)
    await gateway.unlink(LOST)
    direct, through = await channel_list(gateway.base_url), await channel_list(proxy.base_url)
    stage.compare(direct, through)
    stage.check("the gateway still says connected", held=direct.words.get(LOST) == "connected")
    stage.check("the proxy says disconnected", held=through.words.get(LOST) == "disconnected")
    stage.check("no other session is changed", held=_but(LOST, through.words) == _but(LOST, direct.words))
    known = await channel_list(proxy.base_url, etag=before.etag)
    stage.check("a client with the old ETag gets the new list (200, not 304)", held=known.status == 200)
    known = await channel_list(proxy.base_url, etag=through.etag)
    stage.check("a client with the new ETag gets 304", held=known.status == 304)


async def _contacts(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("Contacts go offline and online repeatedly")
    before = await channel_list(proxy.base_url)
    received, delivered = gateway.counts["received"], gateway.counts["hub_inbox"]
    bursts = [
        asyncio.create_task(gateway.contacts_move(session, _CONTACTS, moves=_MOVES)) for session in ("support", LOST)
    ]
    looks = []
    while not all(burst.done() for burst in bursts):
        looks.append(await channel_list(proxy.base_url))
    await asyncio.gather(*bursts)
    await gateway.settled()
    looks.append(await channel_list(proxy.base_url))
    sent = len(bursts) * _MOVES * 2 * _CONTACTS
    arrived = gateway.counts["received"] - received
    passed_on = gateway.counts["hub_inbox"] - delivered
    stage.check(f"{arrived} presence events reached the gateway", held=arrived == sent)
    stage.check(f"{passed_on} events of the gateway reached the hub", held=passed_on == sent)
    changed = sum(look.words != before.words for look in looks)
    stage.check(f"looked {len(looks)} times during this: nothing changed", held=changed == 0)


async def _power_cut(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("The proxy is killed (kill -9) and started again")
    await gateway.unlink(STUBBORN, "browserClose")
    await proxy.kill()
    await proxy.start()
    through = await channel_list(proxy.base_url)
    stage.show(through.words, (LOST, STUBBORN))
    stage.check(f"{LOST!r} is still known to be lost", held=through.words.get(LOST) == "disconnected")
    held = through.words.get(STUBBORN) == "disconnected"
    stage.check(f"{STUBBORN!r}, lost just before the kill, as well", held=held)


async def _gateway_restart(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("The gateway restarts, and repeats its stale status")
    gateway.restart()
    stage.show((await channel_list(proxy.base_url)).words, (LOST, "support"))
    through = await channel_list(proxy.base_url)
    stage.show(through.words, (LOST, "support"))
    stage.check("the proxy ignores it", held=through.words.get(LOST) == "disconnected")
    stage.check("the healthy session is connected", held=through.words.get("support") == "connected")


async def _qr_at_once(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Reconnect {LOST!r}: the QR dialog")
    async with aiohttp.ClientSession() as client:
        answer = await call(client, "GET", f"{proxy.base_url}/api/channels/{LOST}/qr")
    stage.check("a QR code is shown", held=bool(answer.get("qr")))
    waiting = (await channel_list(proxy.base_url)).words.get(LOST)
    stage.check(f"the list says {waiting}", held=waiting == "qr_required")
    # The engine's own word gets lost here: what passed through must be enough.
    await gateway.scan(LOST, silent=True)
    await _first_poll(stage, proxy, LOST)


async def _qr_after_delete(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene(f"Reconnect {STUBBORN!r}: delete, create, QR dialog")
    path = f"{proxy.base_url}/api/channels/{STUBBORN.replace(' ', '%20')}"
    async with aiohttp.ClientSession() as client:
        answer = await call(client, "GET", f"{path}/qr")
        stage.check(f"no QR code, it still says {answer.get('status')}", held=answer.get("qr") is None)
        answer = await call(client, "DELETE", path)
        stage.check("deleted", held=answer.get("success") is True)
        answer = await call(client, "POST", f"{proxy.base_url}/api/channels", {"channel": STUBBORN})
        stage.check("created", held=answer.get("success") is True)
        said: list[str] = []
        while not answer.get("qr") and len(said) < _POLLS:
            answer = await call(client, "GET", f"{path}/qr")
            said.append(str(answer.get("status")))
    stage.check(f"{' → '.join(dict.fromkeys(said))}: a QR code is shown", held=bool(answer.get("qr")))
    await gateway.scan(STUBBORN)
    await _first_poll(stage, proxy, STUBBORN)


async def _end(stage: Stage, gateway: StandInGateway, proxy: Proxy) -> None:
    stage.scene("All is well again: gateway and proxy agree")
    direct, through = await channel_list(gateway.base_url), await channel_list(proxy.base_url)
    stage.agree(direct, through)


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


async def _first_poll(stage: Stage, proxy: Proxy, session: str) -> None:
    word = (await channel_list(proxy.base_url)).words.get(session)
    stage.check(f"scanned; the first poll says {word}", held=word == "connected")


def _but(session: str, words: Words) -> dict[str, str]:
    return {other: word for other, word in words.items() if other != session}


def _invitation(gateway: StandInGateway, proxy: Proxy) -> str:
    """The lines to copy."""
    direct, through = gateway.base_url, proxy.base_url
    return invited(
        ("", "the stand-in gateway, and the proxy in front of it, are running (Ctrl-C stops both)"),
        ("what the gateway says", f"curl {direct}/api/channels"),
        ("what the proxy says", f"curl {through}/api/channels"),
        ("unlink a phone", f"curl -X POST {direct}/demo/unlink/{LOST}"),
        ("contacts go offline and online", f"curl -X POST {direct}/demo/presence/{LOST}?contacts=40"),
        ("the QR dialog: ask for a code …", f"curl {through}/api/channels/{LOST}/qr"),
        ("… and scan it", f"curl -X POST {direct}/demo/scan/{LOST}"),
        ("the gateway restarts", f"curl -X POST {direct}/demo/restart"),
        ("who is really linked", f"curl {direct}/demo/truth"),
        ("what the proxy knows", f"curl {proxy.admin_url}/sessions"),
    )
