"""A gateway as far as this test needs one, on the standard library alone: it lists two sessions, connected for ever.

gateway.py PORT TOTAL
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Gateway(BaseHTTPRequestHandler):
    """Answers the list, and takes webhooks without learning anything from them."""

    protocol_version = "HTTP/1.1"
    total = 2

    def do_GET(self) -> None:
        """The list; `total` tells one stand-in from another."""
        channels = [{"id": name, "name": name, "status": "connected"} for name in ("sales", "support")]
        self._answer({"success": True, "channels": channels, "total": self.total})

    def do_POST(self) -> None:
        """A webhook."""
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer({"success": True, "received": True})

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, document: object) -> None:
        body = json.dumps(document, separators=(",", ":")).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    Gateway.total = int(sys.argv[2])
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Gateway).serve_forever()
