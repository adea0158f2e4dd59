"""The demonstration's story at a gateway that speaks a dialect: a session is lost, and comes back.

As `story`, and shorter. What each gateway is stale about, and so what the proxy adds, comes from its `Dialect`.
"""

from __future__ import annotations

import asyncio
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import aiohttp

from statusproxy.demo.dialect import SALES, SUPPORT, Dialect, Route, State, text
from statusproxy.demo.dialect_gateway import HUB_INBOX, DialectGateway
from statusproxy.demo.keeping import invited, keep_up, usual_ports
from statusproxy.demo.look import Look, UnreadableError, call, document_of
from statusproxy.demo.proxy import Proxy
from statusproxy.demo.stage import Say, Stage, speak
from statusproxy.demo.telling import ANY, P, Ports, Raise, Up, quiet, set_up, tell, with_log
from statusproxy.status.model import RELEASED, STARTED

GRACED_WITHIN: Final = 30.0
"""Seconds that a state with a grace may take until it counts, on a very busy machine too."""

_WIDTH: Final = 78


async def play(
    dialect: Dialect, *, say: Say = speak, python: str = sys.executable, up: Raise[Up] | None = None
) -> bool:
    """Play the story, `say` what is seen at each step, and tell whether all of it held."""
    title = f"statusproxy: the story of a lost session at {dialect.title}"
    both = _set_up(dialect, up or quiet(python))
    return await tell(title, both, _scenes(dialect), say, textwrap.wrap(dialect.stale, _WIDTH))


async def serve(dialect: Dialect, *, say: Say = speak, python: str = sys.executable) -> bool:
    """Keep gateway and proxy up and `say` what to try, until Ctrl-C or SIGTERM.

    False if that ended in another way: the proxy did not start, or did not stay.
    """
    return await keep_up(_set_up(dialect, with_log(python), usual_ports()), _invitation, say)


def _set_up(
    dialect: Dialect, up: Raise[P], ports: Ports = ANY
) -> AbstractAsyncContextManager[tuple[DialectGateway, P]]:
    """Gateway and proxy, wired both ways."""
    return set_up(stand_in(dialect), up, ports, _differing, _wire)


def stand_in(dialect: Dialect) -> DialectGateway:
    """The gateway of the story, with its sessions."""
    return DialectGateway(dialect, (SALES, SUPPORT))


def _wire(gateway: DialectGateway, proxy: Up) -> None:
    gateway.proxy_url = proxy.base_url


def _differing(gateway: DialectGateway) -> dict[str, Any]:
    """The settings that depend on the dialect: the preset, its tap passed on to the hub, and the short grace."""
    dialect = gateway.dialect
    settings: dict[str, Any] = {
        "preset": dialect.name,
        "webhooks": [{"path": dialect.tap, "forward_to": gateway.base_url + HUB_INBOX}],
    }
    if dialect.grace is not None:
        settings["events"] = [{"event": dialect.graced, "grace": dialect.grace}]
    return settings


# The scenes, in order

Scene = Callable[[Stage, DialectGateway, Up], Any]


def _scenes(dialect: Dialect) -> Sequence[Scene]:
    """Those that this gateway's events and requests allow."""
    return (
        _beginning,
        *([_drop] if dialect.drops else []),
        _lost,
        _power_cut,
        *([_start_in_vain] if dialect.starts_in_vain is not None else []),
        _reconnect,
        *([_late] if dialect.sends_again else []),
        _end,
    )


