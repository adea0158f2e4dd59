"""What a parser of requests makes of bytes, put together for a test to look at."""

from typing import Any, Literal

from statusproxy.proxy.http1.refusals import Refusal
from statusproxy.proxy.http1.request_parser import END, SWITCHED, Event, HeadLimits, RequestHead, RequestParser

HOST = b"Host: proxy.example\r\n"


class Reading:
    """What a parser makes of bytes that come in pieces: the requests, or what was refused, each with its body."""

    def __init__(
        self,
        *,
        target: int = 100,
        head: int = 400,
        fields: int = 8,
        underscores_in_headers: Literal["pass", "drop"] = "pass",
    ) -> None:
        limits = HeadLimits(target=target, head=head, headers=fields, underscores_in_headers=underscores_in_headers)
        self.parser = RequestParser(limits)
        self.messages: list[Any] = []
        self.bodies: list[bytes] = []
        self.whole: list[bool] = []
        self.broken: list[bool] = []

    def feed(self, *pieces: bytes, requests: int = 10, chunks: int = 1000) -> "Reading":
        for piece in pieces:
            for event in self.parser.feed(piece, requests, chunks):
                self._take(event)
        return self

    def _take(self, event: Event) -> None:
        open_body = bool(self.messages) and not self.whole[-1]
        if isinstance(event, bytes):
            assert open_body
            assert event
            self.bodies[-1] += event
        elif event is END:
            assert open_body
            self.whole[-1] = True
        elif event is SWITCHED:
            assert not open_body
        elif isinstance(event, Refusal) and open_body:
            self.broken[-1] = True
        else:
            assert not open_body
            self.messages.append(event)
            self.bodies.append(b"")
            self.whole.append(not (isinstance(event, RequestHead) and event.has_body))
            self.broken.append(False)

    @property
    def switched(self) -> bool:
        return self.parser.switched

    @property
    def head(self) -> RequestHead:
        (message,) = self.messages
        assert isinstance(message, RequestHead)
        return message

    @property
    def code(self) -> str:
        refused = self.messages[-1]
        assert isinstance(refused, Refusal), refused
        return refused.code

    def body(self, which: int = 0) -> bytes:
        """What has come of a body; its end must have come as well."""
        assert self.whole[which]
        return self.bodies[which]


def request(*lines: bytes, start: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join([start, b"Host: proxy.example", *lines, b"", b""])


def chunked(body: bytes) -> bytes:
    return request(b"Transfer-Encoding: chunked", start=b"POST / HTTP/1.1") + body


def verdict(pieces: list[bytes]) -> list[Any]:
    """What is made of bytes that come in these pieces: each request with its body, and what was refused."""
    got = Reading(target=100, head=400, fields=8).feed(*pieces)
    found: list[Any] = [got.switched, got.parser.take_rest()]
    for message, body, whole, broken in zip(got.messages, got.bodies, got.whole, got.broken, strict=True):
        if isinstance(message, Refusal):
            found.append(message)
        else:
            found.append((message.method, message.target, message.headers, "broken" if broken else (body, whole)))
    return found


GET = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /b HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\n"


def wide() -> HeadLimits:
    return HeadLimits(target=1000, head=4000, headers=50)
