"""Fifty polls of a list that takes two seconds: one call to the gateway, and everybody has the answer in time."""

import asyncio
import contextlib
import json
import time

from benchmarks.fleet import Fleet, channels, start_statusproxy
from benchmarks.results import Finding, Goal, Section

POLLS = 50
SLOW = 2.0
_IN_TIME = Goal("one call, all within 2.1 s", 2.1, at_least=False)


async def _measure(fleet: Fleet) -> tuple[int, list[float]]:
    calls = 0
    clients: set[asyncio.StreamWriter] = set()
    body = json.dumps(channels(10)).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        clients.add(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"POST"):
                    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
                    await reader.readexactly(length)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    continue
                calls += 1
                await asyncio.sleep(SLOW)
                writer.write(answer)
        writer.close()

    async def poll(number: int, port: int) -> float:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        begun = time.perf_counter()
        writer.write(b"GET /api/channels HTTP/1.1\r\nHost: g.example\r\nX-Request-Id: poll-%d\r\n\r\n" % number)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        document = json.loads(await reader.readexactly(length))
        writer.close()
        assert document["channels"][3]["status"] == "disconnected"
        return time.perf_counter() - begun

    server = await asyncio.start_server(gateway, "127.0.0.1", 0)
    slow_port = server.sockets[0].getsockname()[1]
    with contextlib.ExitStack() as stack:
        proxy = await asyncio.to_thread(
            start_statusproxy, fleet, stack, "statusproxy before a slow gateway", gateway_port=slow_port
        )
        took = await asyncio.gather(*(poll(number, proxy.port) for number in range(POLLS)))
        del fleet.proxies[proxy.name]
    server.close()
    for writer in clients:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return calls, sorted(took)


def measure(fleet: Fleet) -> tuple[Section, list[Finding]]:
    """One round of polls, all sent at once, each with a request id of its own."""
    calls, took = asyncio.run(_measure(fleet))
    section = Section(
        "Shared listing",
        f"{POLLS} identical polls at once, each with its own request id, of a list that takes {SLOW:.0f} s.",
        ["calls to the gateway", "first answer", "last answer"],
        [[str(calls), f"{took[0]:.3f} s", f"{took[-1]:.3f} s"]],
    )
    reached = took[-1] if calls == 1 else float("inf")
    figure = f"{calls} call{'s' * (calls > 1)}, all within {took[-1]:.3f} s"
    return section, [Finding("50 polls of a 2 s list", figure, "", _IN_TIME.text, _IN_TIME.verdict(reached))]
