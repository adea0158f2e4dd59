"""The table of gateways fits the presets, and an unknown name is told with those that are known."""

from __future__ import annotations

import pytest

from statusproxy.config.layers import preset_names
from statusproxy.demo.dialect import Occasion, Seen, State
from statusproxy.demo.dialects.table import DEFAULT, DIALECTS, WITHOUT_EVENTS, NoStoryError, dialect, known


def test_each_preset_has_its_story_or_a_reason_for_none() -> None:
    told = {DEFAULT, *DIALECTS, *WITHOUT_EVENTS}
    missing = sorted(set(preset_names()) - told)
    assert not missing, f"{missing}: add it to DIALECTS or WITHOUT_EVENTS of statusproxy/demo/dialects/table.py"
    assert told == set(preset_names())


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(NoStoryError) as caught:
        dialect("evolution")
    assert str(caught.value) == f"unknown gateway 'evolution'; known: {', '.join(known())}"


def test_each_gateway_is_found_by_the_name_of_its_preset() -> None:
    assert [dialect(name).name for name in DIALECTS] == list(DIALECTS)
    assert set(known()) == {DEFAULT, *DIALECTS}


def test_a_gateway_without_connection_events_is_told_why_it_has_no_story() -> None:
    with pytest.raises(NoStoryError, match="GOWA sends no event about its connections"):
        dialect("gowa")


def test_three_gateways_are_stale_by_themselves() -> None:
    stale = {one.name for one in DIALECTS.values() if one.is_stale}
    assert stale == {"wppconnect-server", "evolution-v1", "evolution-v2"}


@pytest.mark.parametrize("name", DIALECTS)
def test_the_last_request_of_a_reconnect_shows_the_code(name: str) -> None:
    *before, last = DIALECTS[name].reconnect
    assert last.shows_code
    seen = Seen("1", "sales", "token-of-sales", DIALECTS[name].shows[State.SCANNING], "the code")
    assert "the code" in str(last.answer([seen]))
    assert not any(route.shows_code for route in before)
    assert all(route.answer([seen]) for route in before)


@pytest.mark.parametrize(("name", "member"), [("evolution-v2", "date_time"), ("waha", "timestamp")])
def test_events_that_come_late_have_a_time_that_orders_them(name: str, member: str) -> None:
    tell = DIALECTS[name].events[State.CONNECTED]
    seen = Seen("sales", "sales", "token-of-sales", "open")
    (first,), (second,) = tell(Occasion(seen, 1_768_478_400.0, 1)), tell(Occasion(seen, 1_768_478_401.0, 2))
    assert first[member] < second[member]
