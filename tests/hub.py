"""The hub as a test client: it calls as the PHP application calls, reads answers in its order, shows what a user sees.

`read` is the reading alone, on bytes. `Hub` makes the calls over real sockets: no redirects, no retries, no cookies, no
decompression. `Hub.reconnect` plays the button of that name as the browser does, with all pauses shortened by a factor.
The rules are those of the first gateway's client; where its code would crash, `HubCrashedError` is raised.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Self
from urllib.parse import quote

import aiohttp
from yarl import URL

LIST_PATIENCE: Final = 90.0
CRON_PATIENCE: Final = 15.0
PATIENCE: Final = 30.0
SEND_PATIENCE: Final = 120.0
"""Seconds until the hub gives a call up: the list in the UI, the list in its health cron, a send, anything else."""

QR_KEYS: Final = (
    "qr",
    "qr_base64",
    "qrcode",
    "base64Qrimg",
    "base64",
    "base64Image",
    "image",
    "qrcode_base64",
)


class Verdict(StrEnum):
    """What the hub makes of an answer, in the order in which it asks."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    EMPTY = "empty"
    UNAUTHORISED = "unauthorised"
    HTML = "html"
    INVALID = "invalid"
    ERROR = "error"
    OK = "ok"


class HubCrashedError(Exception):
    """An answer of a shape on which the hub's own code falls over."""


@dataclass(frozen=True)
class Answer:
    """One answer as the hub has read it; `status` 0 means that there was none."""

    verdict: Verdict
    status: int
    message: str | None = None
    document: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the hub takes the call for a success."""
        return self.verdict is Verdict.OK

    @property
    def booked_as(self) -> str:
        """What a send is booked as: `sent`, `perhaps-delivered`, `session-lost` or `failed`."""
        if self.ok:
            return "sent"
        said = (self.message or "").lower()
        if self.verdict is Verdict.TIMEOUT or "timeout" in said:
            return "perhaps-delivered"
        return "session-lost" if "session" in said and "disconnect" in said else "failed"

    @property
    def cause(self) -> str | None:
        """What its monitor tells the operator; None where all is well."""
        return None if self.ok else _CAUSES.get(self.status, "unknown cause")


_CAUSES: Final = {401: "authentication", 502: "container stopped", 504: "timed out"}


@dataclass(frozen=True)
class Shown:
    """A channel as the user interface shows it."""

    label: str
    colour: str
    offers: str | None


def read(status: int, content_type: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Read an answer that arrived whole, in the hub's order of questions."""

    def answer(verdict: Verdict, message: str | None = None, document: Any = None) -> Answer:
        return Answer(verdict, status, message, document, headers or {}, body)

    if body in (b"", b"0"):  # PHP finds "0" empty
        return answer(Verdict.EMPTY)
    if status == 401:
        return answer(Verdict.UNAUTHORISED)
    if "text/html" in content_type.lower() or body.lstrip().startswith(b"<"):
        return answer(Verdict.HTML)
    try:
        document = json.loads(body)
    except ValueError:
        return answer(Verdict.INVALID)
    if not isinstance(document, dict | list):
        return answer(Verdict.INVALID)
    return answer(Verdict.OK if 200 <= status < 300 else Verdict.ERROR, message_of(document), document)


def message_of(document: Any) -> str | None:
    """The first of the fields in which the hub looks for words; it can show nothing but a string."""
    if not isinstance(document, dict):
        return None
    data = document.get("data")
    candidates = [document.get(key) for key in ("error", "message", "error_message", "details")]
    candidates.append(data.get("error") if isinstance(data, dict) else None)
    for candidate in candidates:
        if candidate is None:
            continue
        if not isinstance(candidate, str):
            raise HubCrashedError(f"the message must be a string, it is {candidate!r}")
        return candidate
    return None


def statuses(document: Any) -> dict[str, str]:
    """A channel list as the hub understands it: id and status word, in the list's order."""
    words: dict[str, str] = {}
    for channel in _channels(document):
        if not isinstance(channel, dict):
            continue
        session = next((channel[key] for key in ("id", "name", "channel_id", "session") if channel.get(key)), None)
        if session is not None:
            words[str(session)] = status_of(channel)
    return words


def status_of(channel: Mapping[str, Any]) -> str:
    """One channel's status word: `status`, else `state`, else what `connected` says."""
    for key in ("status", "state"):
        word = channel.get(key)
        if isinstance(word, list | dict):
            raise HubCrashedError(f"{key} must be a word, it is {word!r}")
        if word not in (None, ""):
            return str(word)
    if "connected" in channel:
        return "connected" if channel["connected"] is True else "disconnected"
    return "unknown"


def shown(status: str) -> Shown:
    """Colour, label and button for a status word (exact, whatever its case)."""
    word = status.lower()
    if word == "connected":
        return Shown(status, "green", "delete session")
    return Shown(status, "red", "reconnect" if word == "disconnected" else None)


def is_connected(document: Any) -> bool:
    """The question before a send, put to the answer for one channel: either field is enough."""
    if not isinstance(document, dict):
        return False
    channel = document.get("channel")
    if not isinstance(channel, dict):
        channel = document["data"] if isinstance(document.get("data"), dict) else document
    return channel.get("status") in ("connected", "open") or channel.get("connected") is True


def qr_code(document: Any) -> str | None:
    """The QR code in an answer of the QR route, wherever it stands."""
    if not isinstance(document, dict):
        return None
    for place in (document, document.get("data"), document.get("result")):
        if isinstance(place, dict):
            for key in QR_KEYS:
                if isinstance(place.get(key), str) and place[key]:
                    return str(place[key])
    return None


