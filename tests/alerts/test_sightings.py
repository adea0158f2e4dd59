"""What is wrong now: lost sessions with their words, how they ended, and what the proxy itself needs."""

import pytest

from statusproxy.alerts.sightings import STUCK, Conditions, SpoolVitals, Vitals, endings, lost_sessions
from statusproxy.alerts.values import Ending, Outage, Told, Topic
from statusproxy.status.model import Override, Record
from statusproxy.status.signals import SignalKind
from tests.alerts.fakes import NOW, FakeRegistry, Said, lost
from tests.registry.test_session_rows import World


async def test_every_lost_session_is_seen_with_what_told_it_and_what_the_gateway_claims() -> None:
    registry = FakeRegistry()
    registry.lose("sales")
    registry.find("support", NOW)
    assert await lost_sessions(registry) == [lost("sales")]


async def test_where_none_is_lost_no_record_is_looked_at() -> None:
    registry = FakeRegistry()
    registry.find("support", NOW)
    assert await lost_sessions(registry) == []
    assert registry.looks == 0


@pytest.mark.parametrize(("age", "word"), [(-11.0, "connected"), (5.0, "CONNECTED!")])
async def test_the_newest_word_of_the_gateway_counts(age: float, word: str) -> None:
    registry = FakeRegistry()
    registry.lose("sales")
    registry.words["sales"] = Said("CONNECTED!", NOW + age)
    (outage,) = await lost_sessions(registry)
    assert outage.gateway_said == word


async def test_times_are_those_of_the_systems_clock() -> None:
    registry = FakeRegistry()
    registry.lose("sales")
    registry.shift = 100.0
    (outage,) = await lost_sessions(registry)
    assert outage.since == NOW + 100


def corrected(at: float) -> Override:
    return Override(since=at, at=at, began=at, event="close", word="close")


async def test_a_session_that_is_spelt_in_several_ways_is_one_outage_since_the_first() -> None:
    world = World(
        Record("sales", override=corrected(980.0)), Record("eng-1", override=corrected(990.0)), **{"eng-1": "sales"}
    )
    await world.lists(sales="connected")
    (outage,) = await lost_sessions(world.registry)
    assert (outage.session, outage.since, outage.gateway_said) == ("sales", 980.0, "connected")


async def test_a_session_that_another_spelling_knows_to_be_connected_is_not_lost() -> None:
    known = Record("sales", verdict=SignalKind.CONNECTED, known_at=995.0, heard_at=995.0, channel="sales")
    world = World(Record("eng-1", override=corrected(980.0), channel="sales"), known, **{"eng-1": "sales"})
    world.registry.now()
    assert world.registry.has_overrides
    assert await lost_sessions(world.registry) == []
    told = [Told(lost("eng-1", since=980.0), "m1", 985.0)]
    (ending,) = (await endings(world.registry, told, 1_000.0)).values()
    assert ending.released == "connected-event"


async def test_an_outage_that_was_told_under_one_spelling_goes_on_under_it() -> None:
    world = World(
        Record("sales", override=corrected(980.0)), Record("eng-1", override=corrected(980.0)), **{"eng-1": "sales"}
    )
    assert [each.session for each in await lost_sessions(world.registry)] == ["sales", "eng-1"]
    await world.lists(sales="connected")
    assert [each.session for each in await lost_sessions(world.registry, ["lost:eng-1"])] == ["eng-1"]


async def test_a_session_whose_name_means_no_channel_any_more_is_told_under_its_own_id() -> None:
    world = World(Record("eng-1", override=corrected(980.0), channel="sales"))
    await world.lists(support="connected")
    assert [each.session for each in await lost_sessions(world.registry)] == ["eng-1"]


async def test_hundreds_of_sessions_are_seen_in_turns() -> None:
    registry = FakeRegistry()
    for number in range(500):
        registry.lose(f"s{number}")
    assert len(await lost_sessions(registry)) == 500


