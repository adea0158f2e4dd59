"""Errors of requests in words that repeat no URL."""

import socket

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from statusproxy.alerts.http_client import error_words

KEY = ConnectionKey("hub.example", 443, True, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (aiohttp.ClientConnectorError(KEY, ConnectionRefusedError(111, "x")), "connection refused"),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "x")),
            "the host name is unknown",
        ),
        (TimeoutError(), "no answer in time"),
        (aiohttp.ServerTimeoutError("http://hub.example/s3cret"), "no answer in time"),
        (aiohttp.ServerDisconnectedError(), "the other side closed the connection"),
        (aiohttp.ClientPayloadError("x"), "the other side closed the connection"),
        (aiohttp.InvalidURL("http://hub.example/s3cret"), "the URL cannot be used"),
        (OSError(113, "x"), "no route to that host"),
        (OSError("http://hub.example/s3cret"), "the other side does not speak HTTP"),
        (ValueError("http://hub.example/s3cret"), "the other side does not speak HTTP"),
    ],
)
def test_an_error_is_told_in_words_without_the_url(
    error: aiohttp.ClientError | TimeoutError | OSError | ValueError, words: str
) -> None:
    assert error_words(error).startswith(words)
    assert "s3cret" not in error_words(error)
