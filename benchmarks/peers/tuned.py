"""A careful proxy on aiohttp's own parts: `python tuned.py PORT UPSTREAM SESSION`.

The low-level server, one `ClientSession` without limits, uvloop, msgspec, nothing decoded that need not be.
"""

import asyncio
import gc
import sys

import msgspec
import uvloop
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from yarl import URL

DROPPED = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te"}
BASE = f"http://127.0.0.1:{sys.argv[2]}"

decode = msgspec.json.Decoder().decode
encode = msgspec.json.Encoder().encode


async def serve() -> None:
    """Serve for ever."""
    session = ClientSession(
        connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), auto_decompress=False, raise_for_status=False
    )

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in DROPPED]
        body = await request.read() if request.body_exists else None
        url = URL(BASE + request.path_qs, encoded=True)
        async with session.request(request.method, url, headers=headers, data=body, allow_redirects=False) as answer:
            content = await answer.read()
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in DROPPED]
            if request.path in {"/api/channels", "/api/differing"}:
                document = decode(content)
                for channel in document["channels"]:
                    if channel["id"] == sys.argv[3]:
                        channel["status"] = "disconnected"
                content = encode(document)
            response = web.Response(body=content, status=answer.status)
            for name, value in kept:
                response.headers[name] = value
            return response

    await asyncio.get_running_loop().create_server(
        web.Server(handle, access_log=None), "127.0.0.1", int(sys.argv[1]), backlog=2048
    )
    gc.freeze()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
