"""The messages: written as JSON that stays, and read from a proxy of this version or another."""

import json

import msgspec
import pytest

from statusproxy.admin.messages import (
    Alive,
    Gone,
    Health,
    History,
    Released,
    SelfReport,
    Session,
    Sessions,
    State,
    read,
    to_text,
)
from statusproxy.observe.webhook_stats import WebhookTotals


def test_a_message_is_written_with_spaces_or_without() -> None:
    assert to_text(Alive("ok", "1.0")) == '{"status": "ok", "version": "1.0"}'
    assert to_text(Alive("ok", "1.0"), compact=True) == '{"status":"ok","version":"1.0"}'


def test_several_messages_are_one_object_in_their_order() -> None:
    assert to_text(Health("ok", "ok", "ok"), Gone(["a"]), now=None) == (
        '{"status": "ok", "store": "ok", "gateway": "ok", "sessions": ["a"], "now": null}'
    )


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("session", ["sales", "lone \ud800 line\n\nbreak é", "é", 'quote " \\ \x7f \x00'])
def test_any_id_goes_there_and_back_in_ascii(session: str, compact: bool) -> None:
    text = to_text(Gone([session]), compact=compact)
    assert text.isascii()
    assert "\n" not in text
    assert read(json.loads(text), Gone) == Gone([session])


@pytest.mark.parametrize("number", [0.0, 1e-07, 99.98, 1e22, 12345678.123])
def test_numbers_are_the_same_however_a_message_is_written(number: float) -> None:
    told = Session(session="sales", shows="gateway", uptime=number, lost_seconds=number)
    assert json.loads(to_text(told, compact=True)) == json.loads(to_text(told))


def test_health_names_only_what_there_is_to_say() -> None:
    assert json.loads(to_text(Health("ok", "ok", "ok", journal="off"))) == {
        "status": "ok", "store": "ok", "gateway": "ok", "journal": "off",
    }  # fmt: skip
    told = Health("degraded", "ok", "ok", missing=["client"], damage=["it was"])
    assert list(json.loads(to_text(told))) == ["status", "store", "gateway", "missing", "damage"]
    assert read(json.loads(to_text(told)), Health) == told


def test_what_a_session_does_not_have_is_null_and_not_left_out() -> None:
    known = json.loads(to_text(Session(session="sales", shows="gateway")))
    assert (len(known), known["since"], known["caught_up_on"]) == (32, None, [])
    assert read(known, Session) == Session(session="sales", shows="gateway")


def test_an_earlier_versions_answer_may_lack_keys_and_a_later_ones_may_have_more() -> None:
    earlier = read({"sessions": [{"session": "sales", "shows": "gateway"}]}, Sessions)
    assert (earlier.webhooks, earlier.disconnected) == (None, 0)
    later = {"sessions": [], "webhooks": {"came": 1, "trusted": 0, "untrusted": {"network": 1}, "new": 1}, "more": {}}
    assert read(later, Sessions).webhooks == WebhookTotals(1, 0, {"network": 1})
    assert read({"store": "ok", "damage": [{"text": "it was"}]}, State).damage[0].text == "it was"
    webhooks: dict[str, object] = {
        "last_heard": None, "heard": 0, "gap": 0, "senders": [], "paths": [], "events": [],
        "clock": {"timed": 0, "lag": None, "ahead": 0},
    }  # fmt: skip
    health = {"status": "ok", "store": "ok", "gateway": "ok"}
    report = {"version": "0.1.0", "pid": 1, "now": 2, "started": 1, "settings": "", "health": health}
    told = read(report | {"webhooks": webhooks}, SelfReport)
    assert (told.waiting, told.given, told.absences, told.forwarding_strangers) == ([], [], [], [])


@pytest.mark.parametrize(
    "answer", [{}, {"history": None}, {"history": [{"session": 1}]}, {"history": [{"session": "a", "change": "b"}]}]
)
def test_what_is_another_answer_is_refused(answer: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(answer, History)
    with pytest.raises(msgspec.ValidationError):
        read(answer, Released)
