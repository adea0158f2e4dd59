"""Faults A: state of a connection that survives into the next exchange."""

from __future__ import annotations

import socket
import time
from typing import Final

from tests.faults.fault import Fault, Measured
from tests.faults.program import Program
from tests.faults.stage import Stage
from tests.faults.waits import Sample, allowed, summary
from tests.faults.wire import Client, WireError, ask, connect, head, request

#: Sizes around every buffer limit on an answer's way, in bytes: what the proxy holds (512 KiB), a read of the loop
#: (256 KiB), and those that once hung.
_SIZES: Final = (
    65_536, 262_144, 524_287, 524_288, 524_289, 540_000, 570_000, 600_000, 655_359, 655_360, 700_000, 780_000,
    786_432, 1_048_576, 1_078_576, 1_310_720, 2_097_152,
)  # fmt: skip
_QUICK_SIZES: Final = (524_289, 540_000, 600_000, 655_359, 700_000, 1_078_576)

#: Seconds after which an answer counts as one that never comes, and hangs after which it is clear enough.
_HANGS: Final = 3.0
_ENOUGH: Final = 3

#: Bytes of a body of which more is to come: more than what is waited for before a place at the gateway is taken.
_BEGUN: Final = 100_000

#: Seconds after which a connection that should have ended counts as held.
_LET_GO: Final = 5.0

#: Seconds below which no wait is too long here: these faults made clients wait until they gave up, and run beside other
#: tests, so that the machine may pause.
_FLOOR: Final = 1.0


def large_answer(stage: Stage) -> None:
    """Ask for a large answer and then for something else, on one connection to the gateway."""
    proxy = stage.proxy()
    sizes, rounds = stage.size((_SIZES, 6), (_QUICK_SIZES, 3))
    asked = [f"/bytes/{size}" for size in sizes] + ["/api/channels?channels=3&pad=190000"]
    before = proxy.use()
    after: list[Sample] = []
    wrong = 0
    client = Client(proxy.port, patience=_HANGS)
    idle = [_timed(client, _next(number)) for number in range(40)]
    for number in range(rounds):
        for target in asked:
            large = client.ask("GET", target)
            wrong += large.status != 200 or not large.body
            sample = _timed(client, _next(number))
            after.append(sample)
            if sample.outcome != "ok":
                client.close()
                client = Client(proxy.port, patience=_HANGS)
        if sum(sample.outcome != "ok" for sample in after) >= _ENOUGH:
            break
    client.close()
    quiet = summary(idle)
    stage.waited("next", Measured(quiet, summary(after), allowed(quiet, floor=_FLOOR)))
    stage.check("large answers that were wrong", wrong == 0, wrong, 0)
    stage.grew(before, proxy.peak(), proxy.use())


def _next(number: int) -> bytes:
    """What follows the large answer: in turn a list, a POST and a webhook."""
    return (
        request("GET", "/api/channels"),
        request("POST", "/echo", b"x" * 100),
        request("POST", "/v1/webhooks/receive", b'{"event":"status-find","session":"probed","status":"inChat"}'),
    )[number % 3]


def _timed(client: Client, sent: bytes) -> Sample:
    begun = time.monotonic()
    try:
        client.send(sent)
        status = client.answer().status
        outcome = "ok" if status == 200 else str(status)
    except TimeoutError:
        outcome = "timeout"
    except (OSError, WireError) as error:
        outcome = str(error)
    return Sample("next", begun, time.monotonic() - begun, outcome)


def tunnel_with_body(stage: Stage) -> None:
    """Switch protocols while the request's body is still coming, end the tunnel, and see when the client is let go."""
    proxy = stage.proxy()
    before = proxy.use()
    idle = summary([_tunnel(proxy, []) for _ in range(6)])
    part = b"x" * _BEGUN
    length = _tunnel(proxy, [("Content-Length", "1000000")], part)
    chunked = _tunnel(proxy, [("Transfer-Encoding", "chunked")], b"%x\r\n%b\r\n" % (len(part), part))
    beside = summary([length, chunked])
    stage.waited("end of the tunnel", Measured(idle, beside, allowed(idle, floor=_FLOOR)))
    stage.grew(before, proxy.peak(), proxy.use())


def _tunnel(proxy: Program, fields: list[tuple[str, str]], part: bytes = b"") -> Sample:
    """Open a tunnel that the gateway ends at once; how long the client's connection lived on."""
    with connect(proxy.port, patience=_LET_GO) as sock:
        opening = head("GET", "/tunnel/over", [("Connection", "Upgrade"), ("Upgrade", "echo"), *fields])
        begun = time.monotonic()
        sock.sendall(opening + part)
        outcome = "ok"
        try:
            while sock.recv(65536):
                pass
        except TimeoutError:
            outcome = "timeout"
        except ConnectionError:
            pass  # reset is an end as well
        else:
            # The proxy has ended its half. It must let go of ours as well, without being told.
            outcome = _let_go(sock)
        return Sample("tunnel", begun, time.monotonic() - begun, outcome)


def _let_go(sock: socket.socket) -> str:
    """Write until the peer says that no one is there any more (a few seconds at most)."""
    end = time.monotonic() + _LET_GO
    while time.monotonic() < end:
        try:
            sock.sendall(b"x")
        except OSError:
            return "ok"
        time.sleep(0.01)
    return "timeout"


