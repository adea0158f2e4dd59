"""What holds at every gateway: the data as it comes along, and where it serves."""

import pytest

from statusproxy.config.every_gateway import every_gateway
from statusproxy.config.layers import preset_names
from statusproxy.config.load import loads
from statusproxy.status.dialect import Shape
from statusproxy.status.signals import SignalKind, Verdict, read
from tests.config.refusals import GATEWAY
from tests.known_dialect import KNOWN


def test_it_is_read_once() -> None:
    assert every_gateway() is every_gateway()


def test_each_member_is_looked_for_in_each_object_that_may_hold_it() -> None:
    own = every_gateway().own
    assert len(own.paths) == len(set(own.paths)) == 90
    assert {path[-1] for path in own.paths} == {"fromMe", "from_me", "IsFromMe"}
    assert own.paths[:3] == (("fromMe",), ("from_me",), ("IsFromMe",))
    assert ("messages", "0", "key", "fromMe") in own.paths


def test_events_that_say_nothing_are_named_as_they_are_compared() -> None:
    assert every_gateway().neutral == tuple(name.casefold() for name in every_gateway().neutral)


@pytest.mark.parametrize("preset", ["null", *preset_names()])
def test_the_marks_of_own_messages_serve_at_every_gateway(preset: str) -> None:
    dialect = loads(f"{GATEWAY}preset: {preset}").signal_rules().dialect
    assert set(dialect.own) >= set(KNOWN.own)
    assert (dialect.own_ids, dialect.receipts) == (KNOWN.own_ids, KNOWN.receipts)
    assert dialect.presence_words == {"available", "unavailable", "composing", "paused"}
    assert dialect.presence_prefixes == ("recording",)
    assert dialect.presence_ids == (("id",), ("id", "_serialized"))
    assert (dialect.presence, dialect.presence_in) == (KNOWN.presence, KNOWN.presence_in)
    assert (dialect.raw_event, dialect.presence_events) == (KNOWN.raw_event, KNOWN.presence_events)


def test_where_no_preset_says_otherwise_gateway_wrapper_and_its_engine_are_known() -> None:
    assert KNOWN.event == (("event",),)
    assert KNOWN.raw_event == (("raw", "payload", "event"),)
    assert KNOWN.time == (("timestamp",), ("raw", "payload", "t"))
    assert KNOWN.event_id == (("event_id",),)
    assert KNOWN.presence == ("isOnline", "isUser", "isGroup", "isContact", "shortName", "participants")
    assert KNOWN.presence_events == {"onpresencechanged"}
    assert KNOWN.presence_in == ((), ("raw", "payload"))
    assert KNOWN.receipts == (Shape(present=(("spec_version",),), filled=(("ack",),), empty=(("message",),)),)
    assert KNOWN.qr == ("qr", "qr_base64", "qrcode", "base64Qrimg", "base64", "base64Image", "image", "qrcode_base64")


def test_a_receipt_that_is_passed_on_as_a_message_is_nobodys_word() -> None:
    rules = loads(GATEWAY).signal_rules()
    for body, verdict in (
        (b'{"event":"message","session":"a","spec_version":"1","ack":2}', Verdict.OWN_MESSAGE),
        (b'{"event":"message","session":"a","spec_version":null,"ack":0,"message":null}', Verdict.OWN_MESSAGE),
        (b'{"event":"message","session":"a","spec_version":"1","ack":null}', Verdict.SIGNAL),
        (b'{"event":"message","session":"a","spec_version":"1"}', Verdict.SIGNAL),
        (b'{"event":"message","session":"a","spec_version":"1","ack":2,"message":{"text":"x"}}', Verdict.SIGNAL),
        (b'{"event":"message","session":"a","ack":2}', Verdict.SIGNAL),
    ):
        found = read(body, rules, 0.0)
        assert found.verdict is verdict, body
        assert found.signal is None or found.signal.kind is SignalKind.ALIVE
