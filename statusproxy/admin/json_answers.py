"""Messages of the admin listener as the JSON of an answer."""

from collections.abc import Iterable, Mapping

import msgspec
from aiohttp import web

from statusproxy.admin.messages import Refusal, to_text


def answer(message: msgspec.Struct, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A message as a JSON answer."""
    return _json(to_text(message), status, headers)


def refuse(status: int, error: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error in words, as JSON."""
    return answer(Refusal(error), status, headers)


def answer_list(message: msgspec.Struct, entries: Iterable[str]) -> web.Response:
    """A message whose last key is a list, empty as yet, with these entries in it; each is JSON already."""
    return _json(f"{to_text(message).removesuffix(']}')}{', '.join(entries)}]}}")


def _json(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")
