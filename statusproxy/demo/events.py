"""The events of the first gateway as they look on the wire: raw (from the engine), normalised (to the hub).

A raw event is flat, carries no credentials and mostly no time: `{"event": …, "session": …, …the data's own
keys}`. The gateway renames some of them *inside* and sends those on to the hub in its own envelope. Times
are epoch seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

RawEvent = dict[str, Any]
"""One webhook body of the engine, before it becomes JSON."""

NormalisedEvent = dict[str, Any]
"""One webhook body of the gateway's outbox, before it becomes JSON."""

OUTWARD: Final[Mapping[str, str]] = {
    "onpresencechanged": "connection.update",
    "onmessage": "message",
    "onselfmessage": "message",
    "onack": "message",
}
"""What the gateway passes on to the hub, and under which name. `status-find` is not among them."""


def status_find(session: str, status: str) -> RawEvent:
    """The engine's word about a session itself: `inChat`, `disconnectedMobile`, `browserClose`, …"""
    return {"event": "status-find", "session": session, "status": status}


def qr_code(session: str, code: str) -> RawEvent:
    """A QR code waits to be scanned; it tells no more about a connection than the gateway does."""
    return {"event": "qrcode", "session": session, "qrcode": code, "urlcode": f"2@{code[:16]}"}


def presence(session: str, contact: str, state: str, at: float) -> RawEvent:
    """A *contact* went online or offline (`available`, `unavailable`, `composing`), not the session."""
    return {
        "event": "onpresencechanged",
        "session": session,
        "id": contact,
        "isOnline": state != "unavailable",
        "isGroup": False,
        "state": state,
        "t": round(at * 1000),
    }


def message(session: str, contact: str, text: str, at: float, serial: int, *, own: bool = False) -> RawEvent:
    """A message received, or (`own`) one made on this side, which needs no live connection.

    Like the engine, the time stands under `t` and `timestamp` in whole *seconds*, unlike a presence event's
    `t` in milliseconds; and the sender is described with words (`isUser`, `shortName`) that mark presence
    elsewhere.
    """
    return {
        "event": "onselfmessage" if own else "onmessage",
        "session": session,
        "id": f"{'true' if own else 'false'}_{contact}_3EB0{serial:016X}",
        "body": text,
        "type": "chat",
        "t": int(at),
        "timestamp": int(at),
        "from": _OWN_NUMBER if own else contact,
        "to": contact if own else _OWN_NUMBER,
        "fromMe": own,
        "isGroupMsg": contact.endswith("@g.us"),
        "sender": {"id": contact, "isUser": True, "isContact": True, "shortName": "Ana", "isOnline": None},
        "chatId": contact,
    }


def ack(session: str, contact: str, level: int, at: float, serial: int) -> RawEvent:
    """A message of one's own was sent (1), delivered (2) or read (3); comes late, and without a connection
    too.
    """
    return {
        "event": "onack",
        "session": session,
        "id": {
            "fromMe": True,
            "remote": contact,
            "id": f"3EB0{serial:016X}",
            "_serialized": f"true_{contact}_3EB0{serial:016X}",
        },
        "from": _OWN_NUMBER,
        "to": contact,
        "type": "chat",
        "t": int(at),
        "ack": level,
    }


def normalise(raw: RawEvent, at: float, event_id: str) -> NormalisedEvent | None:
    """What the gateway sends on to the hub for a raw event received `at`; None where it sends nothing."""
    name = OUTWARD.get(str(raw.get("event")))
    session = raw.get("session")
    if name is None or not isinstance(session, str):
        return None
    envelope: NormalisedEvent = {
        "spec_version": "1.0",
        "event": name,
        "session": {"id": session, "name": session},
    }
    match raw["event"]:
        case "onpresencechanged":
            envelope["connection"] = {"status": raw["state"]}
        case "onack":
            envelope["ack"] = {"id": raw["id"]["_serialized"], "level": raw["ack"]}
        case _:
            envelope["message"] = {key: raw[key] for key in ("id", "type", "body", "fromMe")}
    return envelope | {
        "raw": {"provider": "wppconnect", "payload": raw},
        "event_id": event_id,
        "correlation_id": f"c-{event_id}",
        "timestamp": iso_time(at),
    }


def iso_time(at: float) -> str:
    """Epoch seconds as JavaScript's `toISOString` writes them: UTC, three decimals, `Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_OWN_NUMBER: Final = "5500000000001@c.us"
