"""The demonstration's client: it reads the channel list and sends the requests of a reconnect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from yarl import URL

Words = Mapping[str, str]
"""A channel list as people read it: id and status word."""


class UnreadableError(Exception):
    """An answer that is not what the gateway's interface promises."""


@dataclass(frozen=True)
class Look:
    """One look at the channel list."""

    status: int
    etag: str | None
    body: bytes
    words: Words


async def channel_list(base_url: str, *, etag: str | None = None) -> Look:
    """Ask for the channel list, with `If-None-Match` where an `etag` is given. Raises `UnreadableError`."""
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
    return Look(answer.status, answer.headers.get("ETag"), body, words)


async def call(client: aiohttp.ClientSession, method: str, url: str, body: object = None) -> dict[str, Any]:
    """Send one request and give the JSON object of the answer. Raises `UnreadableError`."""
    async with client.request(method, URL(url, encoded=True), json=body) as answer:
        return _document(await answer.read())


def document_of(body: bytes) -> Any:
    """The document of a body. Raises `UnreadableError` where it is no JSON."""
    try:
        return json.loads(body)
    except ValueError:
        raise UnreadableError(f"expected JSON, got {body[:80]!r}") from None


def _document(body: bytes) -> dict[str, Any]:
    document = document_of(body)
    if not isinstance(document, dict):
        raise UnreadableError(f"expected a JSON object, got {body[:80]!r}")
    return document
