"""The WhatsApp engine behind the stand-in gateway: which phone is really linked, and what it says.

Both can differ, and that is the whole point: after a phone was unlinked this engine goes on answering
`CONNECTED`, as the real one does. Pure state, no I/O: methods that change something return the raw events
the engine posts.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from statusproxy.demo.events import RawEvent, qr_code, status_find


class Line(StrEnum):
    """Where one session stands; only `LINKED` can carry messages."""

    LINKED = "linked"
    LOST = "lost"
    STARTING = "starting"
    WAITING_QR = "waiting-qr"


class Dialog(StrEnum):
    """How a lost session answers when someone asks it for a QR code."""

    QR_AT_ONCE = "qr-at-once"
    """The first question brings a QR code."""
    AFTER_DELETE = "after-delete"
    """It insists on being CONNECTED until it is deleted and created again; then it starts, then shows a
    code.
    """


ANSWERS: Final[Mapping[Line, str]] = {
    Line.LINKED: "CONNECTED",
    Line.LOST: "CONNECTED",  # the lie this project corrects
    Line.STARTING: "INITIALIZING",
    Line.WAITING_QR: "QRCODE",
}
"""What the engine answers when it is asked how a session is doing."""

_PNG_HEADER: Final = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x01\x08\0\0\x01\x08\x08\0\0\0\0"

STARTING_ANSWERS: Final = 2
"""How often a session just created says INITIALIZING before its code is there: a count needs no clock."""


@dataclass(frozen=True)
class QrAnswer:
    """The answer to "give me a QR code": the code as a data URL, or None and the word in its place."""

    code: str | None
    status: str


@dataclass
class _Session:
    line: Line
    dialog: Dialog
    starting_left: int = 0
    codes: int = 0


@dataclass
class Engine:
    """The sessions of one engine. Asking for a session that does not exist raises `KeyError`."""

    dialogs: Mapping[str, Dialog] = field(default_factory=dict)
    """The dialogue of each session that does not simply hand out a QR code."""
    _sessions: dict[str, _Session] = field(default_factory=dict, init=False)

    def sessions(self) -> tuple[str, ...]:
        """The ids, in the order of their creation."""
        return tuple(self._sessions)

    def line(self, session: str) -> Line:
        """Where the session really stands."""
        return self._sessions[session].line

    def really_connected(self, session: str) -> bool:
        """The truth, which neither the engine nor the gateway tells."""
        known = self._sessions.get(session)
        return known is not None and known.line is Line.LINKED

    def check(self, session: str) -> str:
        """What the engine *says*: `CONNECTED`, `INITIALIZING` or `QRCODE`."""
        return ANSWERS[self._sessions[session].line]

    def link(self, session: str) -> None:
        """A session that is there and linked from the beginning."""
        self._sessions[session] = _Session(Line.LINKED, self.dialogs.get(session, Dialog.QR_AT_ONCE))

    def create(self, session: str) -> None:
        """Start a session, unless it is there already: the engine then leaves it as it is."""
        if session not in self._sessions:
            dialog = self.dialogs.get(session, Dialog.QR_AT_ONCE)
            self._sessions[session] = _Session(Line.STARTING, dialog, STARTING_ANSWERS)

    def delete(self, session: str) -> None:
        """Log out and forget: the next use of this id needs a QR code."""
        del self._sessions[session]

    def qr(self, session: str) -> tuple[QrAnswer, list[RawEvent]]:
        """Ask for a QR code; brings a lost session to wait for one where its dialogue allows."""
        known = self._sessions[session]
        if known.line is Line.STARTING:
            if known.starting_left > 0:
                known.starting_left -= 1
                return QrAnswer(None, "INITIALIZING"), []
            known.line = Line.WAITING_QR
        elif known.line is Line.LOST and known.dialog is Dialog.QR_AT_ONCE:
            known.line = Line.WAITING_QR
        if known.line is not Line.WAITING_QR:
            return QrAnswer(None, "CONNECTED"), []
        known.codes += 1
        code = picture(session, known.codes)
        return QrAnswer(code, "QRCODE"), [qr_code(session, code)]

    def wait_for_qr(self, session: str) -> None:
        """Put a session into the state of one that waits for its QR code to be scanned."""
        self._sessions[session] = _Session(Line.WAITING_QR, self.dialogs.get(session, Dialog.QR_AT_ONCE))

    def unlink(self, session: str, word: str = "disconnectedMobile") -> list[RawEvent]:
        """The phone drops this session: the engine posts `word` once, and answers CONNECTED as before."""
        self._sessions[session].line = Line.LOST
        return [status_find(session, word)]

    def scan(self, session: str) -> list[RawEvent]:
        """Someone scans the QR code: linked again. Without a code to scan nothing happens."""
        known = self._sessions[session]
        if known.line is not Line.WAITING_QR:
            return []
        known.line = Line.LINKED
        return [status_find(session, "qrReadSuccess"), status_find(session, "inChat")]


def picture(session: str, number: int) -> str:
    """A QR code that is not one, but has the shape: a PNG data URL, another for each asking."""
    digest = hashlib.sha256(f"{session} {number}".encode()).digest()
    return "data:image/png;base64," + base64.b64encode(_PNG_HEADER + digest * 4).decode()
