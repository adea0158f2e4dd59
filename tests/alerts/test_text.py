"""A message in words."""

from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.alerts.message_types import SIDES
from statusproxy.alerts.text import Reader, Text, instant, text
from statusproxy.alerts.values import Line, Message, Outage, Topic
from statusproxy.status.model import EVICTED, FORGOTTEN, Release

AT = 1_768_504_026.0  # 2026-01-15 19:07:06 UTC
SAO_PAULO = timezone(timedelta(hours=-3))
UTC_MINUS_3 = timezone(timedelta(hours=-3), "-03")  # as the time zone database calls it
ENGLISH = Reader()
PORTUGUESE = Reader("pt-BR", UTC_MINUS_3)


def line(
    session: str = "sales",
    ago: float = 65.0,
    event: str = "status-find",
    word: str | None = "browserClose",
    gateway_said: str = "CONNECTED",
) -> Line:
    return Line(Outage(Topic.LOST, AT - ago, session, event, word, gateway_said))


def back(released: str | None, session: str = "sales") -> Line:
    return Line(line(session, 3700.0).outage, AT - 100, released)


def told(kind: str, lines: Sequence[Line], reader: Reader = ENGLISH, reminder: int = 0) -> Text:
    return text(Message("m", kind, AT, tuple(lines), (), reminder), lines, reader)


def test_a_loss_begins_with_session_since_when_and_why_and_ends_with_what_to_do() -> None:
    found = told("session.lost", [line()], Reader(gateway="WPPConnect Server", bring_back=("POST /a", "GET /b")))
    assert found.title == "sales is disconnected"
    assert found.body.splitlines() == [
        (
            "sales is disconnected, since 19:06 UTC (1 min 5 s before this message): the engine’s browser closed. "
            "The gateway claims: CONNECTED."
        ),
        "Reconnect it at the hub.",
        "Or ask the gateway (WPPConnect Server) for: POST /a, GET /b",
    ]


def test_the_same_in_portuguese_with_the_local_time() -> None:
    found = told("session.lost", [line(ago=100_000.0)], Reader("pt-BR", UTC_MINUS_3, "WAHA", ("POST /a",)))
    assert found.title == "sales está desconectada"
    assert found.body.splitlines() == [
        (
            "sales está desconectada, desde 14/01/2026 12:20 UTC-03 (1 d 3 h antes desta mensagem): o navegador do "
            "motor fechou. "
            "O gateway afirma: CONNECTED."
        ),
        "Reconecte a sessão no hub.",
        "Ou peça ao gateway (WAHA): POST /a",
    ]


def test_of_many_sessions_ten_are_named() -> None:
    found = told("session.lost", [line(f"s{number:02}") for number in range(13)])
    lines = found.body.splitlines()
    assert lines[0] == "13 sessions are disconnected:"
    assert lines[1] == (
        "- s00: since 19:06 UTC (1 min 5 s before this message), the engine’s browser closed; "
        "the gateway claims: CONNECTED"
    )
    assert lines[10].startswith("- s09:")
    assert lines[11:] == ["and 3 more", "Reconnect them at the hub."]
    assert told("session.lost", [line("a"), line("b")], PORTUGUESE).body.splitlines()[0] == (
        "2 sessões estão desconectadas:"
    )


@pytest.mark.parametrize(
    ("event", "word", "why"),
    [
        ("disconnectedMobile", "", "unlinked on the phone"),
        ("x", " CLOSE ", "the connection closed"),
        ("LoggedOut", "gone", "event LoggedOut with gone"),
        ("LoggedOut", None, "event LoggedOut"),
    ],
)
def test_why_is_said_in_words_where_they_are_known(event: str, word: str | None, why: str) -> None:
    assert f": {why}. The" in told("session.lost", [line(event=event, word=word)]).body


def test_an_event_without_a_word_is_named_and_what_the_gateway_never_said_is_left_out() -> None:
    alone = Line(Outage(Topic.LOST, AT - 65, "sales", "LoggedOut"))
    assert (
        told("session.lost", [alone]).body.splitlines()[0].endswith("(1 min 5 s before this message): event LoggedOut.")
    )
    nothing = Line(Outage(Topic.LOST, AT - 65, "sales"))
    assert "event –" in told("session.lost", [nothing]).body


@pytest.mark.parametrize(
    ("released", "title", "how"),
    [
        ("alive", "sales is connected again", "a message came in"),
        ("connected-event", "sales is connected again", "an event said connected"),
        ("reconnected", "sales is connected again", "it was connected again"),
        ("deleted", "sales is no longer shown as disconnected", "the session was deleted"),
        ("operator", "sales is no longer shown as disconnected", "released by hand, and not known to be connected"),
        (None, "sales is no longer shown as disconnected", "how it ended is not known"),
    ],
)
def test_back_says_connected_only_where_that_is_known(released: str | None, title: str, how: str) -> None:
    found = told("session.back", [back(released)])
    assert found.title == title
    assert found.body == (f"{title}, since 19:05 UTC: {how}. It was disconnected for 1 h, since 18:05 UTC.")


