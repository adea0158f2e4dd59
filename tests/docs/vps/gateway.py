"""A gateway as far as the runbook needs one, on the standard library alone: it lists two sessions, connected for ever.

gateway.py PORT SECRET ADDRESS...

`POST /api/webhooks` sets the URL to which each of the engine's webhooks is passed on, as the real one's outbox does.
"""

import http.server
import json
import ssl
import sys
import threading
import urllib.parse
import urllib.request


class Gateway(http.server.BaseHTTPRequestHandler):
    """The list, the health, the webhooks; everything under `/api/` wants the secret."""

    protocol_version = "HTTP/1.1"
    secret = ""
    outbox: tuple[str, str] | None = None
    trusted = ssl.create_default_context()  # once: reading all authorities for each webhook takes the processor

    def do_GET(self) -> None:
        """The list, or the health."""
        if self.path == "/health":
            self._answer(200, {"status": "ok"})
        elif not self._may():
            self._answer(401, {"success": False, "error": "Unauthorized"})
        elif self.path == "/api/channels":
            channels = [{"id": name, "name": name, "status": "connected"} for name in ("sales", "support")]
            self._answer(200, {"success": True, "channels": channels, "total": len(channels)})
        else:
            self._answer(404, {"success": False, "error": "Route not found"})

    def do_POST(self) -> None:
        """The engine's webhook, which is passed on; or the URL to pass it on to."""
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))
        if self.path == "/v1/webhooks/receive":
            self._answer(200, {"success": True, "received": True})
            if Gateway.outbox is not None and body["event"] == "onpresencechanged":
                threading.Thread(target=self._pass_on, args=(*Gateway.outbox, body)).start()
        elif self.path == "/api/webhooks" and self._may():
            Gateway.outbox = body["url"], body.get("secret", "")
            self._answer(200, {"success": True, "webhook": {"url": body["url"]}})
        else:
            self._answer(401, {"success": False, "error": "Unauthorized"})

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""

    def _may(self) -> bool:
        return self.headers.get("X-Gateway-Secret") == self.secret

    @classmethod
    def _pass_on(cls, url: str, secret: str, raw: dict[str, object]) -> None:
        event = {"event": "connection.update", "session": {"id": raw["session"]}, "raw": {"payload": raw}}
        headers = {"Content-Type": "application/json", "X-Gateway-Secret": secret}
        request = urllib.request.Request(url, json.dumps(event).encode(), headers)
        urllib.request.urlopen(request, timeout=10, context=cls.trusted).read()

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port, Gateway.secret, *addresses = sys.argv[1:]
    for address in addresses:
        server = http.server.ThreadingHTTPServer((address, int(port)), Gateway)
        threading.Thread(target=server.serve_forever).start()
