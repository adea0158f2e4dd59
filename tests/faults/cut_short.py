"""Faults D: what is cut short but looks whole."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.faults.fault import Fault
from tests.faults.program import Program
from tests.faults.stage import MIB, Stage
from tests.faults.wire import Client, WireError, head, request

#: Seconds in which a gateway or a client that stalls is given up here.
_STALL: Final = {"response_body": "1s"}

#: Bytes that a client has of an answer, its head among them, when that is broken off.
_HALF: Final = 32 * 1024

#: Seconds a client waits for the end of what is cut short.
_PATIENCE: Final = 8.0


def broken_answers(stage: Stage) -> None:
    """Answers in every framing that the gateway breaks off, closes or leaves unfinished; how the client's end looks."""
    proxy = stage.proxy(timeouts=_STALL)
    before = proxy.watch_anew()
    broken = [
        (version, framing, how)
        for version in ("1.0", "1.1")
        for framing in ("length", "chunked", "close")
        for how in ("fin", "reset", "stall")
        if (framing, how) != ("close", "fin")  # that is how such an answer ends
    ]
    with ThreadPoolExecutor() as pool:
        stalled = pool.submit(_stalled_reader, proxy)
        ends = pool.map(lambda one: _end(proxy, *one), broken)
        for (version, framing, how), found in zip(broken, ends, strict=True):
            stage.check(f"HTTP/{version}, {framing}, {how}: ended by", found == "reset", found, "reset")
        found = stalled.result()
    stage.check("a reader that stalled: ended by", found == "reset", found, "reset")
    stage.grew(before, proxy.peak(), proxy.use())
    stage.truthful(proxy)


def _end(proxy: Program, version: str, framing: str, how: str) -> str:
    """How the connection of one request ended whose answer is broken off once half of it is here."""
    name = f"{version}-{framing}-{how}"
    with Client(proxy.port, patience=_PATIENCE) as client:
        client.send(head("GET", f"/cut/{framing}/{how}/{name}", version=version))
        try:
            client.exactly(_HALF)
        except WireError:
            return "before its half was here"
        if how != "stall":
            with Client(proxy.port, patience=_PATIENCE) as other:
                other.ask("GET", f"/cut-now/{name}")
        return _rest(client)


def _rest(client: Client) -> str:
    try:
        client.rest()
    except TimeoutError:
        return "nothing"
    except WireError:
        return "reset"
    return "fin"


def _stalled_reader(proxy: Program) -> str:
    """How a download ended whose client stopped reading and then reads on."""
    with Client(proxy.port, patience=_PATIENCE, read_buffer=4096) as client:
        client.send(head("GET", f"/until-close/{20 * MIB}", version="1.0"))
        client.sock.recv(1000)
        time.sleep(3.0)
        return _rest(client)


def broken_tunnels(stage: Stage) -> None:
    """Tunnels of which one side is reset; how the other side ends."""
    proxy = stage.proxy()
    before = proxy.watch_anew()
    upgrade = [("Connection", "Upgrade"), ("Upgrade", "echo")]
    with Client(proxy.port, patience=_PATIENCE) as client:
        client.send(head("GET", "/tunnel/reset", upgrade))
        client.answer()
        client.send(b"hello")
        found = _rest(client)
    stage.check("the gateway was reset: the client's end", found == "reset", found, "reset")
    with Client(proxy.port, patience=_PATIENCE) as client:
        client.send(head("GET", "/tunnel/end", upgrade))
        client.answer()
        client.send(b"hello")
        found = _rest(client)
    stage.check("the gateway ended: the client's end", found == "fin", found, "fin")
    for mark, reset in (("was-reset", True), ("has-ended", False)):
        client = Client(proxy.port)
        client.send(head("GET", "/tunnel/echo", [*upgrade, ("X-Mark", mark)]))
        client.answer()
        client.send(b"hello")
        client.sock.recv(100)
        if reset:
            client.reset()
        else:
            client.close()
        wanted = f"{mark} {'reset' if reset else 'fin'}"
        stage.until(lambda mark=mark: any(end.startswith(mark) for end in stage.ends()), 3.0)  # type: ignore[misc]
        ends = [end for end in stage.ends() if end.startswith(mark)]
        stage.check(f"the client {mark.replace('-', ' ')}: the gateway's end", ends == [wanted], ends, [wanted])
    stage.grew(before, proxy.peak(), proxy.use())
    stage.truthful(proxy)


def client_leaves(stage: Stage) -> None:
    """Clients that leave in mid-download; what the log and the metrics call that."""
    proxy = stage.proxy()
    before = proxy.watch_anew()
    count = stage.size(20, 5)
    for number in range(count):
        client = Client(proxy.port, read_buffer=4096)
        client.send(request("GET", f"/bytes/{8 * MIB}"))
        client.sock.recv(1000)
        if number % 2:
            client.reset()
        else:
            client.close()
    stage.until(lambda: proxy.metric("statusproxy_requests_in_flight") == 0, 5.0)
    warned = [line for line in proxy.lines() if line.get("level", "").lower() in {"warning", "error"}]
    stage.check("lines above info", not warned, [line.get("message") for line in warned[:2]], [])
    blamed = _problems(proxy)
    stage.check("problems laid to the gateway", not blamed, blamed, {})
    stage.grew(before, proxy.peak(), proxy.use())
    stage.truthful(proxy)


def _problems(proxy: Program) -> dict[str, float]:
    """The problems that are counted as the gateway's."""
    found = {}
    for line in proxy.admin("/metrics").body.decode().splitlines():
        if line.startswith('statusproxy_request_problems_total{code="gateway'):
            found[line.partition('"')[2].partition('"')[0]] = float(line.rpartition(" ")[2])
    return found


FAULTS: Final = (
    Fault(
        item="D16",
        name="broken-answers",
        what="An answer that the gateway aborted reached an HTTP/1.0 client as a complete file",
        how="Incomplete answers in every framing, to HTTP/1.0 and 1.1, that end, are reset or stall; a reader that "
        "stalls",
        sees="The connection is reset",
        run=broken_answers,
    ),
    Fault(
        item="D16",
        name="broken-tunnels",
        what="When one side of a tunnel was reset, the other side saw a normal end",
        how="Tunnels that the gateway or the client resets, or ends",
        sees="A reset is passed on as a reset, an end as an end",
        run=broken_tunnels,
    ),
    Fault(
        item="D17",
        name="client-leaves",
        what="A client that left during a download was logged and counted as an error of the gateway",
        how="Clients that leave during downloads of 8 MiB, by closing and by a reset",
        sees="An error code of its own, at level info",
        run=client_leaves,
    ),
)
