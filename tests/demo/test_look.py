"""A look at the list keeps what a client can compare: status, ETag, bytes and words."""

from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web

from statusproxy.demo.gateway import StandInGateway
from statusproxy.demo.look import UnreadableError, call, channel_list
from tests.stand_ins.served import served


async def test_a_list_is_read_as_words_and_spared_where_it_is_known(gateway: StandInGateway) -> None:
    first = await channel_list(gateway.base_url)
    assert (first.status, first.words["sales"], first.words["night"]) == (200, "connected", "qr_required")
    again = await channel_list(gateway.base_url, etag=first.etag)
    assert (again.status, again.body, again.words) == (304, b"", {})


async def test_a_request_is_answered_with_an_object(gateway: StandInGateway, client: aiohttp.ClientSession) -> None:
    url = f"{gateway.base_url}/api/channels"
    assert (await call(client, "POST", url, {"channel": "new"}))["channel"]["id"] == "new"


@pytest.mark.parametrize(("body", "wanted"), [("<html>", "JSON"), ("[1]", "a JSON object")])
async def test_what_is_no_object_is_told_with_its_beginning(
    body: str, wanted: str, client: aiohttp.ClientSession
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with served(web.get("/", answer)) as url:
        with pytest.raises(UnreadableError) as caught:
            await call(client, "GET", f"{url}/")
    assert str(caught.value) == f"expected {wanted}, got {body.encode()!r}"
