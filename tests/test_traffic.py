"""The made-up day is as large, as noisy and as misleading as a real one, and the same each time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from tests.traffic import (
    CONTACTS,
    DAY,
    MESSAGES,
    MIDNIGHT,
    PRESENCE_EVENTS,
    RELINKED_AT,
    SESSIONS,
    STATUS_EVENTS,
    UNLINKED_AT,
    TimedEvent,
    day,
)

pytestmark = pytest.mark.slow


def names(events: Iterable[TimedEvent]) -> Counter[str]:
    return Counter(f"{event.leg} {event.document['event']}" for event in events)


def test_the_same_seed_makes_the_same_day_and_another_seed_another() -> None:
    first, again, other = day(1), day.__wrapped__(1), day(2)
    assert [(event.at, event.body) for event in first] == [(event.at, event.body) for event in again]
    assert first.events != other.events


def test_a_day_has_the_volume_of_a_real_one() -> None:
    quiet = day(1)
    counted = names(quiet)
    assert counted["inbound onpresencechanged"] == quiet.presence == PRESENCE_EVENTS
    assert counted["outbound connection.update"] > PRESENCE_EVENTS  # retries
    assert counted["inbound status-find"] == STATUS_EVENTS
    assert counted["inbound onmessage"] + counted["inbound onselfmessage"] == MESSAGES
    assert counted["inbound onack"] % 3 == 0
    assert len({event.raw["id"] for event in quiet if event.raw["event"] == "onpresencechanged"}) == CONTACTS


def test_events_arrive_in_order_within_the_day() -> None:
    moments = [event.at for event in day(3)]
    assert moments == sorted(moments)
    assert moments[0] >= MIDNIGHT
    assert moments[-1] < MIDNIGHT + DAY + 300


def test_every_event_of_the_hub_was_the_engines_first() -> None:
    seen: set[int] = set()
    for event in day(1):
        if event.leg == "inbound":
            seen.add(id(event.document))
        else:
            assert id(event.raw) in seen


def test_a_retry_comes_under_the_same_id() -> None:
    ids = Counter(event.document["event_id"] for event in day(1) if event.leg == "outbound")
    assert set(ids.values()) == {1, 2}


def test_some_words_of_loss_name_no_session() -> None:
    nameless = [event.raw["status"] for event in day(1) if event.session is None]
    assert {"disconnectedMobile", "browserClose"} < set(nameless)


def test_on_a_quiet_day_nobody_is_ever_disconnected_whatever_the_events_seem_to_say() -> None:
    quiet = day(1)
    assert not quiet.outages
    assert not any(quiet.disconnected(session, event.at) for session in SESSIONS for event in quiet)


@pytest.mark.parametrize("session", SESSIONS)
def test_read_literally_a_healthy_session_is_disconnected_for_much_of_the_day(session: str) -> None:
    lost = 0.0
    since: float | None = None
    for event in day(1):
        if event.leg != "outbound" or event.session != session or event.document["event"] != "connection.update":
            continue
        if event.document["connection"]["status"] == "unavailable":
            since = event.at if since is None else since
        elif event.document["connection"]["status"] == "available" and since is not None:
            lost += event.at - since
            since = None
    assert 0.3 < lost / DAY < 0.7


def test_the_outage_is_where_the_engine_reports_it() -> None:
    bad = day(1, unlinked=True)
    words = [
        (event.at, event.raw["status"])
        for event in bad
        if event.session == "sales" and event.raw["event"] == "status-find" and bad.disconnected("sales", event.at)
    ]
    assert words[0] == (UNLINKED_AT, "disconnectedMobile")
    assert [word for _, word in words] == [
        "disconnectedMobile",
        "browserClose",
        "notLogged",
        "qrReadSuccess",
        "isLogged",
    ]
    assert not bad.disconnected("sales", UNLINKED_AT - 0.001)
    assert not bad.disconnected("sales", RELINKED_AT)
    assert not bad.disconnected("support", UNLINKED_AT + 1)


def test_during_the_outage_nothing_is_received_but_an_old_message_is_still_delivered() -> None:
    bad = day(1, unlinked=True)
    during = [event for event in bad if event.session == "sales" and bad.disconnected("sales", event.at)]
    assert names(event for event in during if event.leg == "inbound")["inbound onmessage"] == 0
    late = [event for event in during if event.raw.get("body") == "last words" and event.leg == "outbound"]
    assert late[0].at > UNLINKED_AT + 120
    assert late[0].raw["t"] < UNLINKED_AT
