"""A gateway of one list, for tests that need no more: inside a test, or as a program on a machine with only Python.

gateway.py PORT [--total TOTAL] [--secret SECRET] [--at ADDRESS]...
"""

import argparse
import json
import ssl
import threading
import urllib.request
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Gateway:
    """Answers every GET with `document`, and takes every POST without learning anything from it.

    With a `secret` it is as strict as the real one: `/health` is for all, the list for those who know the secret. And
    `POST /api/webhooks` sets the URL to which the engine's webhooks are passed on, as the real one's outbox does.
    """

    def __init__(
        self, document: Any, *, secret: str | None = None, port: int = 0, addresses: Sequence[str] = ("127.0.0.1",)
    ) -> None:
        self.document = document
        self.secret = secret
        self.outbox: tuple[str, str] | None = None
        """The hub's URL, and the secret that it wants."""
        # Once: reading all authorities for each webhook takes the processor.
        self._trusted = None if secret is None else ssl.create_default_context()
        self._servers = [_Server((address, port), partial(_Handler, self)) for address in addresses]
        self.url = f"http://{addresses[0]}:{self._servers[0].server_port}"
        self._threads = [
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}) for server in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop accepting connections."""
        for server, thread in zip(self._servers, self._threads, strict=True):
            if thread.is_alive():
                server.shutdown()
                thread.join()
                server.server_close()

    def shown(self, path: str, secret: str | None) -> tuple[int, Any]:
        """What it answers to a GET: the status and the document."""
        if self.secret is None:
            return 200, self.document
        if path == "/health":
            return 200, {"status": "ok"}
        if secret != self.secret:
            return 401, {"success": False, "error": "Unauthorized"}
        if path == "/api/channels":
            return 200, self.document
        return 404, {"success": False, "error": "Route not found"}

    def told(self, path: str, secret: str | None, body: bytes) -> tuple[int, Any]:
        """What it answers to a POST: the status and the document."""
        if self.secret is None:
            return 200, {"success": True, "received": True}
        document = json.loads(body)
        if path == "/v1/webhooks/receive":
            return 200, {"success": True, "received": True}
        if path == "/api/webhooks" and secret == self.secret:
            self.outbox = document["url"], document.get("secret", "")
            return 200, {"success": True, "webhook": {"url": document["url"]}}
        return 401, {"success": False, "error": "Unauthorized"}

    def answered(self, path: str, body: bytes) -> None:
        """What it does once a POST was answered: pass a webhook on."""
        if self.outbox is None or path != "/v1/webhooks/receive":
            return
        document = json.loads(body)
        if document["event"] == "onpresencechanged":
            threading.Thread(target=self._pass_on, args=(*self.outbox, document)).start()

    def _pass_on(self, url: str, secret: str, raw: dict[str, object]) -> None:
        event = {"event": "connection.update", "session": {"id": raw["session"]}, "raw": {"payload": raw}}
        headers = {"Content-Type": "application/json", "X-Gateway-Secret": secret}
        request = urllib.request.Request(url, json.dumps(event).encode(), headers)
        urllib.request.urlopen(request, timeout=10, context=self._trusted).read()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, gateway: Gateway, *given: Any) -> None:
        self._gateway = gateway
        super().__init__(*given)

    def do_GET(self) -> None:
        self._answer(*self._gateway.shown(self.path, self.headers.get("X-Gateway-Secret")))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer(*self._gateway.told(self.path, self.headers.get("X-Gateway-Secret"), body))
        self._gateway.answered(self.path, body)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        pass

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """List two sessions, connected for ever; `--total` tells one gateway from another."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--total", type=int, default=2)
    parser.add_argument("--secret")
    parser.add_argument("--at", action="append", metavar="ADDRESS")
    given = parser.parse_args()
    channels = [{"id": name, "name": name, "status": "connected"} for name in ("sales", "support")]
    document = {"success": True, "channels": channels, "total": given.total}
    Gateway(document, secret=given.secret, port=given.port, addresses=given.at or ["127.0.0.1"])


if __name__ == "__main__":
    main()
