"""The block `dialect`: what it may say, and what the domain makes of it."""

import re

import pytest

from statusproxy.config.errors import ConfigError
from statusproxy.config.load import dump, loads
from statusproxy.status.dialect import Shape
from tests.config.refusals import GATEWAY
from tests.known_dialect import KNOWN, known


def test_marks_of_own_messages_are_added_to_those_that_are_known() -> None:
    own = loads(GATEWAY + "dialect: {own: [meta.outgoing]}").signal_rules().dialect.own
    assert (own[:-1], own[-1]) == (KNOWN.own, ("meta", "outgoing"))
    assert loads(GATEWAY).signal_rules().dialect.own == KNOWN.own


def test_a_dialect_adds_marks_of_own_messages_and_says_where_presence_shows() -> None:
    marks = "own_ids: meta.id, receipt: {meta.ack: filled, text: empty}"
    settings = loads(f"{GATEWAY}dialect: {{{marks}, presence_in: [meta, ''], presence_events: Seen}}")
    dialect = settings.signal_rules().dialect
    assert dialect.own_ids == (*KNOWN.own_ids, ("meta", "id"))
    assert dialect.receipts == (*KNOWN.receipts, Shape(filled=(("meta", "ack"),), empty=(("text",),)))
    assert dialect.presence_in == (("meta",), ())
    assert dialect.presence_events == {"seen"}
    assert loads(dump(settings)) == settings


def test_the_dialect_says_where_a_gateway_names_things() -> None:
    assert loads(GATEWAY).signal_rules().dialect == KNOWN
    assert loads(GATEWAY + "preset: null").signal_rules().dialect == KNOWN
    assert loads(GATEWAY + "preset: waha\ndialect: {}").signal_rules().dialect == KNOWN
    written = "dialect: {event: [type, e.name], time: at, event_id: [], presence: [lastSeen], qr: [code]}"
    assert loads(GATEWAY + written).signal_rules().dialect == known(
        event=(("type",), ("e", "name")), time=(("at",),), event_id=(), presence=("lastSeen",), qr=("code",)
    )


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("event: []", "found an empty list; allowed: at least one entry"),
        ("event: ['']", 'found ""; allowed: the name of a field, or names joined by dots'),
        ("qr: []", "found an empty list; allowed: at least one entry"),
        ("qr: [data.qr]", 'found "data.qr"; allowed: the name of a field without dots'),
        ("qr: [QR, code, qr]", 'dialect.qr[2]: found "qr"; an entry before it is the same; allowed: each once'),
        ("presence: [' ']", 'found " "; allowed: the name of a field without dots'),
        ("time: ['items.0.t']", "a path cannot lead into an array"),
        ("times: [t]", 'unknown key; did you mean "time"?'),
        ("receipt: {ack: full}", 'dialect.receipt.ack: found "full"; allowed: present, filled, empty'),
        ("receipt: [ack]", "found a list; allowed: a mapping such as {ack: filled, message: empty}"),
        ("receipt: {items.0: filled}", "a path cannot lead into an array"),
    ],
)
def test_a_dialect_that_can_match_nothing_is_refused(written: str, why: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(why)):
        loads(GATEWAY + f"dialect: {{{written}}}")


def test_a_dialect_says_whose_clock_it_is_and_how_events_are_packed() -> None:
    written = "dialect: {raw_event: [inner.name, kind], clock: own, body: 'form:jsonData'}"
    settings = loads(GATEWAY + written)
    dialect = settings.dialect.value()
    assert dialect.raw_event == (("inner", "name"), ("kind",))
    assert (dialect.own_clock, dialect.body_member) == (True, "jsonData")
    assert loads(dump(settings)) == settings
    plain = loads(GATEWAY).dialect.value()
    assert (plain.raw_event, plain.own_clock, plain.body_member) == (KNOWN.raw_event, False, None)
