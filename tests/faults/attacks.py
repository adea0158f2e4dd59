"""What attackers and misbehaving clients send. Each runs in a process of its own, bounded in bytes and in time.

Every function takes the proxied port and gives how much it did, as JSON.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import resource
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from tests.faults import scenes
from tests.faults.wire import Client, WireError, connect, head, request

KIB: Final = 1024
MIB: Final = 1024 * KIB

_WEBHOOK: Final = "/v1/webhooks/receive"

#: Seconds an attacker waits for any one thing.
_PATIENCE: Final = 10.0


def _paced(sock: socket.socket, block: bytes, *, rate: int, seconds: float) -> int:
    """Send `block` again and again at `rate` bytes a second; the bytes sent until the time is over or it is refused."""
    sock.settimeout(0.2)
    begun, sent, left = time.monotonic(), 0, b""
    while (passed := time.monotonic() - begun) < seconds:
        if sent > rate * passed:
            time.sleep(0.005)
            continue
        left = left or block
        try:
            done = sock.send(left)
        except TimeoutError:
            continue
        except OSError:
            break
        sent, left = sent + done, left[done:]
    return sent


def empty_lines(port: int, seconds: float, rate: int) -> Any:
    """A connection that sends nothing but empty lines, as many at once as the proxy reads at once."""
    with connect(port) as sock:
        return {"bytes": _paced(sock, b"\r\n" * (128 * KIB), rate=rate, seconds=seconds)}


def one_byte_chunks(port: int, seconds: float, rate: int, senders: int) -> Any:
    """Uploads in chunks of one byte, `rate` bytes a second in all."""
    sent: list[int] = []

    def send() -> None:
        with connect(port) as sock:
            sock.sendall(head("POST", "/upload", [("Transfer-Encoding", "chunked")]))
            sent.append(_paced(sock, b"1\r\nx\r\n" * 2048, rate=rate // senders, seconds=seconds))

    threads = [threading.Thread(target=send) for _ in range(senders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"bytes": sum(sent)}


def pipelined(port: int, seconds: float, rate: int) -> Any:
    """Requests that the proxy answers by itself, one behind the other; a thread reads the answers."""
    with connect(port) as sock:

        def read() -> None:
            try:
                while sock.recv(65536):
                    pass
            except OSError:
                pass

        reader = threading.Thread(target=read)
        small = head("OPTIONS", "*", [("Max-Forwards", "0")])
        sock.settimeout(_PATIENCE)
        reader.start()
        sent = _paced(sock, small * 512, rate=rate, seconds=seconds)
        sock.shutdown(socket.SHUT_RDWR)
        reader.join()
        return {"bytes": sent}


def endless_upload_trailers(port: int, seconds: float, rate: int) -> Any:
    """Uploads whose trailers do not end, one after the other: each is refused soon."""
    sent, end = 0, time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with connect(port) as sock, contextlib.suppress(OSError):
            sock.sendall(head("POST", "/upload", [("Transfer-Encoding", "chunked")]) + b"5\r\nhello\r\n0\r\n")
            sent += _paced(sock, b"X-Trailer: " + b"t" * 1000 + b"\r\n", rate=rate, seconds=left)
    return {"bytes": sent}


def posts(port: int, target: str, body: str, coding: str, seconds: float, senders: int) -> Any:
    """Post one of `BODIES` again and again, `senders` at a time."""
    sent = request("POST", target, BODIES[body](coding), _fields(coding))
    return _repeat(port, sent, seconds, senders)


def gets(port: int, target: str, seconds: float, senders: int) -> Any:
    """Ask for one thing again and again, `senders` at a time."""
    return _repeat(port, request("GET", target), seconds, senders)


def asks_and_never_reads(port: int, target: str, seconds: float) -> Any:
    """Ask for one thing, and read nothing of the answer."""
    with connect(port, read_buffer=4096) as sock:
        sock.sendall(request("GET", target))
        time.sleep(seconds)
    return {}


def scrapes(port: int, seconds: float) -> Any:
    """Scrape the admin listener at `port`, and load its page's data, again and again."""
    end, done = time.monotonic() + seconds, 0
    with Client(port, patience=_PATIENCE) as client:
        while time.monotonic() < end:
            for path in ("/metrics", "/sessions"):
                client.ask("GET", path)
                done += 1
            with connect(port, patience=_PATIENCE) as page:
                page.sendall(request("GET", "/events"))
                page.recv(64 * KIB)
    return {"scrapes": done}


