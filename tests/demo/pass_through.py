"""A "proxy" that carries everything and corrects nothing, for the story to fail with."""

from __future__ import annotations

import sys
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

_OWN = {"host", "content-length", "connection", "keep-alive", "transfer-encoding"}


async def _carry(request: web.Request) -> web.Response:
    target = URL(request.app[_GATEWAY] + request.rel_url.raw_path_qs, encoded=True)
    if request.path == "/hub/webhook":
        target = URL(request.app[_GATEWAY] + "/demo/hub-inbox")
    headers = {name: value for name, value in request.headers.items() if name.lower() not in _OWN}
    async with (
        aiohttp.ClientSession() as client,
        client.request(request.method, target, data=await request.read(), headers=headers) as answer,
    ):
        body = await answer.read()
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OWN}
    return web.Response(status=answer.status, body=body, headers=kept)


_GATEWAY = web.AppKey("gateway", str)

if __name__ == "__main__":
    settings = yaml.safe_load(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    carrier = web.Application()
    carrier[_GATEWAY] = settings["gateway"]
    carrier.router.add_route("*", "/{rest:.*}", _carry)
    address, _, number = settings["listen"].rpartition(":")
    web.run_app(carrier, host=address, port=int(number), print=None)
