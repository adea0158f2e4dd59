"""Faults B: work that a peer can make large, per byte, per message, per change."""

from __future__ import annotations

import time
from typing import Final

from tests.faults import attacks, scenes
from tests.faults.fault import Fault
from tests.faults.program import Program
from tests.faults.stage import MIB, WEBHOOK, Stage, escaped, lost
from tests.faults.wire import Client, WireError, ask, head, request

#: Seconds that a fault whose work grows goes on: long enough for the first version to fall behind.
_LASTS: Final = (5.0, 2.0)

#: An address on loopback that is not the ordinary client's.
_ELSEWHERE: Final = "127.0.0.2"

#: Seconds below which no wait is too long beside lists of thousands of channels: half of what others may wait.
_LARGE_LIST: Final = 0.05


def empty_lines(stage: Stage) -> None:
    """One connection that sends nothing but empty lines."""
    proxy = stage.proxy()
    seconds = stage.size(*_LASTS)
    stage.beside(proxy, attacks.empty_lines, at_most=seconds, port=proxy.port, seconds=seconds, rate=1_200_000)


def create_bomb(stage: Stage) -> None:
    """Create requests that decode to 63 MiB, of no one known."""
    _posts(stage, "create", "/api/channels", ("media", "gzip"), senders=8)


def escapes_bomb(stage: Stage) -> None:
    """Create requests and webhooks that decode to 60 MiB of escapes in one string."""
    _posts(stage, "create", "/api/channels", ("backslashes", "gzip"), senders=2)
    _posts(stage, "webhook", WEBHOOK, ("quotes", "gzip"), senders=2)


def webhook_bomb(stage: Stage) -> None:
    """Webhooks of a trusted sender that decode to 63 MiB, and plain ones of 10 MiB of escapes."""
    _posts(stage, "unfolding", WEBHOOK, ("media", "gzip"), senders=4)
    _posts(stage, "plain escapes", WEBHOOK, ("plain-escapes", ""), senders=1)
    if not stage.quick:
        _posts(stage, "empty members", WEBHOOK, ("empty-members", "gzip"), senders=1)


def coded_bomb(stage: Stage) -> None:
    """The same in the other codings, and lists that decode to 31 MiB."""
    for coding in _codings()[: stage.size(2, 1)]:
        _posts(stage, f"{coding} webhook", WEBHOOK, ("media", coding), senders=4)
    proxy = stage.proxy()
    stage.tell(proxy, lost("c0"))
    for coding in ("gzip", *_codings())[-stage.size(3, 1) :]:
        target = f"/api/channels?channels=3&blank={31 * MIB}&coding={coding}"
        _warm(stage, target)
        seconds = stage.size(2.0, 1.0)
        stage.beside(
            proxy, attacks.gets, at_most=seconds, truthful=False, memory=256 * MIB, part=f"{coding} list",
            port=proxy.port, target=target, seconds=seconds, senders=2,
        )  # fmt: skip


def _codings() -> list[str]:
    found = []
    for coding in ("br", "zstd"):
        try:
            scenes.coded(b"{}", coding)
        except ImportError:
            continue
        found.append(coding)
    return found


def _posts(stage: Stage, part: str, target: str, body: tuple[str, str], *, senders: int) -> None:
    proxy = stage.proxy()
    seconds = stage.size(3.0, 1.0)
    stage.beside(
        proxy, attacks.posts, at_most=seconds, part=part,
        port=proxy.port, target=target, body=body[0], coding=body[1], seconds=seconds, senders=senders,
    )  # fmt: skip
    proxy.stop()


def upload_chunks(stage: Stage) -> None:
    """Clients that upload in chunks of one byte, at 5 MB/s in all."""
    proxy = stage.proxy()
    seconds = stage.size(*_LASTS)
    for part, senders in (("one client", 1), ("fifty", 50)):
        stage.beside(
            proxy, attacks.one_byte_chunks, at_most=seconds, part=part,
            port=proxy.port, seconds=seconds, rate=5_000_000, senders=senders,
        )  # fmt: skip


def tiny_requests(stage: Stage) -> None:
    """One client that sends small requests without waiting for an answer, at 5 MB/s."""
    proxy = stage.proxy()
    seconds = stage.size(*_LASTS)
    stage.beside(proxy, attacks.pipelined, at_most=seconds, port=proxy.port, seconds=seconds, rate=5_000_000)


def crowd(stage: Stage) -> None:
    """Clients that are all connected, and all ask at once."""
    proxy = stage.proxy()
    seconds, count = stage.size(*_LASTS), stage.size(500, 200)
    answers = stage.beside(
        proxy, attacks.crowd, at_most=seconds + 5, behind={"pass": count, "list": count},
        port=proxy.port, count=count, seconds=seconds, source=_ELSEWHERE,
    )  # fmt: skip
    stage.check("the crowd is served too", set(answers) == {"200"}, answers, "200 only")