def _fields(coding: str) -> list[tuple[str, str]]:
    return [("Content-Type", "application/json"), *([("Content-Encoding", coding)] if coding else [])]


def _repeat(port: int, sent: bytes, seconds: float, senders: int) -> dict[str, int]:
    """One request on each of some connections, round after round, without waiting for one before the next."""
    end = time.monotonic() + seconds
    statuses: dict[str, int] = {}
    while time.monotonic() < end:
        clients: list[Client] = []
        try:
            for _ in range(senders):
                clients.append(Client(port, patience=_PATIENCE))
                clients[-1].send(sent)
            for client in clients:
                said = str(client.answer().status)
                statuses[said] = statuses.get(said, 0) + 1
        except (OSError, WireError) as error:
            said = type(error).__name__
            statuses[said] = statuses.get(said, 0) + 1
        finally:
            for client in clients:
                client.close()
    return statuses


# ---- bodies ----


def _folded(document: Iterator[bytes], coding: str) -> bytes:
    """A document in a content coding, made piece by piece."""
    if coding in {"br", "zstd"}:
        return scenes.coded(b"".join(document), coding)
    folder = zlib.compressobj(9, wbits=31)
    return b"".join([*(folder.compress(piece) for piece in document), folder.flush()])


def _media(coding: str) -> bytes:
    """63 MiB of one character in one string, as a create request or a webhook: 64 KB in gzip."""
    return _folded(_document(b"A" * MIB, 63), coding)


