"""The HTTP client of alerts: its session, texts for its errors, and reading an answer that is not needed."""

import asyncio
import ssl
from typing import Final

import aiohttp
from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

from statusproxy import __version__
from statusproxy.observe.network_errors import in_words

__all__ = ["DEADLINE", "error_words", "finish", "open_session"]

#: Seconds for one request, from looking up the name to the answer's end.
DEADLINE: Final = 10.0

#: Bytes of an answer that are read, so that its sender sees no broken connection. Nothing is done with them.
_READ: Final = 16 * 1024

#: Made here, where the settings have alerts: reading the system's certificates takes too long for one turn of a loop
#: that serves. aiohttp's own context has none in the service (`statusproxy.__main__`).
_TRUSTED: Final = ssl.create_default_context()
_TRUSTED.set_alpn_protocols(["http/1.1"])

_NO_HTTP: Final = "the other side does not speak HTTP"


def open_session(deadline: float = DEADLINE) -> ClientSession:
    """A session without memory of cookies or connections: requests are minutes apart. It checks certificates.

    To be called in the event loop, and closed.
    """
    return ClientSession(
        connector=TCPConnector(force_close=True, ssl=_TRUSTED),
        cookie_jar=DummyCookieJar(),
        timeout=ClientTimeout(total=deadline),
        headers={"User-Agent": f"statusproxy/{__version__}"},
        auto_decompress=False,
    )


async def finish(response: ClientResponse) -> None:
    """Read what is left of an answer, within bounds. What goes wrong now changes nothing: its status is known."""
    try:
        await response.content.read(_READ)
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    response.close()


def error_words(error: aiohttp.ClientError | TimeoutError | OSError | ValueError) -> str:
    """What an error of a request means, without its URL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return in_words(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return in_words(error.os_error)
    if isinstance(error, asyncio.TimeoutError | ConnectionError):
        return in_words(error)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return "the other side closed the connection"
    if isinstance(error, aiohttp.InvalidURL):
        return "the URL cannot be used"
    if isinstance(error, OSError) and error.errno:
        return in_words(error)
    return _NO_HTTP
