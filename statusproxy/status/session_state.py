"""The one word for the state of a session, by what the channel list shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from statusproxy.status.channel_list import ChannelList, ChannelRule
from statusproxy.status.fields import fold_word
from statusproxy.status.lost_word import lost_word


class SessionState(StrEnum):
    """The state of a session. Each session in the gateway's last list, or of which an event came, has just one."""

    LOST = "lost"
    """A correction is in force: the gateway's own word would be wrong."""
    REPORTED_DOWN = "reported_down"
    """The gateway itself says that it is not connected."""
    NEEDS_QR = "needs_qr"
    """The gateway itself says that it waits for a scan, or starts."""
    CONNECTED = "connected"
    """The gateway says connected, and nothing speaks against it."""
    UNKNOWN = "unknown"
    """The gateway has said nothing of it since the start, and no event told that it is connected."""


_MEANS: Final[Mapping[str, SessionState]] = {
    "connected": SessionState.CONNECTED,
    "scan": SessionState.NEEDS_QR,
    "action": SessionState.NEEDS_QR,
    "starting": SessionState.NEEDS_QR,
    "connecting": SessionState.NEEDS_QR,
    "unscanned": SessionState.REPORTED_DOWN,
    "disconnected": SessionState.REPORTED_DOWN,
    "logged-out": SessionState.REPORTED_DOWN,
    "stopped": SessionState.REPORTED_DOWN,
    "failed": SessionState.REPORTED_DOWN,
    "banned": SessionState.REPORTED_DOWN,
    "outdated": SessionState.REPORTED_DOWN,
}
"""What a preset says that a word means (`about.states`). A step that someone must take on the phone is as a scan; a
code that nobody scanned is not shown any more."""


class Claim(NamedTuple):
    """What the gateway says of a channel in one of its answers."""

    word: str
    """Where one status member reads connected and another is a word of `keep`: that one."""
    at: float
    """When the answer came, epoch seconds."""
    connected: bool
    """One of the status members reads connected."""
    down: bool
    """A status member is a word of `keep`, or all of them read as a correction would write them."""
    rule: ChannelRule
    """By which the answer is read and corrected."""


class Meanings:
    """What the gateway's own words mean, by the preset."""

    __slots__ = ("_states",)

    def __init__(self, means: Mapping[str, str]) -> None:
        """`means` gives the meaning of each word as `about.states` does; an unknown meaning says nothing."""
        self._states = {fold_word(word): _MEANS[meaning] for word, meaning in means.items() if meaning in _MEANS}

    def of(self, word: str) -> SessionState | None:
        """The state that a word stands for; None where the preset does not know it."""
        return self._states.get(fold_word(word))


def claim_of(listing: ChannelList, channel: str, at: float) -> Claim | None:
    """What an answer that came at `at` says of one of its channels; None where it has no word for its status.

    None too where a channel would take long to read, until a correction has read it in steps.
    """
    if listing.take_long((channel,)):
        return None
    said = listing.said(channel)
    if said.word is None:
        return None
    down = said.keeps or not (said.connected or any(one.edits for one in listing.objects(channel)))
    word = listing.kept_word(channel) if said.keeps and said.connected else None
    return Claim(word or said.word, at, said.connected, down, listing.rule)


def session_state(*, lost: bool, claim: Claim | None, told_connected: bool, meanings: Meanings) -> SessionState:
    """How a session stands.

    `lost`: a correction is in force. `told_connected`: an event told that it is connected, and nothing newer speaks
    against it. A word of the gateway goes before events; one that nobody knows says nothing, and hides what events told
    earlier, since it may be the gateway's way to say that the session is gone.
    """
    if lost:
        return SessionState.LOST
    if claim is None:
        return SessionState.CONNECTED if told_connected else SessionState.UNKNOWN
    meant = meanings.of(claim.word)
    if claim.down:
        return SessionState.NEEDS_QR if meant is SessionState.NEEDS_QR else SessionState.REPORTED_DOWN
    if claim.connected:
        return SessionState.CONNECTED
    return meant or SessionState.UNKNOWN


def list_shows(claim: Claim | None, *, lost: bool, word: str | None) -> str | None:
    """The word that a list shows for a session; None where no answer has a word for it.

    `lost`: a correction is in force, by an event with this `word`.
    """
    if claim is None:
        return None
    return (lost_word(claim.rule, word, claim.word) if lost else None) or claim.word