def _backslashes(coding: str) -> bytes:
    """60 MiB of escaped backslashes in one string."""
    return _folded(_document(rb"\\" * (MIB // 2), 60), coding)


def _quotes(coding: str) -> bytes:
    """60 MiB of escaped quotes in one string."""
    return _folded(_document(rb"\"" * (MIB // 2), 60), coding)


def _document(piece: bytes, pieces: int) -> Iterator[bytes]:
    yield b'{"channel":"bomb","event":"onmessage","session":"probed","body":"'
    for _ in range(pieces):
        yield piece
    yield b'"}'


def _plain_escapes(_: str) -> bytes:
    """10 MiB of escapes in one string, in no coding: a large message."""
    return b"".join(_document(rb"\"" * (MIB // 2), 10))


def _members(_: str) -> bytes:
    """An event in gzip, split into two members."""
    text = json.dumps({"event": "status-find", "session": "sales", "status": "disconnectedMobile"}).encode()
    return gzip.compress(text[:20], mtime=0) + gzip.compress(text[20:], mtime=0)


def _empty_members(_: str) -> bytes:
    """An event behind 50 000 empty gzip members."""
    text = json.dumps({"event": "status-find", "session": "probed", "status": "inChat"}).encode()
    return gzip.compress(b"", mtime=0) * 50_000 + gzip.compress(text, mtime=0)


BODIES: Final[dict[str, Callable[[str], bytes]]] = {
    "media": _media,
    "backslashes": _backslashes,
    "quotes": _quotes,
    "plain-escapes": _plain_escapes,
    "members": _members,
    "empty-members": _empty_members,
}


# ---- many connections ----


def allow_open_files(descriptors: int) -> None:
    """Have this process open so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors if hard < 0 else min(descriptors, hard), hard))


def half_sent(port: int, count: int, seconds: float, source: str, said_from: str, drip: int) -> Any:
    """POSTs that announce a megabyte and send `drip` bytes a second of it.

    `source` is the address they come from; `said_from` is what a proxy in front would write to `X-Forwarded-For`.
    """
    allow_open_files(count + 64)
    fields = [("Content-Length", str(MIB))]
    if said_from:
        fields.append(("X-Forwarded-For", said_from))
    opening = head("POST", "/upload", fields) + b"x"
    return _hold(port, count, seconds, source, opening, drip=b"x" * drip)


def slow_readers(port: int, count: int, seconds: float, source: str, size: int) -> Any:
    """Downloads of `size` bytes of which 9 bytes a second are read."""
    allow_open_files(count + 64)
    opening = request("GET", f"/bytes/{size}")
    return _hold(port, count, seconds, source, opening, sip=9, read_buffer=4096)


def silent(port: int, count: int, seconds: float, source: str) -> Any:
    """Connections that say nothing."""
    allow_open_files(count + 64)
    return _hold(port, count, seconds, source, b"")


def idle(port: int, count: int, seconds: float, source: str) -> Any:
    """Connections that asked for something once, and then say nothing."""
    allow_open_files(count + 64)
    return _hold(port, count, seconds, source, request("GET", "/ping"), sip=64 * KIB)


def _hold(
    port: int,
    count: int,
    seconds: float,
    source: str,
    opening: bytes,
    *,
    drip: bytes = b"",
    sip: int = 0,
    read_buffer: int = 0,
) -> dict[str, int]:
    """Open `count` connections, send each `opening`, then each second `drip`, and read `sip` bytes; see who is left."""
    held: list[socket.socket] = []
    refused = dropped = 0
    begun = time.monotonic()
    for _ in range(count):
        if time.monotonic() - begun > seconds:
            break
        try:
            sock = connect(port, source=source, patience=2.0, read_buffer=read_buffer)
            if opening:
                sock.sendall(opening)
        except OSError:
            refused += 1
            continue
        sock.setblocking(False)
        held.append(sock)
    opened = len(held)
    while time.monotonic() - begun < seconds:
        alive = [sock for sock in held if _still(sock, drip, sip)]
        dropped += len(held) - len(alive)
        held = alive
        time.sleep(max(0.0, min(1.0, begun + seconds - time.monotonic())))
    for sock in held:
        sock.close()
    return {"opened": opened, "refused": refused, "dropped": dropped, "seconds": round(time.monotonic() - begun)}


def _still(sock: socket.socket, drip: bytes, sip: int) -> bool:
    """Whether a held connection is still open, after sending and reading a little."""
    try:
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise ConnectionResetError  # `recv` would tell only behind what lies in the buffer
        if drip:
            sock.send(drip)
        if sip and not sock.recv(sip):
            raise ConnectionResetError
    except BlockingIOError:
        return True
    except OSError:
        sock.close()
        return False
    return True


def greedy(port: int, target: str, clients: int, ahead: int, seconds: float) -> Any:
    """Clients that send `ahead` requests before the first is answered, and one more with each answer (pipelining)."""
    answered: dict[str, int] = {}
    end = time.monotonic() + seconds
    sent = request("GET", target)

    def ask_on() -> None:
        with Client(port, patience=_PATIENCE) as client:
            client.send(sent * ahead)
            while time.monotonic() < end:
                said = str(client.answer().status)
                answered[said] = answered.get(said, 0) + 1
                client.send(sent)

    threads = [threading.Thread(target=ask_on, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + _PATIENCE)
    return answered


def crowd(port: int, count: int, seconds: float, source: str) -> Any:
    """Clients that all ask in the same moment, and again when all have their answers."""
    allow_open_files(count + 64)
    statuses: dict[str, int] = {}
    sent, end = request("GET", "/ping"), time.monotonic() + seconds
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(Client(port, source=source, patience=_PATIENCE)) for _ in range(count)]
        while time.monotonic() < end:
            for client in clients:
                client.send(sent)
            for client in clients:
                said = str(client.answer().status)
                statuses[said] = statuses.get(said, 0) + 1
    return statuses


# ---- events ----


def events(port: int, bodies: Sequence[dict[str, str]], connections: int, seconds: float) -> Any:
    """Post these events, spread over some connections, each with one request after the other."""
    statuses: dict[str, int] = {}
    end = time.monotonic() + seconds
    clients = [Client(port, patience=_PATIENCE) for _ in range(connections)]
    sent = 0
    for at in range(0, len(bodies), connections):
        if time.monotonic() > end:
            break
        batch = list(zip(clients, bodies[at : at + connections], strict=False))
        for client, body in batch:
            client.send(request("POST", _WEBHOOK, json.dumps(body).encode(), _fields("")))
        for client, _ in batch:
            said = str(client.answer().status)
            statuses[said] = statuses.get(said, 0) + 1
            sent += 1
    for client in clients:
        client.close()
    return {"sent": sent, "statuses": statuses}


def made_up(port: int, count: int, connections: int, seconds: float) -> Any:
    """Disconnects of `count` sessions that do not exist."""
    bodies = [{"event": "status-find", "session": f"made-up-{n}", "status": "browserClose"} for n in range(count)]
    return events(port, bodies, connections, seconds)


def falling(port: int, count: int, connections: int, seconds: float, first: int = 0) -> Any:
    """Disconnects of the sessions `c0`, `c1`, … of the stand-in's list."""
    numbers = range(first, first + count)
    bodies = [{"event": "status-find", "session": f"c{n}", "status": "disconnectedMobile"} for n in numbers]
    return events(port, bodies, connections, seconds)