def left_behind(stage: Stage) -> None:
    """Refuse, cancel and answer early, and see what is left of it on the client's side."""
    proxy = stage.proxy(limits={"upstream_connections": 16, "body": 4 * 1024 * 1024})
    idle = [_fresh(proxy) for _ in range(30)]
    before = proxy.use()
    rounds = stage.size(60, 20)
    held: list[Client] = []
    wrong = 0
    for _ in range(rounds):
        held += [_early(proxy), _refused(proxy), _broken(proxy)]
        _cancelled(proxy)
        wrong += not _followed(proxy) or not _declined(proxy)
    after = [_fresh(proxy) for _ in range(30)]
    for client in held:
        client.close()
    quiet = summary(idle)
    stage.waited("fresh", Measured(quiet, summary(after), allowed(quiet, floor=_FLOOR)))
    stage.check("answers that were another request's", wrong == 0, wrong, 0)
    ended = stage.until(lambda: proxy.use().descriptors <= before.descriptors + 16, 3.0)
    stage.check("sockets let go of within 3 s", ended, proxy.use().descriptors - before.descriptors, "at most 16")
    stage.grew(before, proxy.peak(), proxy.use())
    stage.truthful(proxy)


def _fresh(proxy: Program) -> Sample:
    begun = time.monotonic()
    try:
        status = ask(proxy.port, "POST", "/echo", b"x" * 100).status
        outcome = "ok" if status == 200 else str(status)
    except (OSError, WireError) as error:
        outcome = type(error).__name__
    return Sample("fresh", begun, time.monotonic() - begun, outcome)


def _early(proxy: Program) -> Client:
    """An upload that is answered 413 before it has come, and does not go on."""
    client = Client(proxy.port, patience=_HANGS)
    client.send(head("POST", "/early", [("Content-Length", "1000000")]) + b"x" * _BEGUN)
    client.answer()
    return client


def _refused(proxy: Program) -> Client:
    """A body that is larger than `limits.body`."""
    client = Client(proxy.port, patience=_HANGS)
    client.send(head("POST", "/upload", [("Content-Length", "100000000")]) + b"x" * 1000)
    client.answer()
    return client


def _broken(proxy: Program) -> Client:
    """Chunks that are broken."""
    client = Client(proxy.port, patience=_HANGS)
    client.send(head("POST", "/upload", [("Transfer-Encoding", "chunked")]) + b"5\r\nhello\r\nzz\r\n")
    client.answer()
    return client


def _cancelled(proxy: Program) -> None:
    """An upload and a download that their client breaks off."""
    with Client(proxy.port) as client:
        client.send(head("POST", "/upload", [("Content-Length", "1000000")]) + b"x" * 1000)
    download = Client(proxy.port)
    download.send(request("GET", "/bytes/2000000"))
    download.sock.recv(1000)
    download.reset()


def _followed(proxy: Program) -> bool:
    """Whether a request behind one that was answered early gets its own answer, or the connection's end."""
    with Client(proxy.port, patience=_HANGS) as client:
        client.send(head("POST", "/early", [("Content-Length", str(2 * _BEGUN))]) + b"x" * _BEGUN)
        early = client.answer()
        if early.status != 413:
            return False
        try:
            client.send(b"x" * _BEGUN + request("GET", "/ping", fields=[("X-Serial", "mine")]))
            answer = client.answer()
        except (OSError, WireError):
            return True
        return answer.status == 200 and answer.fields.get("x-serial") == "mine"


def _declined(proxy: Program) -> bool:
    """Whether the request behind an upgrade that was asked for with a body, and declined, gets its own answer."""
    with Client(proxy.port, patience=_HANGS) as client:
        upgrade = [("Connection", "Upgrade"), ("Upgrade", "echo"), ("Content-Length", "100")]
        client.send(head("POST", "/echo", upgrade) + b"x" * 50)
        client.send(b"x" * 50 + request("GET", "/ping", fields=[("X-Serial", "mine")]))
        try:
            declined, answer = client.answer(), client.answer()
        except (OSError, WireError):
            return False
        return declined.status == 200 and answer.status == 200 and answer.fields.get("x-serial") == "mine"


FAULTS: Final = (
    Fault(
        item="A1",
        name="large-answer",
        what="An answer of about 530 to 700 kB arrived at once. The connection returned to the pool with reading "
        "paused, and the next request on it waited two minutes although its answer was there",
        how="Request answers of sizes around every buffer limit, each followed by a list, a POST or a webhook",
        sees="The next request is answered as fast as any other",
        run=large_answer,
    ),
    Fault(
        item="A2",
        name="tunnel-with-body",
        what="A tunnel began while its request's body was still arriving, and then held the client's socket for 10 s",
        how="Request an upgrade with a body, send a part of the body, let the gateway end the tunnel",
        sees="The connection ends when the tunnel ends",
        run=tunnel_with_body,
    ),
    Fault(
        item="A3",
        name="left-behind",
        what="Refused, cancelled or early-answered requests left state behind on the client's connection",
        how="Answer uploads early, refuse them by size and by framing, abort uploads and downloads, then send more "
        "requests",
        sees="Each client gets only its own answers; sockets are free within 3 s",
        run=left_behind,
    ),
)
