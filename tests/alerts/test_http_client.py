"""Errors of requests in words that repeat no URL; certificates are checked against those that the system trusts."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from statusproxy.alerts.http_client import error_words
from tests.certificates import make_certificate

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


#: Imports what the service imports, as it does; then asks a server with this certificate.
ASKING = """
import asyncio, ssl, sys, types

async def ask(certificate, key):
    from statusproxy.alerts.http_client import error_words, open_session
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server, open_session() as session:
        try:
            await session.get(f"https://localhost:{server.sockets[0].getsockname()[1]}/")
        except OSError as error:
            print(error_words(error))

certificate, key = sys.argv[1:]
sys.argv[1:] = ["run"]
import statusproxy.cli
stand_in = types.ModuleType("statusproxy.cli.commands")
stand_in.main = lambda: asyncio.run(ask(certificate, key))
sys.modules["statusproxy.cli.commands"] = statusproxy.cli.commands = stand_in
from statusproxy.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(("trusted", "words"), [(True, "ostname mismatch"), (False, "self-signed certificate")])
def test_the_service_trusts_the_certificates_that_the_system_does(trusted: bool, words: str, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    environment = {**os.environ, "SSL_CERT_FILE": str(certificate)} if trusted else None
    done = subprocess.run(
        [sys.executable, "-c", ASKING, str(certificate), str(key)],
        capture_output=True, text=True, check=True, timeout=60, env=environment,
    )  # fmt: skip
    assert done.stdout.startswith("the certificate is not trusted: ")
    assert words in done.stdout
