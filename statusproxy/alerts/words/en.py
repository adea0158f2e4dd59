"""The words of messages in English."""

from collections.abc import Mapping
from typing import Final

__all__ = [
    "AND_MORE",
    "CAUSES",
    "CONNECTED_TITLES",
    "DATE",
    "EVENT",
    "GATEWAY_CLAIMS",
    "GATEWAY_CLAIMS_IN_LINE",
    "RECONNECT",
    "RELEASED",
    "REMINDERS",
    "SPAN_UNITS",
    "TELLS",
    "TITLES",
    "UNKNOWN_END",
    "WAY_BACK",
    "WORD_OF_EVENT",
]

#: How a day that is not today is written, before the time.
DATE: Final = "%Y-%m-%d %H:%M"

#: Days, hours, minutes, seconds.
SPAN_UNITS: Final = ("d", "h", "min", "s")

#: By type: of one outage, and of several.
TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": ("{session} is disconnected", "{count} sessions are disconnected"),
    "session.back": (
        "{session} is no longer shown as disconnected",
        "{count} sessions are no longer shown as disconnected",
    ),
    "gateway.down": ("The gateway cannot be reached", ""),
    "gateway.back": ("The gateway answers again", ""),
    "webhooks.silent": ("Webhooks have stopped", ""),
    "webhooks.back": ("Webhooks arrive again", ""),
    "store.failing": ("The state cannot be written", ""),
    "store.back": ("The state can be written again", ""),
    "spool.stuck": ("Kept events are not delivered", ""),
    "spool.back": ("Kept events are delivered again", ""),
    "test": ("Test message of statusproxy", ""),
}
#: Where each session is known to be connected.
CONNECTED_TITLES: Final = ("{session} is connected again", "{count} sessions are connected again")
REMINDERS: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": ("{session} is still disconnected", "{count} sessions are still disconnected"),
    "gateway.down": ("The gateway still cannot be reached", ""),
    "webhooks.silent": ("Webhooks are still not arriving", ""),
    "store.failing": ("The state still cannot be written", ""),
    "spool.stuck": ("Kept events are still not delivered", ""),
}

#: By type, what follows the title: of one outage, and for each of several (a session's line).
TELLS: Final[Mapping[str, tuple[str, str]]] = {
    "session.lost": (
        ", since {since} ({span} before this message): {why}.{claim}",
        "- {session}: since {since} ({span} before this message), {why}{claim}",
    ),
    "session.back": (
        ", since {ended}: {how}. It was disconnected for {span}, since {since}.",
        "- {session}: since {ended}, {how}; disconnected for {span}",
    ),
    "gateway.down": (
        (
            ", since {since} ({span} before this message): {reason}. Its clients get errors, and no session can "
            "be seen. Check that it runs, and that `gateway` in config.yaml is its address."
        ),
        "",
    ),
    "gateway.back": (", since {ended}, after {span}.", ""),
    "webhooks.silent": (
        (
            ", since {since} ({span} before this message): {reason}. A session that is lost now goes unnoticed. "
            "`statusproxy doctor` shows how the webhooks should arrive."
        ),
        "",
    ),
    "webhooks.back": (", since {ended}, after {span}.", ""),
    "store.failing": (
        (
            ", since {since} ({span} before this message): {reason}. What happens now would be lost at a restart. "
            "Check the disk, or the server, of `state.url`."
        ),
        "",
    ),
    "store.back": (", since {ended}, after {span}.", ""),
    "spool.stuck": (
        ", since {since} ({span} before this message): {reason}. `statusproxy spool list` lists the waiting events.",
        "",
    ),
    "spool.back": (", since {ended}, after {span}.", ""),
    "test": (": alerts reach you here. Nothing is wrong.", ""),
}

GATEWAY_CLAIMS: Final = " The gateway claims: {said}."
GATEWAY_CLAIMS_IN_LINE: Final = "; the gateway claims: {said}"

#: What to do about a lost session; about several.
RECONNECT: Final = ("Reconnect it at the hub.", "Reconnect them at the hub.")
WAY_BACK: Final = "Or ask the gateway ({title}) for: {routes}"
AND_MORE: Final = "and {count} more"

#: How a correction ended (`Release`, and how a session leaves the map), as a sentence's end.
RELEASED: Final[Mapping[str, str]] = {
    "connected-event": "an event said connected",
    "reconnected": "it was connected again",
    "deleted": "the session was deleted",
    "alive": "a message came in",
    "operator": "released by hand, and not known to be connected",
    "expired": "the correction expired, and it is not known to be connected",
    "evicted": "too many sessions to remember, and it is not known to be connected",
    "forgotten": "removed by hand, and not known to be connected",
}
UNKNOWN_END: Final = "how it ended is not known"

#: Why a session was lost, by the folded word of the event or its name.
CAUSES: Final[Mapping[str, str]] = {
    "disconnectedmobile": "unlinked on the phone",
    "desconnectedmobile": "unlinked on the phone",
    "browserclose": "the engine’s browser closed",
    "serverclose": "the engine closed it",
    "autoclosecalled": "the engine gave up waiting for the QR scan",
    "phonenotconnected": "the phone cannot be reached",
    "notlogged": "not logged in",
    "qrreadfail": "the QR scan failed",
    "qrreaderror": "the QR scan failed",
    "deletetoken": "the login was deleted",
    "closesession": "the session was closed",
    "logoutsession": "the session was logged out",
    "close": "the connection closed",
    "closed": "the connection closed",
    "disconnected": "disconnected",
    "unavailable": "unavailable",
}
EVENT: Final = "event {event}"
WORD_OF_EVENT: Final = "event {event} with {word}"