@pytest.mark.parametrize(
    ("released", "title"),
    [("alive", "2 sessions are connected again"), ("expired", "2 sessions are no longer shown as disconnected")],
)
def test_many_that_are_back_are_connected_only_where_each_is(released: str, title: str) -> None:
    found = told("session.back", [back("alive", "a"), back(released, "b")])
    assert found.title == title
    assert found.body.splitlines()[1] == "- a: since 19:05 UTC, a message came in; disconnected for 1 h"


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_each_way_in_which_a_correction_ends_has_words(language: Literal["en", "pt-BR"]) -> None:
    unknown = told("session.back", [back(None)], Reader(language)).body
    for released in [*Release, EVICTED, FORGOTTEN]:
        assert told("session.back", [back(released)], Reader(language)).body != unknown


@pytest.mark.parametrize("language", ["en", "pt-BR"])
@pytest.mark.parametrize("kind", [kind for kind, side in SIDES.items() if side.topic is not Topic.LOST])
def test_a_condition_is_told_with_its_reason_its_reminder_and_its_end(
    kind: str, language: Literal["en", "pt-BR"]
) -> None:
    side = SIDES[kind]
    outage = Outage(side.topic, AT - 100, reason="connection refused.")
    lines = [Line(outage, AT - 10 if side.over else None)]
    found = told(kind, lines, Reader(language))
    assert found.body.startswith(found.title)
    assert ("1 min 30 s" if side.over else "1 min 40 s") in found.body
    if not side.over:
        assert ": connection refused. " in found.body
        again = told(kind, lines, Reader(language), reminder=1)
        assert again.title != found.title
        assert again.body.startswith(again.title)


def test_a_reminder_says_that_it_still_lasts() -> None:
    assert told("session.lost", [line()], reminder=1).title == "sales is still disconnected"
    assert told("session.lost", [line("a"), line("b")], reminder=3).title == "2 sessions are still disconnected"


def test_a_test_message_says_that_nothing_is_wrong() -> None:
    assert told("test", []).body == "Test message of statusproxy: alerts reach you here. Nothing is wrong."
    assert told("test", [], PORTUGUESE).title == "Mensagem de teste do statusproxy"


@pytest.mark.parametrize(
    ("seconds", "span"),
    [
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3_600, "1 h"),
        (3_905, "1 h 5 min"),
        (90_000, "1 d 1 h"),
        (864_005, "10 d"),
        (-5, "0 s"),
    ],
)
def test_how_long_ago_is_said_by_its_two_largest_units(seconds: float, span: str) -> None:
    assert f"({span} before this message)" in told("session.lost", [line(ago=seconds)]).body


def test_a_time_zone_without_a_name_is_said_by_its_offset() -> None:
    assert "since 16:06 UTC-03:00 " in told("session.lost", [line()], Reader(zone=SAO_PAULO)).body


def test_what_came_from_elsewhere_forges_no_line_and_fills_no_page() -> None:
    found = told("session.lost", [line("a\nb\u202e{since}", gateway_said="x" * 5000)])
    assert found.title == "a\\nb\\u202e{since} is disconnected"
    assert f"claims: {'x' * 199}…." in found.body


def test_a_message_of_a_newer_proxy_is_told_by_its_type() -> None:
    assert told("moon.full{x}", [line()]).body == "moon.full{x}"
    assert told("moon.full", [line("a"), line("b")], reminder=1).body == "moon.full:\n- a\n- b"


@pytest.mark.parametrize("at", [-1e18, 1e18])
def test_a_clock_that_is_badly_wrong_costs_no_message(at: float) -> None:
    found = told("session.lost", [Line(Outage(Topic.LOST, at, "sales", "close"))], Reader(zone=SAO_PAULO))
    assert found.body.startswith("sales is disconnected, since ")
    assert instant(at, UTC_MINUS_3).year in (1969, 9999)


@given(
    st.text(),
    st.text(),
    st.none() | st.text(),
    st.none() | st.text(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([ENGLISH, PORTUGUESE]),
)
def test_whatever_senders_and_gateway_write_the_message_keeps_its_lines(
    session: str, event: str, word: str | None, said: str | None, since: float, reader: Reader
) -> None:
    lines = [Line(Outage(Topic.LOST, since, session, event, word, said)) for _ in range(3)]
    found = told("session.lost", lines, reader)
    assert found.body.count("\n") == 4
    assert all(line.isprintable() for line in found.body.splitlines())
