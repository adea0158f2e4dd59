"""What Prometheus is told of this moment, from a running registry and proxy."""

from itertools import chain
from types import SimpleNamespace
from typing import Any, cast

from statusproxy.admin.scrape import gauges, sessions_now
from statusproxy.observe.gauges import SessionSeries
from statusproxy.observe.metrics import Metrics
from statusproxy.proxy.handler import Proxy
from statusproxy.proxy.ports import Attempt
from statusproxy.registry.registry import SessionRegistry
from statusproxy.spool.spool import Spool
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.model import Record, SessionRules
from statusproxy.status.signals import SignalRules
from statusproxy.store import proxies
from statusproxy.store.spooled import EntryState
from tests.admin.shelf import Shelf, entry, spool_of
from tests.hand_clock import HandClock
from tests.observe.prometheus import Sample, samples, value
from tests.registry.disk import Disk


async def told(registry: SessionRegistry, spool: Spool | None = None, waiting: int | None = None) -> Sample:
    pools = {
        "gateway http://g": SimpleNamespace(in_use=2, idle=3, opened=7),
        "hub https h": SimpleNamespace(in_use=1, idle=0, opened=1),
        "hub http other": SimpleNamespace(in_use=0, idle=1, opened=1),
    }
    proxy = cast("Proxy", SimpleNamespace(in_flight=4, site=SimpleNamespace(pools=pools)))
    await registry.rows.read()
    registry.judge()
    sessions = SessionSeries()
    sessions.add(sessions_now(registry, chain.from_iterable(registry.rows.rows())))
    losses = await registry.losses()
    now = gauges(registry, proxy, spool, waiting, gateway_up=True, sessions=sessions, losses=losses)
    return samples(Metrics(), now)


async def test_registry_and_pools_are_told_as_they_are() -> None:
    clock, disk = HandClock(), Disk()
    registry = SessionRegistry(SignalRules(()), SessionRules(), disk, Metrics(), clock)
    registry.sessions.load([Record("sales", heard_at=990.0)])
    registry.absences.note("client", "10.0.0.2", 1_000.0, webhook=False)
    clock.now = 1_060.0
    found = await told(registry)
    assert value(found, "sessions") == 1
    assert value(found, "session_last_event_timestamp_seconds", session="sales") == 990
    assert value(found, "last_webhook_timestamp_seconds") == 1_000, "the start"
    assert value(found, "requests_missing_total", what="client") == 1
    assert value(found, "requests_in_flight") == 4
    assert value(found, "upstream_connections", to="gateway", state="active") == 2
    assert value(found, "upstream_connections_opened_total", to="hub") == 2
    assert (value(found, "store_healthy"), value(found, "state_damage")) == (1, 0)
    registry.webhooks.heard("10.0.0.2", "e", "unmatched", 1_050.0)
    disk.broken = OSError("disk full")
    found = await told(registry)
    assert (value(found, "last_webhook_timestamp_seconds"), value(found, "store_healthy")) == (1_050, 0)


async def test_proxies_that_share_the_state_are_counted_and_so_is_what_they_wrote() -> None:
    disk = Disk()
    registry = SessionRegistry(SignalRules(()), SessionRules(), disk, Metrics(), HandClock())
    assert not any("proxies" in name for name, _ in await told(registry))
    them = proxies.Proxy("a"), proxies.Proxy("b")
    disk.sharing = proxies.Sharing("a", them, received=5, conflicts=2)
    found = await told(registry)
    assert value(found, "proxies") == 2
    assert [value(found, "shared_changes_total", what=what) for what in ("received", "merged")] == [5, 2]


async def test_of_a_spool_that_was_never_read_nothing_is_told() -> None:
    shelf = Shelf(entry(1))
    shelf.unreadable = "no connection"
    registry = SessionRegistry(SignalRules(()), SessionRules(), Disk(), Metrics(), HandClock())
    names = {name for name, _ in await told(registry, await spool_of(shelf))}
    assert not {name for name in names if "spool" in name and not name.endswith("_total")}


async def test_the_spool_is_told_as_it_is_in_the_systems_time() -> None:
    clock = HandClock()
    registry = SessionRegistry(SignalRules(()), SessionRules(), Disk(), Metrics(), clock, lambda: 0.0)
    clock.now += 50.0
    spool = await spool_of(Shelf(entry(7), entry(3, state=EntryState.DEAD), entry(8, state=EntryState.UNKNOWN)))
    spool.attempted("hub http://hub.example", "sales", Attempt("not-sent"))
    found = await told(registry, spool)
    assert value(found, "spool_oldest_timestamp_seconds") == 57
    assert [value(found, "spool_entries", state=state) for state in ("waiting", "unknown", "dead")] == [1, 1, 1]
    assert value(found, "spool_bytes") == 300
    assert (value(found, "spool_circuit_open", to="gateway"), value(found, "spool_circuit_open", to="hub")) == (0, 1)


async def test_damage_and_repairs_of_the_state_are_told() -> None:
    class Damaged(Disk):
        damage: Any = ("one", "two")
        repairs: Any = {"deleted": 2}  # noqa: RUF012

        async def acknowledge(self) -> int:
            return 0

    found = await told(SessionRegistry(SignalRules(()), SessionRules(), Damaged(), Metrics(), HandClock()))
    assert value(found, "state_damage") == 2
    assert value(found, "state_repairs_total", cause="deleted") == 2


async def test_a_channel_of_the_list_that_no_event_told_of_is_told_with_its_state() -> None:
    registry = SessionRegistry(SignalRules(()), SessionRules(), Disk(), Metrics(), HandClock())
    rule = ChannelRule(list=(("channels",),), id=(("id",),), set={"status": "disconnected"})
    registry.correct(b'{"channels": [{"id": "sales", "status": "connected"}]}', rule, 1.0, None)
    found = await told(registry)
    assert value(found, "session_state", session="sales", state="connected") == 1
    assert value(found, "sessions") == 0


async def test_what_waits_to_be_sent_is_told_where_there_are_alerts() -> None:
    registry = SessionRegistry(SignalRules(()), SessionRules(), Disk(), Metrics(), HandClock())
    assert value(await told(registry, waiting=3), "alerts_waiting") == 3
    assert "statusproxy_alerts_waiting" not in {name for name, _ in await told(registry)}
