"""The made-up events have the shapes and the traps of the real ones."""

from __future__ import annotations

from statusproxy.demo.events import ack, iso_time, message, normalise, presence, qr_code, status_find

AT = 1768504026.49


def test_a_presence_event_is_passed_on_under_the_name_of_a_connection_event() -> None:
    raw = presence("sales", "5500000000000@c.us", "unavailable", AT)
    assert normalise(raw, AT + 0.007, "e-1") == {
        "spec_version": "1.0",
        "event": "connection.update",
        "session": {"id": "sales", "name": "sales"},
        "connection": {"status": "unavailable"},
        "raw": {"provider": "wppconnect", "payload": raw},
        "event_id": "e-1",
        "correlation_id": "c-e-1",
        "timestamp": "2026-01-15T19:07:06.497Z",
    }
    assert raw["t"] == 1768504026490


def test_the_engines_word_about_a_session_never_leaves_the_gateway() -> None:
    assert normalise(status_find("sales", "disconnectedMobile"), AT, "e-1") is None


def test_an_event_without_a_session_is_not_passed_on() -> None:
    raw = presence("sales", "5500000000000@c.us", "available", AT)
    del raw["session"]
    assert normalise(raw, AT, "e-1") is None


def test_messages_and_acks_leave_under_one_name_and_keep_their_raw_one_inside() -> None:
    received = message("sales", "5500000000000@c.us", "hello", AT, 1)
    own = message("sales", "5500000000000@c.us", "hello", AT, 2, own=True)
    read = ack("sales", "5500000000000@c.us", 3, AT, 2)
    outward = [normalise(raw, AT, "e-1") for raw in (received, own, read)]
    assert [event and event["event"] for event in outward] == ["message"] * 3
    inside = [event and event["raw"]["payload"]["event"] for event in outward]
    assert inside == ["onmessage", "onselfmessage", "onack"]


def test_a_messages_own_time_is_in_seconds() -> None:
    assert message("sales", "5500000000000@c.us", "hello", AT, 1)["t"] == 1768504026


def test_times_are_written_as_javascript_writes_them() -> None:
    assert iso_time(0) == "1970-01-01T00:00:00.000Z"


def test_a_code_to_scan_says_nothing_about_a_connection() -> None:
    raw = qr_code("sales", "data:image/png;base64,AAAA")
    assert (raw["event"], raw["session"], raw["qrcode"]) == ("qrcode", "sales", "data:image/png;base64,AAAA")
    assert normalise(raw, AT, "e-1") is None
