"""The proxy one writes in an hour: `python naive.py PORT UPSTREAM SESSION`. aiohttp on both sides, json in between."""

import sys

from aiohttp import ClientSession, web

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "upgrade", "te"}


async def handle(request: web.Request) -> web.StreamResponse:
    """Forward one request, and correct the list."""
    session: ClientSession = request.app["session"]
    headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP}
    url = f"http://127.0.0.1:{sys.argv[2]}{request.rel_url}"
    async with session.request(request.method, url, headers=headers, data=await request.read()) as answer:
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP}
        if request.path == "/api/channels" or request.path == "/api/differing":
            document = await answer.json()
            for channel in document["channels"]:
                if channel["id"] == sys.argv[3]:
                    channel["status"] = "disconnected"
            return web.json_response(document, status=answer.status)
        return web.Response(body=await answer.read(), status=answer.status, headers=kept)


async def make() -> web.Application:
    """The application with its one client session."""
    app = web.Application(client_max_size=64 * 1024 * 1024)
    app["session"] = ClientSession()
    app.router.add_route("*", "/{path:.*}", handle)
    return app


if __name__ == "__main__":
    web.run_app(make(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