async def test_how_an_outage_ended_is_what_the_map_says_of_it() -> None:
    registry = FakeRegistry()
    registry.find("sales", NOW + 60)
    registry.find("older", NOW - 60)
    registry.lose("lasting")
    told = [Told(lost(each), "m1", NOW) for each in ("sales", "older", "lasting", "gone")]
    told.append(Told(Outage(Topic.STORE, NOW), "m2", NOW))
    assert await endings(registry, told, NOW + 99) == {
        "lost:sales": Ending(NOW + 60, "connected-event"),
        "lost:gone": Ending(NOW + 99, "forgotten"),
    }


async def test_how_an_outage_dated_ahead_ended_is_found() -> None:
    registry = FakeRegistry()
    registry.find("sales", NOW + 60)
    told = [Told(lost("sales", since=NOW + 10_800), "m1", NOW)]
    assert await endings(registry, told, NOW + 99) == {"lost:sales": Ending(NOW + 60, "connected-event")}


async def test_the_ends_of_hundreds_are_found_in_turns() -> None:
    assert len(await endings(FakeRegistry(), [Told(lost(f"s{n}"), "m", NOW) for n in range(500)], NOW)) == 500


def test_what_works_is_no_condition() -> None:
    assert Conditions().outages(Vitals(spool=SpoolVitals()), NOW) == []


def test_a_condition_lasts_since_it_was_first_seen_and_begins_anew_after_its_end() -> None:
    conditions = Conditions()
    assert conditions.outages(Vitals(gateway="connection refused"), NOW) == [
        Outage(Topic.GATEWAY_DOWN, NOW, reason="connection refused")
    ]
    assert conditions.outages(Vitals(gateway="no answer in time"), NOW + 9) == [
        Outage(Topic.GATEWAY_DOWN, NOW, reason="no answer in time")
    ]
    assert conditions.outages(Vitals(), NOW + 10) == []
    assert conditions.outages(Vitals(gateway="x"), NOW + 20) == [Outage(Topic.GATEWAY_DOWN, NOW + 20, reason="x")]


@pytest.mark.parametrize("step", [-10_800.0, 10_800.0])
def test_a_condition_lasts_as_long_as_it_does_though_the_systems_clock_is_set(step: float) -> None:
    conditions, vitals = Conditions(), Vitals(store="disk full", silent_since=NOW - 900)
    conditions.outages(vitals, NOW)
    later = vitals._replace(silent_since=NOW - 900 + step)
    since = [each.since for each in conditions.outages(later, NOW + 10 + step, step)]
    assert since == [NOW + step, NOW - 900 + step]


def test_the_store_and_silent_webhooks_are_conditions_and_silence_lasts_since_the_last_webhook() -> None:
    assert Conditions().outages(Vitals(store="disk full", silent_since=NOW - 900), NOW) == [
        Outage(Topic.STORE, NOW, reason="disk full"),
        Outage(Topic.WEBHOOKS_SILENT, NOW - 900, reason="no webhook comes in"),
    ]


@pytest.mark.parametrize(
    ("spool", "reason"),
    [
        (SpoolVitals(waiting=2, waiting_since=NOW - STUCK), None),
        (SpoolVitals(waiting=2, waiting_since=NOW - STUCK - 1), "2 events wait to be delivered"),
        (SpoolVitals(waiting=1, away_since=NOW - STUCK - 1), "1 event waits to be delivered"),
        (SpoolVitals(unknown=1), "1 event was sent and not answered"),
        (SpoolVitals(dead=2), "2 events are refused each time"),
        (SpoolVitals(unknown=2, dead=1), "2 events were sent and not answered; 1 event is refused each time"),
    ],
)
def test_the_spool_is_stuck_where_an_operator_must_act_or_events_wait_for_long(
    spool: SpoolVitals, reason: str | None
) -> None:
    found = [outage.reason for outage in Conditions().outages(Vitals(spool=spool), NOW)]
    assert found == ([] if reason is None else [reason])
