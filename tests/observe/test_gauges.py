"""What is true at this moment: parsed by Prometheus' own parser, bounded whatever ids are made up."""

from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.observe import gauges as gauges_module
from statusproxy.observe.gauges import (
    LABEL_LENGTH,
    SESSION_SERIES,
    PoolNow,
    RegistryNow,
    SessionNow,
    SessionSeries,
    SpoolNow,
    proxy_gauges,
    registry_gauges,
    session_label,
    spool_gauges,
)
from statusproxy.observe.metrics import Metrics
from statusproxy.observe.session_losses import SessionLosses
from statusproxy.status.model import RELEASED, STARTED, Change, Override, Record
from statusproxy.status.session_state import SessionState
from statusproxy.status.signals import SignalKind
from tests.observe.prometheus import Sample, samples, value


def lost(session: str) -> Record:
    """A session shown as disconnected."""
    return Record(session, override=Override(since=1.0, at=1.0, began=1.0, event="closesession"))


def standing(*records: Record) -> list[SessionNow]:
    """Sessions that events told of, as they stand."""
    lost, well = SessionState.LOST, SessionState.CONNECTED
    return [
        SessionNow(record.session, well if record.override is None else lost, record, False, (record.session,))
        for record in records
    ]


def chosen(sessions: list[SessionNow]) -> list[SessionNow]:
    """Those that get series of their own, of sessions told a few at a time."""
    series = SessionSeries()
    for start in range(0, len(sessions), 7):
        series.add(sessions[start : start + 7])
    return series.chosen()


#: A channel of the list that no event told of.
SILENT = SessionNow("silent", SessionState.NEEDS_QR, None, True)


def test_sessions_worth_telling_of_come_first_and_a_flood_pushes_no_known_one_out() -> None:
    flood = [Record(f"made-up-{number}", heard_at=9.0) for number in range(SESSION_SERIES * 2)]
    known, heard = Record("known", verdict=SignalKind.CONNECTED, known_at=1.0), Record("heard", alive_at=1.0)
    told = chosen(standing(*flood, known, lost("lost"), heard))
    assert [one.session for one in told[:4]] == ["lost", "known", "heard", "made-up-0"]
    assert len(told) == SESSION_SERIES


def test_no_flood_of_made_up_losses_pushes_out_a_session_that_the_gateways_list_names() -> None:
    flood = [lost(f"made-up-{number}") for number in range(SESSION_SERIES)]
    real = replace(lost("real"), confirmed=True)
    told = chosen(standing(*flood, real))
    assert [one.session for one in told[:2]] == ["real", "made-up-0"]
    assert len(told) == SESSION_SERIES


def test_a_channel_that_no_event_told_of_comes_before_a_flood_of_made_up_ids() -> None:
    flood = [Record(f"made-up-{number}", heard_at=9.0) for number in range(SESSION_SERIES)]
    told = chosen([*standing(*flood, lost("lost")), SILENT])
    assert [one.session for one in told[:3]] == ["lost", "silent", "made-up-0"]


def test_a_label_is_short_and_is_utf8_whatever_the_id() -> None:
    assert session_label("x" * 1000) == "x" * LABEL_LENGTH
    assert session_label("lone \ud800 half") == "lone ? half"


def now(*records: Record, **more: Any) -> Sample:
    """The gauges of a registry that knows these sessions."""
    values: dict[str, Any] = {
        "heard_at": 40.0, "store_healthy": True, "damage": 0, "losses": SessionLosses(),
        "repairs": {"damaged": 0, "deleted": 2, "replaced": 0}, "missing": {"client": 3, "upgrade": 0},
    }  # fmt: skip
    sessions = SessionSeries()
    sessions.add(standing(*records) + more.pop("silent", []))
    overrides = [record for record in records if record.override is not None]
    shown = sum(record.shown_at is not None for record in overrides)
    values |= {"known": len(records), "overrides": len(overrides), "shown": shown}
    return samples(Metrics(), registry_gauges(RegistryNow(sessions, **values | more)))


def test_each_session_tells_since_when_it_is_lost_and_when_it_was_last_heard() -> None:
    found = now(Record("sales", heard_at=90.0, alive_at=70.0), lost("support"))
    assert value(found, "session_last_event_timestamp_seconds", session="sales") == 90
    assert value(found, "session_last_message_timestamp_seconds", session="sales") == 70
    assert value(found, "override_since_timestamp_seconds", session="support") == 1
    assert (value(found, "sessions"), value(found, "overrides")) == (2, 1)


def test_what_never_was_has_no_timestamp() -> None:
    found = now(Record("sales"))
    assert not [name for name, labels in found if ("session", "sales") in labels and "timestamp" in name]


def test_a_session_is_in_one_state_and_the_others_are_told_as_0() -> None:
    found = now(lost("sales"), silent=[SILENT])
    states = {state: value(found, "session_state", session="sales", state=state) for state in SessionState}
    assert states == {"lost": 1, "reported_down": 0, "needs_qr": 0, "connected": 0, "unknown": 0}
    assert value(found, "session_state", session="silent", state="needs_qr") == 1, "no event told of it"
    assert ("statusproxy_session_state", frozenset({("session", "silent"), ("state", "lost")})) in found


def test_the_states_of_many_sessions_are_told_in_short_parts() -> None:
    sessions = SessionSeries()
    sessions.add(standing(*(lost(f"s{number}") for number in range(SESSION_SERIES))))
    told = RegistryNow(sessions, 0, 0, 0, 40.0, True, 0, {}, SessionLosses(), {})
    parts = [family for family in registry_gauges(told) if family.name == "statusproxy_session_state"]
    assert sum(len(part.samples) for part in parts) == SESSION_SERIES * len(SessionState)
    assert max(len(part.samples) for part in parts) <= SESSION_SERIES


