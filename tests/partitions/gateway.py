"""A stand-in gateway on a host of its own: `python -m tests.partitions.gateway ADDRESS PORT SESSION…`.

It says of each session that it is connected, and takes every webhook. `GET /arrivals` tells which have come: from which
address, of which session, in which order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys


async def serve(address: str, port: int, sessions: list[str]) -> None:
    """Serve until the process is ended."""
    channels = [{"id": session, "status": "connected"} for session in sessions]
    listed = json.dumps({"success": True, "channels": channels}).encode()
    arrivals: list[dict[str, object]] = []
    taken = json.dumps({"success": True, "received": True}).encode()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[0]
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
                event = await reader.readexactly(int(length or 0))
                if event:
                    arrivals.append({"from": peer, **json.loads(event)})
                told = head.startswith(b"GET /arrivals ")
                body = json.dumps(arrivals).encode() if told else taken if event else listed
                fields = b"Content-Type: application/json\r\nContent-Length: %d" % len(body)
                writer.write(b"HTTP/1.1 200 OK\r\n%b\r\n\r\n%b" % (fields, body))
                await writer.drain()

    server = await asyncio.start_server(connected, address, port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
