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
    SpoolNow,
    proxy_gauges,
    registry_gauges,
    session_label,
    spool_gauges,
    worth_telling,
)
from statusproxy.observe.metrics import Metrics
from statusproxy.status.model import Override, Record
from statusproxy.status.signals import SignalKind
from tests.observe.prometheus import Sample, samples, value


def lost(session: str) -> Record:
    """A session shown as disconnected."""
    return Record(session, override=Override(since=1.0, at=1.0, began=1.0, event="closesession"))


def test_sessions_worth_telling_of_come_first_and_a_flood_pushes_no_known_one_out() -> None:
    flood = [Record(f"made-up-{number}", heard_at=9.0) for number in range(SESSION_SERIES * 2)]
    known, heard = Record("known", verdict=SignalKind.CONNECTED, known_at=1.0), Record("heard", alive_at=1.0)
    told = worth_telling([*flood, known, lost("lost"), heard])
    assert [record.session for record in told[:3]] == ["lost", "known", "heard"]
    assert told[3] is flood[0]
    assert len(told) == SESSION_SERIES


def test_no_flood_of_made_up_losses_pushes_out_a_session_that_the_gateways_list_names() -> None:
    flood = [lost(f"made-up-{number}") for number in range(SESSION_SERIES)]
    real = replace(lost("real"), confirmed=True)
    told = worth_telling([*flood, real])
    assert told[:2] == [real, flood[0]]
    assert len(told) == SESSION_SERIES


def test_a_label_is_short_and_is_utf8_whatever_the_id() -> None:
    assert session_label("x" * 1000) == "x" * LABEL_LENGTH
    assert session_label("lone \ud800 half") == "lone ? half"


def now(*records: Record, **more: Any) -> Sample:
    """The gauges of a registry that knows these sessions."""
    values: dict[str, Any] = {
        "now": 100.0, "heard_at": 40.0, "store_healthy": True, "damage": 0,
        "repairs": {"damaged": 0, "deleted": 2, "replaced": 0}, "missing": {"client": 3, "upgrade": 0},
    }  # fmt: skip
    return samples(Metrics(), registry_gauges(RegistryNow(records=records, **values | more)))


def test_each_session_tells_since_when_it_is_lost_and_when_it_was_last_heard() -> None:
    found = now(Record("sales", heard_at=90.0, alive_at=70.0), lost("support"))
    assert value(found, "session_seconds_since_event", session="sales") == 10
    assert value(found, "session_seconds_since_message", session="sales") == 30
    assert value(found, "override_since_timestamp_seconds", session="support") == 1
    assert (value(found, "sessions"), value(found, "overrides")) == (2, 1)


def test_what_never_was_has_no_series() -> None:
    found = now(Record("sales"))
    assert not [name for name, labels in found if ("session", "sales") in labels]


def test_two_ids_that_a_label_cannot_tell_apart_are_one_series() -> None:
    found = now(Record("x" * 200, heard_at=90.0), Record("x" * 300, heard_at=80.0))
    assert value(found, "session_seconds_since_event", session="x" * LABEL_LENGTH) == 10


@pytest.mark.parametrize("session", ['quote " back \\ line\nbreak', "\ud800", "{}=,", "é"])
def test_any_id_is_told_in_a_form_that_is_parsed(session: str) -> None:
    assert value(now(lost(session)), "override_since_timestamp_seconds", session=session_label(session)) == 1


def test_sessions_beyond_the_bound_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gauges_module, "SESSION_SERIES", 3)
    found = now(*(lost(f"s{number}") for number in range(10)))
    assert value(found, "sessions_without_series") == 7
    assert value(found, "overrides") == 10


def test_damage_to_the_state_and_its_repairs_are_told() -> None:
    found = now(damage=2)
    assert value(found, "state_damage") == 2
    assert value(found, "state_repairs_total", cause="deleted") == 2
    assert value(now(), "state_damage") == 0


def test_the_registrys_own_state_is_told() -> None:
    found = now(store_healthy=False)
    assert (value(found, "store_healthy"), value(now(), "store_healthy")) == (0, 1)
    assert value(found, "seconds_since_webhook") == 60
    assert value(now(heard_at=101.0), "seconds_since_webhook") == 0, "the clock was set back"
    assert value(found, "requests_missing_total", what="client") == 3


def test_the_proxys_connections_are_told_by_where_they_lead() -> None:
    pools = [PoolNow("gateway", 2, 3, 7), PoolNow("hub", 1, 0, 1), PoolNow("hub", 1, 1, 5)]
    found = samples(Metrics(), proxy_gauges(4, pools))
    assert value(found, "requests_in_flight") == 4
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