def answer_chunks(stage: Stage) -> None:
    """A gateway that answers in chunks of one byte, as quickly as they are taken."""
    proxy = stage.proxy()
    seconds = stage.size(*_LASTS)
    target = f"/endless/chunks/{stage.size(30, 8) * MIB}"
    stage.beside(
        proxy, attacks.gets, at_most=seconds,
        port=proxy.port, target=target, seconds=seconds, senders=1,
    )  # fmt: skip


def empty_members(stage: Stage) -> None:
    """A list behind 200 000 empty gzip members, and one behind as many zstd frames."""
    proxy = stage.proxy()
    stage.tell(proxy, lost("c0"))
    empties = stage.size(200_000, 30_000)
    seconds = stage.size(3.0, 1.0)
    for coding in ("gzip", *(coding for coding in _codings() if coding == "zstd")):
        target = f"/api/channels?channels=3&coding={coding}&empties={empties}"
        _warm(stage, target)
        stage.beside(
            proxy, attacks.gets, at_most=seconds + 25, truthful=False, part=coding,
            port=proxy.port, target=target, seconds=seconds, senders=1,
        )  # fmt: skip
    stage.truthful(proxy)


def _warm(stage: Stage, target: str) -> None:
    """Have the gateway make an answer before anything is measured."""
    ask(stage.gateway.port, "GET", target)


def endless_trailers(stage: Stage) -> None:
    """A gateway and a hub whose trailers do not end, and a client whose trailers do not."""
    hub = {"path": "/hub/webhook", "forward_to": f"{stage.gateway.url}/endless/trailers/{stage.size(300, 100) * MIB}"}
    proxy = stage.proxy(webhooks=[{"path": WEBHOOK}, hub])
    seconds = stage.size(2.0, 1.0)
    target = f"/endless/trailers/{stage.size(300, 100) * MIB}"
    stage.beside(
        proxy, attacks.gets, at_most=seconds, memory=64 * MIB, part="gateway",
        port=proxy.port, target=target, seconds=seconds, senders=2,
    )  # fmt: skip
    other = stage.proxy(webhooks=[{"path": WEBHOOK}, hub])
    stage.beside(
        other, attacks.posts, at_most=seconds, memory=64 * MIB, part="hub", port=other.port,
        target="/hub/webhook", body="members", coding="gzip", seconds=seconds, senders=2,
    )  # fmt: skip
    stage.beside(
        other, attacks.endless_upload_trailers, at_most=seconds, memory=64 * MIB, part="client",
        port=other.port, seconds=seconds, rate=50_000_000,
    )  # fmt: skip


def endless_interim(stage: Stage) -> None:
    """A gateway that sends interim answers without end, to clients that read them and to one that does not."""
    proxy = stage.proxy()
    seconds = stage.size(2.0, 1.0)
    target = f"/endless/interim/{stage.size(200, 60) * MIB}"
    stage.beside(
        proxy, attacks.gets, at_most=seconds, memory=64 * MIB, part="read",
        port=proxy.port, target=target, seconds=seconds, senders=1,
    )  # fmt: skip
    other = stage.proxy()
    stage.beside(
        other, attacks.asks_and_never_reads, at_most=seconds, memory=64 * MIB, part="unread",
        port=other.port, target=target, seconds=seconds,
    )  # fmt: skip


def bounded_heads(stage: Stage) -> None:
    """Every part of a head beyond its bound, in one segment and in many: both must be answered alike."""
    proxy = stage.proxy(limits={"body": 100_000})
    before = proxy.use()
    chunks = b"".join([b"%x\r\n%b\r\n" % (30_000, b"x" * 30_000)] * 4) + b"0\r\n\r\n"
    large: dict[str, tuple[bytes, set[int]]] = {
        "method": (b"M" * 100_000 + b" / HTTP/1.1\r\nHost: h\r\n\r\n", {400}),
        "target": (request("GET", "/" + "t" * 40_000), {414}),
        "fields": (request("GET", "/", fields=[("X-Large", "f" * 60_000)]), {431}),
        "many fields": (request("GET", "/", fields=[(f"X-{n}", "1") for n in range(400)]), {431}),
        "chunked body": (head("POST", "/echo", [("Transfer-Encoding", "chunked")]) + chunks, {413}),
        "trailers": (
            head("POST", "/echo", [("Transfer-Encoding", "chunked")])
            + b"1\r\nx\r\n0\r\n" + b"X-Trailer: " + b"t" * 200_000 + b"\r\n\r\n",
            {400, 431},
        ),
    }  # fmt: skip
    for what, (sent, wanted) in large.items():
        for segments in (1, 2, 50):
            found = _status_of(proxy, sent, segments)
            stage.check(f"{what} in {segments} segments", found in wanted, found, sorted(wanted))
    for what in ("head", "trailers"):
        try:
            status = ask(proxy.port, "GET", f"/endless/{what}/{4 * MIB}").status
        except (OSError, WireError):
            status = 0  # broken off in mid-answer
        allowed = {"head": {502}, "trailers": {0, 502}}[what]
        stage.check(f"the gateway's {what}", status in allowed, status, sorted(allowed))
    stage.grew(before, proxy.peak(), proxy.use())


