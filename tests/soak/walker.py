"""One client of the soak: it does one thing after another, drawn by chance, and checks all it gets."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Final

from tests.faults import scenes
from tests.faults.stage import WEBHOOK, back, lost
from tests.faults.wire import Answer, Client, WireError, head, request
from tests.soak.account import Account

#: Sizes around every buffer's limit on the way, in bytes: heads and bodies in one write (64 KiB), reads of the loop
#: (256 KiB), what is held of an answer (512 KiB) and of a request, and answers in one burst (520 to 780 kB).
SIZES: Final = (
    0, 1, 1023, 16_384, 65_535, 65_536, 65_537, 131_072, 262_143, 262_144, 262_145, 524_287, 524_288, 524_289, 530_000,
    570_000, 600_000, 655_359, 655_360, 700_000, 780_000, 1_048_576, 1_078_576, 1_500_000, 2_097_152,
)  # fmt: skip

#: Seconds after which an answer is given up; longer than any may take.
_PATIENCE: Final = 12.0

#: Seconds between two things that a walker does, at most; and the rare pause in which the gateway's idle connections
#: grow too old to be used again.
_PAUSE: Final = 0.03
_LONG_PAUSE: Final = 5.0
_LONG_PAUSES: Final = 0.002

_CHUNK: Final = 30_000


class Walker:
    """A client with a session of its own among `sessions`, whose state it changes and checks."""

    def __init__(self, number: int, port: int, sessions: list[str], seed: int, account: Account) -> None:
        self._port = port
        self._sessions = sessions
        self._session = sessions[number]
        self._lost: bool | None = False  # None: a webhook about it was not answered, and may have been heard or not
        self._chance = Random(f"{seed} {number}")
        self._account = account
        self._number = number
        self._serials = 0
        self._client: Client | None = None
        self._doings: list[tuple[Callable[[], None], int]] = [
            (self._list, 6),
            (self._webhook, 6),
            (self._download, 8),
            (self._upload, 6),
            (self._tunnel, 2),
            (self._pipeline, 3),
            (self._break_off, 2),
            (self._half_a_request, 2),
            (self._broken_by_the_gateway, 2),
            (self._answered_early, 1),
            (self._in_two_halves, 2),
        ]

    def walk(self, stopping: threading.Event) -> None:
        """Go on until `stopping` is set."""
        doings, weights = zip(*self._doings, strict=True)
        while not stopping.is_set():
            doing = self._chance.choices(doings, weights)[0]
            try:
                doing()
            except TimeoutError:
                self._account.took("never answered", _PATIENCE)
                self._leave()
            except (OSError, WireError) as error:
                self._complain(f"{doing.__name__[1:]}: {type(error).__name__} {error}")
                self._leave()
            long = self._chance.random() < _LONG_PAUSES
            stopping.wait(_LONG_PAUSE if long else self._chance.random() * _PAUSE)
        self._leave()

    # ---- what it does ----

    def _list(self) -> None:
        """The list must tell the truth about this walker's session, and name all others."""
        pad = self._chance.choice((0, 0, 0, 100, 20_000, 45_000))
        target = f"/api/channels?channels=2&pad={pad}&first={','.join(self._sessions)}"
        answer = self._ask("list", "GET", target)
        if answer is None:
            return
        shown = {channel["id"]: channel["status"] for channel in json.loads(answer.body)["channels"]}
        wanted = "disconnected" if self._lost else "connected"
        if self._lost is not None and shown.get(self._session) != wanted:
            self._complain(f"the list shows {shown.get(self._session)} where {wanted} is true")
        if len(shown) != len(self._sessions) + 2:
            self._complain(f"the list has {len(shown)} channels")

    def _webhook(self) -> None:
        """The session is lost or comes back."""
        event = back(self._session) if self._lost else lost(self._session)
        body = json.dumps({**event, "media": "A" * self._chance.choice((0, 10, 5000, 300_000))}).encode()
        after, self._lost = not self._lost, None
        if self._post("webhook", WEBHOOK, body):
            self._lost = after

    def _download(self) -> None:
        """A body must come as it is, and be the one asked for."""
        size = self._chance.choice(SIZES)
        how = self._chance.choice(("bytes", "bytes", "chunked", "until-close"))
        serial = self._serial()
        answer = self._ask("download", "GET", f"/{how}/{size}", fields=[("X-Serial", serial)])
        if answer is not None and hashlib.sha256(answer.body).hexdigest() != scenes.content_hash(size):
            self._complain(f"{how}/{size}: {len(answer.body)} bytes, or others")

    def _upload(self) -> None:
        """The gateway must get the body as it was sent."""
        body = scenes.content(self._chance.choice(SIZES))
        self._post("upload", "/upload", body, chunked=self._chance.random() < 0.5)

    def _tunnel(self) -> None:
        """What is said in a tunnel comes back as it was said."""
        client = Client(self._port, patience=_PATIENCE)
        try:
            begun = time.monotonic()
            client.send(head("GET", "/tunnel/echo", [("Connection", "Upgrade"), ("Upgrade", "echo")]))
            if client.answer().status != 101:
                self._complain("a tunnel was not opened")
                return
            for _ in range(self._chance.randrange(1, 4)):
                said = scenes.content(self._chance.choice((1, 100, 65_536, 200_000)))
                client.send(said)
                heard = client.exactly(len(said))
                if heard != said:
                    self._complain("a tunnel said something else")
            self._account.took("tunnel", time.monotonic() - begun)
        finally:
            if self._chance.random() < 0.5:
                client.reset()
            else:
                client.close()

    def _pipeline(self) -> None:
        """Requests sent at once are answered in their order, each with its own answer."""
        client = self._connected()
        serials = [self._serial() for _ in range(self._chance.randrange(2, 7))]
        sizes = [self._chance.choice((1, 1023, 65_537, 540_000)) for _ in serials]
        asked = zip(serials, sizes, strict=True)
        begun = time.monotonic()
        client.send(b"".join(request("GET", f"/bytes/{size}", fields=[("X-Serial", one)]) for one, size in asked))
        for serial, size in zip(serials, sizes, strict=True):
            answer = client.answer()
            if answer.fields.get("x-serial") != serial or len(answer.body) != size:
                self._complain(f"pipelined: {serial} got the answer of {answer.fields.get('x-serial')}")
            if answer.closes:
                self._leave()
                break
        self._account.took("pipeline", time.monotonic() - begun)

    def _break_off(self) -> None:
        """A client that leaves in the middle of a download or an upload."""
        client = Client(self._port, patience=_PATIENCE)
        if self._chance.random() < 0.5:
            client.send(request("GET", f"/bytes/{self._chance.choice(SIZES[10:])}"))
            client.sock.recv(1000)
        else:
            client.send(head("POST", "/upload", [("Content-Length", "2000000")]) + scenes.content(100_000))
        if self._chance.random() < 0.5:
            client.reset()
        else:
            client.close()

    def _half_a_request(self) -> None:
        """A client that leaves before its request's head is whole."""
        with Client(self._port, patience=_PATIENCE) as client:
            whole = request("GET", "/ping")
            client.send(whole[: self._chance.randrange(1, len(whole) - 2)])

    def _in_two_halves(self) -> None:
        """A request in two pieces, with a pause between them."""
        client = self._connected()
        serial = self._serial()
        whole = request("POST", "/echo", b"x" * 1000, [("X-Serial", serial)])
        cut = self._chance.randrange(1, len(whole))
        self._account.sent(serial)
        client.send(whole[:cut])
        time.sleep(self._chance.random() * 0.1)
        begun = time.monotonic()
        client.send(whole[cut:])
        self._received("in two halves", client.answer(), serial, begun, b"x" * 1000)

    def _broken_by_the_gateway(self) -> None:
        """An answer that the gateway breaks off must not look whole, or is an error."""
        framing, how = self._chance.choice(("length", "chunked")), self._chance.choice(("fin", "reset"))
        with Client(self._port, patience=_PATIENCE) as client:
            client.send(request("GET", f"/cut/{framing}/{how}"))
            try:
                status = client.answer().status
            except WireError:
                return
            if status < 500:
                self._complain(f"cut/{framing}/{how} looked whole")

    def _answered_early(self) -> None:
        """An upload that is refused before it has come."""
        with Client(self._port, patience=_PATIENCE) as client:
            begun = time.monotonic()
            client.send(head("POST", "/early", [("Content-Length", "300000")]) + b"x" * 100_000)
            status = client.answer().status
            self._account.took("early", time.monotonic() - begun)
            if status != 413:
                self._complain(f"an early 413 came as {status}")

    # ---- how it does it ----

    def _post(self, kind: str, target: str, body: bytes, *, chunked: bool = False) -> bool:
        """Send something that must arrive once; whether it was answered with a success."""
        client, serial = self._connected(), self._serial()
        self._account.sent(serial)
        begun = time.monotonic()
        fields = [("X-Serial", serial), ("Content-Type", "application/json")]
        if chunked:
            client.send(head("POST", target, [*fields, ("Transfer-Encoding", "chunked")]))
            for at in range(0, len(body), _CHUNK):
                piece = body[at : at + _CHUNK]
                client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            client.send(b"0\r\n\r\n")
        else:
            client.send(request("POST", target, body, fields))
        return self._received(kind, client.answer(), serial, begun, body)

    def _received(self, kind: str, answer: Answer, serial: str, begun: float, body: bytes) -> bool:
        """Check the answer to something sent."""
        self._account.took(kind, time.monotonic() - begun)
        if answer.closes:
            self._leave()
        if answer.status != 200:
            self._complain(f"{kind}: {answer.status}")
            return False
        self._account.acknowledged(serial)
        if answer.fields.get("x-serial") != serial:
            self._complain(f"{kind}: {serial} got the answer of {answer.fields.get('x-serial')}")
        if json.loads(answer.body)["sha256"] != hashlib.sha256(body).hexdigest():
            self._complain(f"{kind}: the gateway got another body")
        return True

    def _ask(self, kind: str, method: str, target: str, fields: list[tuple[str, str]] | None = None) -> Answer | None:
        """Ask for something; None where the answer is no success."""
        client = self._connected()
        begun = time.monotonic()
        answer = client.ask(method, target, fields=fields or ())
        self._account.took(kind, time.monotonic() - begun)
        if answer.closes:
            self._leave()
        wanted = dict(fields or ()).get("X-Serial")
        if answer.status != 200:
            self._complain(f"{kind} {target}: {answer.status}")
            return None
        if wanted is not None and answer.fields.get("x-serial") != wanted:
            self._complain(f"{kind}: {wanted} got the answer of {answer.fields.get('x-serial')}")
        return answer

    def _serial(self) -> str:
        self._serials += 1
        return f"w{self._number}-{self._serials}"

    def _connected(self) -> Client:
        """This walker's connection, kept alive from one thing to the next; now and then a new one."""
        if self._client is not None and self._chance.random() < 0.05:
            self._leave()
        if self._client is None:
            self._client = Client(self._port, patience=_PATIENCE)
        return self._client

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def _complain(self, what: str) -> None:
        self._account.complain(f"walker {self._number}: {what}")
