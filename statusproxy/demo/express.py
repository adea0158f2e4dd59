"""How an Express application reads requests and answers them, as far as a proxy can tell."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web

JSON_LIMIT: Final = 10 * 1024 * 1024
"""The largest JSON body the real gateway's parser takes, in bytes."""

KEEP_ALIVE: Final = 5.0
"""Node closes an idle connection after this many seconds; a proxy's pool has to live with it."""

Json = dict[str, Any]


def match(pattern: tuple[str, ...], segments: Sequence[str]) -> list[str] | None:
    """The values of a path's parameters, None where it does not fit; literals in any case, as in Express."""
    if len(pattern) != len(segments):
        return None
    parameters = []
    for wanted, given in zip(pattern, segments, strict=True):
        if wanted.startswith(":"):
            parameters.append(given)
        elif wanted != given.lower():
            return None
    return parameters


class BadBodyError(Exception):
    """A request body that the gateway's JSON parser refuses, and with which status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def json_body(request: web.BaseRequest) -> Json:
    """The request's JSON object; an empty body is an empty object, as `express.json()` leaves it."""
    data = bytearray()
    async for piece in request.content.iter_any():
        data += piece
        if len(data) > JSON_LIMIT:
            raise BadBodyError(413, "request entity too large")
    if not data:
        return {}
    try:
        document = json.loads(data)
    except ValueError:
        raise BadBodyError(400, "invalid JSON") from None
    if not isinstance(document, dict):
        raise BadBodyError(400, "a JSON object is expected")
    return document


def number(request: web.BaseRequest, name: str, default: int) -> int:
    """A number in the query; `default` if there is none."""
    text = request.query.get(name, "")
    return int(text) if text.isdecimal() else default


def json_answer(request: web.BaseRequest, document: object, status: int = 200) -> web.Response:
    """`res.json`: compact JSON."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return express_answer(request, body, "application/json; charset=utf-8", status)


def express_answer(request: web.BaseRequest, body: bytes, content_type: str, status: int) -> web.Response:
    """`res.send`: a weak ETag over the body, and 304 where the client has just that."""
    headers = {"X-Powered-By": "Express", "ETag": weak_etag(body), "Keep-Alive": f"timeout={KEEP_ALIVE:.0f}"}
    if status == 200 and request.method in ("GET", "HEAD") and _fresh(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    return web.Response(status=status, body=body, headers=headers | {"Content-Type": content_type})


def weak_etag(body: bytes) -> str:
    """Express's default ETag: the length in hexadecimal and 27 characters of the SHA-1 in base64, weak."""
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest()).decode()
    return f'W/"{len(body):x}-{digest[:27]}"'


def _fresh(request: web.BaseRequest, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag (compared weakly), and no fresh answer was asked for."""
    if "no-cache" in request.headers.get("Cache-Control", ""):
        return False
    named = [tag.strip() for tag in ",".join(request.headers.getall("If-None-Match", [])).split(",")]
    return "*" in named or any(tag.removeprefix("W/") == etag.removeprefix("W/") for tag in named if tag)
