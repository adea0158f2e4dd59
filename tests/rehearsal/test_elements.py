"""The events of a body, and which rule decided."""

import pytest
from msgspec.structs import replace

from statusproxy.rehearsal.elements import Element, Elements, dated
from statusproxy.status.fields import MISSING
from statusproxy.status.packing import Unread
from statusproxy.status.signals import SignalKind, Verdict
from tests.rehearsal.sites import NOW, a_site

RULES = a_site().settings.signal_rules()


def read(body: str, path_session: str | None = None) -> Element:
    (element,) = Elements(RULES).read(body.encode(), NOW, path_session)
    assert isinstance(element, Element)
    return element


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('{"event":"State","session":"a","word":"open"}', 1),
        ('{"event":"state","other":"a","other_word":"gone"}', 2),
        ('{"event":"gone","session":"a"}', 3),
        ('{"event":"state","session":"a","word":"else"}', 1),
        ('{"event":"unknown","session":"a"}', None),
        ('{"type":"gone"}', None),
        ("none", None),
    ],
)
def test_the_rule_is_the_one_whose_reading_counts(body: str, rule: int | None) -> None:
    assert read(body).rule == rule


def test_an_event_without_session_says_what_it_would_say_with_one() -> None:
    lost = read('{"event":"lost"}')
    assert (lost.reading.verdict, lost.rule) == (Verdict.NAMELESS, 3)
    assert lost.would_say is not None
    assert lost.would_say.kind is SignalKind.DISCONNECTED
    assert read('{"event":"lost"}', "a").would_say is None
    assert read('{"event":"state","word":"else"}').would_say is None


def test_what_is_no_json_has_no_document() -> None:
    assert read("none").document is MISSING
    assert read('{"event":"lost"}').document == {"event": "lost"}


def test_a_clock_of_its_own_orders_and_no_more() -> None:
    rules = replace(RULES, dialect=replace(RULES.dialect, own_clock=True))
    body = b'{"event":"lost","session":"a","timestamp":"2026-01-16T00:37:10Z"}'
    (element,) = Elements(rules).read(body, NOW)
    assert isinstance(element, Element)
    assert dated(element, rules) == ("orders", NOW + 5.5 * 3600)


def test_a_form_s_member_is_an_event() -> None:
    rules = replace(RULES, dialect=replace(RULES.dialect, body_member="jsonData"))
    (element,) = Elements(rules).read(b"token=example-secret&jsonData=%7B%22event%22%3A%22lost%22%7D", NOW, "a")
    assert isinstance(element, Element)
    assert (element.reading.event, element.rule) == ("lost", 3)


def test_each_event_of_a_body_is_read_and_what_is_left_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("statusproxy.status.packing.MOST_EVENTS", 3)
    lost, back = '{"event":"lost","session":"a"}', '{"event":"back","session":"a"}'
    for body in (f"[{lost},{back}]", f"{lost}\n{back}", f'{{"events":[{lost},{back}]}}'):
        elements = list(Elements(RULES).read(body.encode(), NOW))
        assert [one.rule for one in elements if isinstance(one, Element)] == [3, 4]
    *_, last = Elements(RULES).read(f"[{lost},{lost},{lost},{lost},{lost}]".encode(), NOW)
    assert last == Unread("too-many", 2)


@pytest.mark.parametrize(
    ("members", "is_"),
    [
        ('"event":"lost","session":"a","timestamp":"2026-01-15T19:07:00Z"', ("own", NOW - 10)),
        ('"event":"lost","session":"a","timestamp":"2026-01-15T22:07:10Z"', ("ahead", NOW + 10_800)),
        ('"event":"lost","session":"a","timestamp":"2026-01-15T19:07:10"', ("unusable", None)),
        ('"event":"lost","session":"a","timestamp":"2126-01-15T22:07:10Z"', ("too-far", None)),
        ('"event":"lost","session":"a","timestamp":1e99', ("too-far", None)),
        ('"event":"lost","session":"a"', ("none", None)),
        ('"event":"state","session":"a","word":"else","timestamp":"2026-01-15T22:07:10Z"', ("ahead", NOW + 10_800)),
        ('"event":"lost","timestamp":"2026-01-15T22:07:10Z"', ("ahead", NOW + 10_800)),
        ('"message":"lost","timestamp":"2126-01-15T22:07:10Z"', ("too-far", None)),
        ('"event":"unknown","timestamp":"2026-01-15T19:07:00Z"', ("own", NOW - 10)),
        ('"event":"unknown","timestamp":"soon"', ("unusable", None)),
    ],
)
def test_an_event_is_dated_by_itself_or_by_its_arrival(members: str, is_: tuple[str, float | None]) -> None:
    assert dated(read(f"{{{members}}}"), RULES) == is_