async def _beginning(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene("All is well: gateway and proxy agree")
    direct, through = await _looks(gateway, proxy)
    stage.agree(direct, through)


async def _drop(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene(f"The connection of {SUPPORT!r} drops for a moment, and comes back")
    await gateway.drop(SUPPORT)
    await gateway.scan(SUPPORT)
    direct, through = await _looks(gateway, proxy)
    stage.check("the list is as before, the same bytes", held=direct.body == through.body)
    if gateway.dialect.grace is None:  # with a short one, a slow machine might take the moment for a loss
        told = await _history(gateway, proxy, SUPPORT)
        stage.check("the history does not count it as a loss", held=STARTED not in told)


async def _lost(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    dialect = gateway.dialect
    stage.scene(dialect.loss.format(session=SALES))
    await gateway.lose(SALES)
    direct, through = await _looks(gateway, proxy)
    if dialect.grace is not None:
        through = await _within_grace(gateway, proxy, through)
        direct = await _look(gateway, gateway.base_url)
    stage.compare(direct, through)
    said = text(dialect.shows[dialect.lost])
    stage.check(f"the gateway {'still ' * dialect.is_stale}says {said}", held=direct.words.get(SALES) == said)
    also = "" if dialect.is_stale else " as well"
    stage.check(f"the proxy says {dialect.truth}{also}", held=through.words.get(SALES) == dialect.truth)
    stage.check("no other session is changed", held=through.words.get(SUPPORT) == direct.words.get(SUPPORT))
    told = await _history(gateway, proxy, SALES)
    stage.check(f"the history shows the loss: {told.get(STARTED, 'no')}", held=STARTED in told)


async def _power_cut(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene("The proxy is killed (kill -9) and started again")
    await proxy.kill()
    await proxy.start()
    through = await _look(gateway, proxy.base_url)
    stage.check(f"it still says {gateway.dialect.truth}", held=through.words.get(SALES) == gateway.dialect.truth)
    stage.check("the history still shows the loss", held=STARTED in await _history(gateway, proxy, SALES))


async def _start_in_vain(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    route = gateway.dialect.starts_in_vain
    assert route is not None
    stage.scene("A start alone claims success, and does nothing")
    answer = await _ask(gateway, proxy, route)
    stage.check(f"{_said(gateway, route)} answers {answer.get('status')}", held=bool(answer))
    through = await _look(gateway, proxy.base_url)
    stage.check(f"the proxy still says {gateway.dialect.truth}", held=through.words.get(SALES) == gateway.dialect.truth)


async def _reconnect(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene(f"Reconnect {SALES!r}")
    for route in gateway.dialect.reconnect:
        answer = await _ask(gateway, proxy, route)
        said, code = _said(gateway, route), gateway.seen(SALES).code
        if route.shows_code:
            shown = code is not None and code in str(answer)
            stage.check(f"{said}: a QR code is shown", held=shown)
        else:
            stage.note(f"     {said}")
    await gateway.scan(SALES)
    word = (await _look(gateway, proxy.base_url)).words.get(SALES)
    connected = text(gateway.dialect.shows[State.CONNECTED])
    stage.check(f"scanned; the first poll says {word}", held=word == connected)


async def _late(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene("An old event of the loss is sent again, late")
    await gateway.send_again(SALES)
    word = (await _look(gateway, proxy.base_url)).words.get(SALES)
    stage.check(f"the proxy still says {word}", held=word == text(gateway.dialect.shows[State.CONNECTED]))


async def _end(stage: Stage, gateway: DialectGateway, proxy: Up) -> None:
    stage.scene("All is well again: gateway and proxy agree")
    direct, through = await _looks(gateway, proxy)
    stage.agree(direct, through)
    told = await _history(gateway, proxy, SALES)
    stage.check(f"the history shows the return: {told.get(RELEASED, 'no')}", held=RELEASED in told)
    hub = gateway.counts["hub"]
    stage.check(f"the hub received all {gateway.posted} events", held=hub == gateway.posted)


# What a hub and a person do


async def _look(gateway: DialectGateway, base_url: str) -> Look:
    """The states as a hub reads them at this address: of the list, or of one answer after the other."""
    watched = gateway.dialect.watched
    bodies, words = b"", dict[str, str]()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
        for name in gateway.states if watched.entries is None else (SALES,):
            async with client.request(
                watched.route.method, base_url + watched.route.path_of(gateway.seen(name))
            ) as answer:
                body = await answer.read()
            bodies += body
            try:
                words |= watched.read(document_of(body), name)
            except (LookupError, TypeError):
                raise UnreadableError(f"no states in {body[:80]!r}") from None
    return Look(200, None, bodies, words)


async def _looks(gateway: DialectGateway, proxy: Up) -> tuple[Look, Look]:
    return await _look(gateway, gateway.base_url), await _look(gateway, proxy.base_url)


async def _within_grace(gateway: DialectGateway, proxy: Up, through: Look) -> Look:
    """The first look that shows the loss, or the last one before patience ends."""
    end = time.monotonic() + GRACED_WITHIN
    while through.words.get(SALES) != gateway.dialect.truth and time.monotonic() < end:
        await asyncio.sleep(0.05)
        through = await _look(gateway, proxy.base_url)
    return through


async def _ask(gateway: DialectGateway, proxy: Up, route: Route) -> dict[str, Any]:
    """One request about the lost session, through the proxy."""
    seen = gateway.seen(SALES)
    headers = {} if gateway.dialect.header is None else {gateway.dialect.header: seen.token}
    body = None if route.body is None else {route.body: seen.id}
    async with aiohttp.ClientSession(headers=headers) as client:
        return await call(client, route.method, proxy.base_url + route.path_of(seen), body)


def _said(gateway: DialectGateway, route: Route) -> str:
    return f"{route.method} {route.path_of(gateway.seen(SALES))}"


async def _history(gateway: DialectGateway, proxy: Up, name: str) -> dict[str, str]:
    """What the proxy's history says about a session: the reason of each kind of change."""
    async with aiohttp.ClientSession() as client:
        answer = await call(client, "GET", f"{proxy.admin_url}/history")
    session = gateway.seen(name).id
    return {line["change"]: line["reason"] for line in answer.get("history", ()) if line["session"] == session}


def _invitation(gateway: DialectGateway, proxy: Proxy) -> str:
    """The lines to copy."""
    direct, through, dialect = gateway.base_url, proxy.base_url, gateway.dialect
    seen = gateway.seen(SALES)
    path = dialect.watched.route.path_of(seen)
    return invited(
        ("", f"the stand-in for {dialect.title}, and the proxy in front of it, are running (Ctrl-C stops both)"),
        ("what the gateway says", f"curl {direct}{path}"),
        ("what the proxy says", f"curl {through}{path}"),
        (dialect.loss.format(session=SALES), f"curl -X POST {direct}/demo/lose/{SALES}"),
        *(
            (f"reconnect ({number})", _curl(route, through, gateway))
            for number, route in enumerate(dialect.reconnect, start=1)
        ),
        ("scan the QR code", f"curl -X POST {direct}/demo/scan/{SALES}"),
        ("who is really connected", f"curl {direct}/demo/truth"),
        ("what the proxy knows", f"curl {proxy.admin_url}/sessions"),
        ("every loss and return", f"curl {proxy.admin_url}/history"),
    )


def _curl(route: Route, base_url: str, gateway: DialectGateway) -> str:
    seen = gateway.seen(SALES)
    parts = ["curl", *([] if route.method == "GET" else ["-X", route.method])]
    if gateway.dialect.header is not None:
        parts += ["-H", f"'{gateway.dialect.header}: {seen.token}'"]
    if route.body is not None:
        parts += ["-H", "'Content-Type: application/json'", "-d", f'\'{{"{route.body}": "{seen.id}"}}\'']
    return " ".join([*parts, base_url + route.path_of(seen)])