@dataclass(frozen=True)
class Reconnected:
    """What the user went through, from the button to the dialog's end."""

    outcome: str
    """`connected`: the dialog closed by itself; `gave-up`: it polled to its end; `no-qr`: it never showed a code."""
    rounds: int
    qr_asks: int
    deletes: int
    seen: tuple[str, ...]
    """The word of this session at each poll of the list."""
    polls_after_scan: int
    """How many polls after the scan the dialog took to close; 1 is what a user expects."""


class Hub:
    """The hub's HTTP client: `async with Hub(base_url, secret="…") as hub`.

    `haste` divides every pause between calls (not the time-outs), and `sleep` can be replaced altogether.
    """

    def __init__(
        self,
        base_url: str,
        *,
        secret: str = "",
        haste: float = 1.0,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.base_url = base_url
        self.secret = secret
        self._haste = haste
        self._sleep = sleep
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._client = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("Accept-Encoding", "User-Agent"),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client is not None:
            await self._client.close()

    async def call(
        self, method: str, path: str, body: object = None, *, within: float = PATIENCE, request_id: str | None = None
    ) -> Answer:
        """One call; `path` goes out byte for byte."""
        if self._client is None:
            raise RuntimeError("use `async with Hub(…)`")
        headers = {
            "X-Gateway-Secret": self.secret,
            "Content-Type": "application/json",  # on GET and DELETE too
            "Accept": "application/json",
        }
        if request_id is not None:
            headers["X-Request-Id"] = request_id
        try:
            async with self._client.request(
                method,
                URL(self.base_url + path, encoded=True),
                data=None if body is None else json.dumps(body).encode(),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=within),
            ) as answer:
                received = await answer.read()
        except TimeoutError:
            return Answer(Verdict.TIMEOUT, 0)
        except aiohttp.ClientError as trouble:
            return Answer(Verdict.UNREACHABLE, 0, str(trouble))
        return read(answer.status, answer.headers.get("Content-Type", ""), received, answer.headers)

    async def channels(self, *, within: float = LIST_PATIENCE) -> dict[str, str]:
        """The status word of each channel; raises where the hub would show an error in place of the list."""
        answer = await self.call("GET", "/api/channels", within=within)
        if not answer.ok:
            raise HubCrashedError(f"no list: {answer.verdict} {answer.status} {answer.message}")
        return statuses(answer.document)

    async def page(self) -> dict[str, Shown]:
        """The channels as the user interface shows them."""
        return {session: shown(word) for session, word in (await self.channels()).items()}

    async def connected(self, session: str) -> bool:
        """What the hub asks before it sends."""
        answer = await self.call("GET", channel_path(session))
        return answer.ok and is_connected(answer.document)

    async def send(self, session: str, text: str = "hello") -> Answer:
        """Send a message; never repeated."""
        body = {"channel": session, "to": "5500000000000", "text": text}
        return await self.call("POST", "/api/messages", body, within=SEND_PATIENCE)

    async def alerts(self) -> list[str]:
        """The health cron, each 5 minutes: a critical alert for every channel that is not connected."""
        words = await self.channels(within=CRON_PATIENCE)
        return [session for session, word in words.items() if word.lower() != "connected"]

    async def reconnect(
        self, session: str, scan: Callable[[], Awaitable[object]], *, scan_after: int = 2, rounds: int = 12
    ) -> Reconnected:
        """Press "reconnect": get a QR code, deleting the session on the way if need be, and poll until connected.

        The user scans (`scan()`) when the list was polled `scan_after` times with the code on the screen.
        """
        path = f"{channel_path(session)}/qr"
        asks = deletes = done = 0
        code: str | None = None
        while code is None and done < rounds:
            done += 1
            code, asked = await self._ask_for_code(path, 5)
            asks += asked
            if code is None:
                await self.call("DELETE", channel_path(session))
                deletes += 1
                await self._pause(0.5)
                await self.call("POST", "/api/channels", {"channel": session})
                await self._pause(2)
                code, asked = await self._ask_for_code(path, 8)
                asks += asked
        if code is None:
            return Reconnected("no-qr", done, asks, deletes, (), 0)
        seen: list[str] = []
        for poll in range(24):
            if poll == scan_after:
                await scan()
            await self._pause(5)
            seen.append((await self.channels()).get(session, "missing"))
            if seen[-1] == "connected":
                break
        outcome = "connected" if seen[-1] == "connected" else "gave-up"
        return Reconnected(outcome, done, asks, deletes, tuple(seen), len(seen) - scan_after)

    async def _ask_for_code(self, path: str, times: int) -> tuple[str | None, int]:
        for asked in range(1, times + 1):
            code = qr_code((await self.call("GET", path)).document)
            if code is not None:
                return code, asked
            if asked < times:
                await self._pause(2)
        return None, times

    async def _pause(self, seconds: float) -> None:
        await self._sleep(seconds / self._haste)


def channel_path(session: str) -> str:
    """The path of one channel, its id percent-encoded as PHP's `rawurlencode` does."""
    return f"/api/channels/{quote(session, safe='')}"


def _channels(document: Any) -> list[Any]:
    if isinstance(document, dict):
        data = document.get("data")
        for place in (document.get("channels"), data.get("channels") if isinstance(data, dict) else data):
            if isinstance(place, list):
                return place
        return []
    return document if isinstance(document, list) else []
