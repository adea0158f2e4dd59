"""A proxy as a process of its own, in front of the stand-in gateway, with means to make things happen to it."""

import asyncio
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selenium.common.exceptions import StaleElementReferenceException

from statusproxy.status.model import Record
from statusproxy.store import open_store
from tests.admin.process import Process, running_process
from tests.waiting import PATIENCE, RARELY, wait_until


@dataclass
class Site:
    """The running proxy, and what happens to its sessions."""

    process: Process

    @property
    def page(self) -> str:
        """Where the status page is."""
        return f"{self.process.admin_url}/"

    def event(self, **event: Any) -> None:
        """Post one webhook, as the engine does."""
        self._post(f"{self.process.url}/v1/webhooks/receive", json.dumps(event).encode())

    def lose(self, session: str, word: str = "disconnectedMobile") -> None:
        """The engine says that a session is lost."""
        self.event(event="status-find", session=session, status=word)

    def regain(self, session: str) -> None:
        """The engine says that a session is connected."""
        self.event(event="status-find", session=session, status="inChat")

    def message(self, session: str) -> None:
        """A message came in on a session."""
        self.event(event="onmessage", session=session, id="false_5500000000000@c.us_AB", fromMe=False)

    def presence(self, session: str) -> None:
        """A contact of a session went offline."""
        self.event(event="onpresencechanged", session=session, id="5500000000000@c.us", isOnline=False,
                   state="unavailable")  # fmt: skip

    def list_channels(self) -> Any:
        """The channel list, as a client of the proxy gets it."""
        with urllib.request.urlopen(f"{self.process.url}/api/channels", timeout=PATIENCE) as answer:
            return json.load(answer)

    def release(self, session: str) -> None:
        """Release a session, as the command line does."""
        self._post(f"{self.process.admin_url}/sessions/{quote(session, safe='')}/release", b"")

    def known(self) -> dict[str, Any]:
        """What the admin listener reports of each session."""
        with urllib.request.urlopen(f"{self.process.admin_url}/sessions", timeout=PATIENCE) as answer:
            return {one["session"]: one for one in json.load(answer)["sessions"]}

    def remember(self, records: list[Record]) -> None:
        """Have the proxy know these sessions, as if from before a restart."""

        async def write() -> None:
            store = open_store(f"sqlite:///{self.process.config.with_name('state.db')}")
            await store.open()
            await store.save(records, (), ())
            await store.close()

        self.process.stop()
        asyncio.run(write())
        self.process.start()

    def _post(self, url: str, body: bytes) -> None:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            answer.read()


@contextmanager
def running_site(folder: Path, sessions: list[str], **settings: Any) -> Iterator[Site]:
    """A site whose gateway says that each of `sessions` is connected."""
    channels = [{"id": one, "name": one, "status": "connected"} for one in sessions]
    with running_process(folder, {"success": True, "channels": channels}, **settings) as process:
        yield Site(process)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for a condition of another process to come true; give what it gave.

    An element that the page replaced between its finding and its use is looked for again.
    """

    def found() -> Any:
        with suppress(StaleElementReferenceException):
            return condition()

    return wait_until(found, what, RARELY)