def test_the_losses_of_each_session_are_told_from_0_on() -> None:
    losses = SessionLosses()
    losses.changed([Change("sales", STARTED, "event", 10.0, 10.0)], 10.0)
    losses.changed([Change("sales", RELEASED, "alive", 30.0, 30.0)], 30.0)
    losses.changed([Change("sales", STARTED, "event", 90.0, 90.0)], 90.0)
    losses.look([lost("sales")], 100.0)
    found = now(Record("sales"), Record("support"), losses=losses)
    assert value(found, "session_losses_total", session="sales") == 2
    assert value(found, "session_flaps_total", session="sales") == 1
    assert value(found, "session_lost_seconds_total", session="sales") == 30, "20 s, and 10 s of the one that lasts"
    assert found["statusproxy_session_losses_total", frozenset({("session", "support")})] == 0


def test_a_loss_that_is_told_in_two_spellings_is_one() -> None:
    losses = SessionLosses()
    for session in ("Sales", "sales"):
        losses.changed([Change(session, STARTED, "event", 40.0, 40.0)], 40.0)
    losses.look([lost("Sales"), lost("sales")], 100.0)
    both = SessionNow("Sales", SessionState.LOST, lost("Sales"), True, ("Sales", "sales"))
    found = now(silent=[both], losses=losses)
    assert value(found, "session_losses_total", session="Sales") == 1
    assert value(found, "session_lost_seconds_total", session="Sales") == 60


def test_two_ids_that_a_label_cannot_tell_apart_are_one_series() -> None:
    found = now(Record("x" * 200, heard_at=90.0), Record("x" * 300, heard_at=80.0))
    assert value(found, "session_last_event_timestamp_seconds", session="x" * LABEL_LENGTH) == 90


@pytest.mark.parametrize("session", ['quote " back \\ line\nbreak', "\ud800", "{}=,", "é"])
def test_any_id_is_told_in_a_form_that_is_parsed(session: str) -> None:
    assert value(now(lost(session)), "override_since_timestamp_seconds", session=session_label(session)) == 1


def test_sessions_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges_module, "SESSION_SERIES", 3)
    found = now(*(lost(f"s{number}") for number in range(10)))
    assert value(found, "sessions_without_series") == 7
    assert value(found, "overrides") == 10
    assert value(now(*(lost(f"s{number}") for number in range(3)), silent=[SILENT]), "sessions_without_series") == 1


def test_proxies_that_share_the_state_are_told_with_what_they_wrote() -> None:
    found = now(proxies=2, shared={"received": 5})
    assert (value(found, "proxies"), value(found, "shared_changes_total", what="received")) == (2, 5)
    assert "statusproxy_proxies" not in {name for name, _ in now()}


def test_damage_to_the_state_and_its_repairs_are_told() -> None:
    found = now(damage=2)
    assert value(found, "state_damage") == 2
    assert value(found, "state_repairs_total", cause="deleted") == 2
    assert value(now(), "state_damage") == 0


def test_the_registrys_own_state_is_told() -> None:
    found = now(store_healthy=False)
    assert (value(found, "store_healthy"), value(now(), "store_healthy")) == (0, 1)
    assert value(found, "last_webhook_timestamp_seconds") == 40
    assert value(found, "requests_missing_total", what="client") == 3


def test_the_proxys_connections_are_told_by_where_they_lead() -> None:
    pools = [PoolNow("gateway", 2, 3, 7), PoolNow("hub", 1, 0, 1), PoolNow("hub", 1, 1, 5)]
    found = samples(Metrics(), proxy_gauges(4, pools, gateway_up=True))
    assert value(found, "requests_in_flight") == 4
    assert value(found, "gateway_up") == 1
    assert value(samples(Metrics(), proxy_gauges(4, pools, gateway_up=False)), "gateway_up") == 0
    assert value(found, "upstream_connections", to="gateway", state="active") == 2
    assert value(found, "upstream_connections", to="gateway", state="idle") == 3
    assert value(found, "upstream_connections", to="hub", state="active") == 2
    assert value(found, "upstream_connections", to="hub", state="idle") == 1
    assert value(found, "upstream_connections_opened_total", to="gateway") == 7
    assert value(found, "upstream_connections_opened_total", to="hub") == 6


def test_what_the_spool_holds_is_told_by_state() -> None:
    states = {"waiting": 3, "unknown": 2, "dead": 1}
    found = samples(Metrics(), spool_gauges(SpoolNow(states, 600, 40.0, {"gateway": True, "hub": False})))
    assert {state: value(found, "spool_entries", state=state) for state in states} == states
    assert (value(found, "spool_unknown"), value(found, "spool_dead"), value(found, "spool_bytes")) == (2, 1, 600)
    assert value(found, "spool_oldest_timestamp_seconds") == 40
    assert (value(found, "spool_circuit_open", to="gateway"), value(found, "spool_circuit_open", to="hub")) == (1, 0)


def test_nothing_is_oldest_where_nothing_waits() -> None:
    found = samples(Metrics(), spool_gauges(SpoolNow({"waiting": 0, "unknown": 1, "dead": 0}, 100, None, {})))
    assert [name for name, *_ in found if "oldest" in str(name)] == []


def test_a_correction_is_shown_once_an_answer_was_changed() -> None:
    found = now(lost("sales"), replace(lost("support"), shown_at=2.0))
    assert (value(found, "overrides"), value(found, "overrides_shown")) == (2, 1)