def _status_of(proxy: Program, sent: bytes, segments: int) -> int:
    """The status of the answer to `sent`, which goes in so many segments; 0 where there is none."""
    step = -(-len(sent) // segments)
    with Client(proxy.port, patience=5.0) as client:
        try:
            for at in range(0, len(sent), step):
                client.send(sent[at : at + step])
                if segments > 1:
                    time.sleep(0.002)
        except OSError:
            pass  # refused before all of it was sent
        try:
            return client.answer().status
        except (OSError, WireError):
            return 0


def falling(stage: Stage) -> None:
    """300 sessions that fall at once while large lists are kept."""
    count = stage.size(300, 60)
    for channels in stage.size((1000, 4000), (2000,)):
        proxy = stage.proxy()
        with Client(proxy.port) as client:
            client.ask("GET", f"/api/channels?channels={channels}")
        stage.beside(
            proxy, attacks.falling, at_most=15.0, kinds=("pass", "webhook"), behind={"webhook": count},
            part=f"{channels} channels,", port=proxy.port, count=count, connections=count, seconds=15.0,
        )  # fmt: skip
        proxy.stop()


def large_list(stage: Stage) -> None:
    """A list of 10 000 channels, half of which are overridden, asked for again and again."""
    channels = stage.size(10_000, 4000)
    proxy = stage.proxy(sessions={"max_sessions": 20_000})
    attacks.falling(proxy.port, channels // 2, 50, 60.0)
    target = f"/api/channels?channels={channels}"
    _warm(stage, target)
    seconds = stage.size(*_LASTS)
    stage.beside(
        proxy, attacks.gets, at_most=seconds, floor=_LARGE_LIST, times=5.0,
        port=proxy.port, target=target, seconds=seconds, senders=1,
    )  # fmt: skip


def large_channel(stage: Stage) -> None:
    """Lists in which one channel has very many members, or one id stands very often; the session is lost."""
    seconds = stage.size(3.0, 1.0)
    for what, count in {"words": 90_000, "nested": 90_000, "members": 300_000, "repeated": 50_000}.items():
        proxy = stage.proxy()
        stage.tell(proxy, lost(what))
        target = f"/api/channels?crowded={what}&count={stage.size(count, count // 4)}"
        _warm(stage, target)
        stage.beside(
            proxy, attacks.gets, at_most=seconds, floor=_LARGE_LIST, times=5.0, part=what,
            port=proxy.port, target=target, seconds=seconds, senders=1,
        )  # fmt: skip
        stale = ask(proxy.port, "GET", target).body.count(b'"connected"')
        stage.check(f"{what}: words that still say connected", stale == 0, stale, 0)
        proxy.stop()


def scrapes(stage: Stage) -> None:
    """Scrapes and page refreshes while 64 answers are kept, a list of 10 000 channels among them."""
    channels = stage.size(10_000, 4000)
    proxy = stage.proxy(sessions={"max_sessions": 20_000})
    attacks.falling(proxy.port, channels // 2, 50, 60.0)
    with Client(proxy.port) as client:
        client.ask("GET", f"/api/channels?channels={channels}")
        for number in range(60):
            client.ask("GET", f"/api/channels/{escaped(f'c{number}')}")
    seconds = stage.size(*_LASTS)
    stage.beside(
        proxy, attacks.scrapes, at_most=seconds, floor=_LARGE_LIST, times=5.0, kinds=("pass", "webhook"),
        port=proxy.admin_port, seconds=seconds,
    )  # fmt: skip


FAULTS: Final = (
    Fault(
        item="B4",
        name="empty-lines",
        what="The time for a connection that sent only empty lines grew with the square of their number: others "
        "waited 13 to 17 s",
        how="One connection, `\\r\\n` at 1.2 MB/s",
        sees="Other requests are served as usual",
        run=empty_lines,
    ),
    Fault(
        item="B5",
        name="create-bomb",
        what="A create request was decoded before its sender was checked: others waited 4.6 s",
        how="8 senders of 64 KB gzip that decode to 63 MiB, to `POST /api/channels`",
        sees="The gateway's answer; other requests are served as usual",
        run=create_bomb,
    ),
    Fault(
        item="B5",
        name="escapes-bomb",
        what="60 MiB of escapes in one string blocked the event loop for 2 s",
        how='Create requests and webhooks of 61 KB gzip, full of `\\\\` and `\\"`',
        sees="The gateway's answer; other requests are served as usual",
        run=escapes_bomb,
    ),
    Fault(
        item="B5",
        name="webhook-bomb",
        what="The same from trusted senders, and without compression",
        how="Webhooks of 64 KB gzip that decode to 63 MiB, 10 MiB of plain escapes, 50 000 empty gzip members",
        sees="Webhooks are forwarded and answered; other requests are served as usual",
        run=webhook_bomb,
    ),
    Fault(
        item="B5",
        name="coded-bomb",
        what="The same in Brotli and zstd, and for lists",
        how="Webhooks that decode to 63 MiB, lists that decode to 31 MiB",
        sees="Lists are corrected; other requests are served as usual",
        run=coded_bomb,
    ),
    Fault(
        item="B6",
        name="upload-chunks",
        what="One client that sent chunks of one byte made others wait 3 s",
        how="`1\\r\\nx\\r\\n` at 5 MB/s, in one upload and in fifty",
        sees="Other requests are served as usual",
        run=upload_chunks,
    ),
    Fault(
        item="B6",
        name="tiny-requests",
        what="One client that sent many requests without waiting for the answers made others wait 3 s",
        how="Pipelined `OPTIONS *` with `Max-Forwards: 0` at 5 MB/s",
        sees="Other requests are served as usual",
        run=tiny_requests,
    ),
    Fault(
        item="B6",
        name="crowd",
        what="The requests of all clients that asked in one moment were read in one turn of the event loop: others "
        "waited for 330 of them",
        how="500 connected clients that send a GET at once, and again when all are answered",
        sees="All are served",
        run=crowd,
    ),
    Fault(
        item="B6",
        name="answer-chunks",
        what="The same from the gateway's side",
        how="An answer in chunks of one byte, as fast as the proxy reads them",
        sees="Other requests are served as usual",
        run=answer_chunks,
    ),
    Fault(
        item="B7",
        name="empty-members",
        what="A list of 200 000 empty gzip members or zstd frames took 27 s",
        how="`Content-Encoding: gzip`, 4 MB of empty members before the list",
        sees="The list is corrected, or passes unchanged; other requests are served as usual",
        run=empty_members,
    ),
    Fault(
        item="B8",
        name="endless-trailers",
        what="Endless trailers used 2.6 GB of memory in 12 s",
        how="A gateway, a hub and a client that send trailers without end",
        sees="That answer is aborted, or is 502; memory does not grow",
        run=endless_trailers,
    ),
    Fault(
        item="B8",
        name="endless-interim",
        what="Endless interim answers used memory, most of all with a client that did not read",
        how="A gateway that sends `103 Early Hints` without end",
        sees="That request is answered with 502; memory does not grow",
        run=endless_interim,
    ),
    Fault(
        item="B8",
        name="bounded-heads",
        what="Whether limits on a head were enforced depended on how the bytes were split: a method of 100 000 bytes "
        "passed in one segment and was refused in two; `limits.body` was not enforced for a chunked body that came "
        "with its head",
        how="Each part above its limit, in 1, 2 and 50 segments",
        sees="The same refusal each time",
        run=bounded_heads,
    ),
    Fault(
        item="B9",
        name="falling-sessions",
        what="Each change of state parsed every stored list again: 300 sessions that disconnected together cost 5.5 s",
        how="300 disconnects at once, after a list of 1 000 and of 4 000 channels",
        sees="Other requests are served as usual",
        run=falling,
    ),
    Fault(
        item="B9",
        name="large-list",
        what="Correcting a list of 10 000 channels with 5 000 overrides blocked all others",
        how="That list, repeatedly",
        sees="Others wait at most 50 ms, or 5 times as long as without",
        run=large_list,
    ),
    Fault(
        item="B9",
        name="large-channel",
        what="One channel of a list with 90 000 members, or one id listed 50 000 times, held everything up for 0.2 to "
        "0.5 s each time the list was asked for",
        how="Lists of up to 1.9 MB with one such channel, whose session is lost, repeatedly",
        sees="The list is corrected; others wait at most 50 ms, or 5 times as long as without",
        run=large_channel,
    ),
    Fault(
        item="B9",
        name="scrapes",
        what="Each scrape and each refresh of the page corrected up to 64 stored answers again",
        how="`/metrics`, `/sessions` and `/events`, repeatedly, after 60 single channels and a list of 10 000",
        sees="Others wait at most 50 ms, or 5 times as long as without",
        run=scrapes,
    ),
)
