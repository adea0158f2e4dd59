"""What differs from what pages were told: found at the cost of what changed, and written once."""

import contextlib
import json
from collections.abc import Iterable
from typing import Any

import pytest
from msgspec.structs import replace

from statusproxy.admin import session_reports as module
from statusproxy.admin.report import row_report
from statusproxy.admin.session_reports import LOOKED_AT, SessionReports
from statusproxy.observe.metrics import Metrics
from statusproxy.pacing import Pacer
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import Row
from statusproxy.status.model import Change, Override, Record, SessionRules
from statusproxy.status.signals import SignalRules
from tests.registry.disk import Disk
from tests.status.test_channels import LIST

LOST = Override(since=1.0, at=1.0, began=1.0, event="close")


@pytest.fixture
def registry() -> SessionRegistry:
    return SessionRegistry(SignalRules(()), SessionRules(), Disk(), Metrics(), lambda: 1_000.0)


@pytest.fixture
def elapsed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed; a test may change them."""
    passed = [5.0]
    monkeypatch.setattr("time.monotonic", lambda: passed[0])
    return passed


def looked(reports: SessionReports) -> tuple[list[str], list[str]]:
    """What is gone, and what differs."""
    looks = list(reports.look())
    return [session for gone, _ in looks for session in gone], [session for _, new in looks for session in new]


def begun(registry: SessionRegistry, *records: Record) -> SessionReports:
    """With these sessions told."""
    registry.sessions.load(records)
    reports = SessionReports(registry)
    reports.begin()
    assert looked(reports) == ([], [record.session for record in records])
    return reports


def answered(registry: SessionRegistry, word: str) -> None:
    body = b'{"channels":[{"id":"sales","status":"%s"}]}' % word.encode()
    registry.correct(body, LIST, registry.now(), None)
    for _ in registry._gateway_view.reading():
        pass


def test_everything_is_told_first_and_then_what_changes(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"), Record("support"))
    assert looked(reports) == ([], [])
    registry.sessions.load([Record("support", override=LOST), Record("new")])
    assert looked(reports) == ([], ["support", "new"])
    assert reports.ids() == ["sales", "support", "new"]


async def test_a_forgotten_session_is_gone_once(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"), Record("support"))
    await registry.forget("sales")
    assert looked(reports) == (["sales"], [])
    assert looked(reports) == ([], [])
    assert reports.ids() == ["support"]
    registry.sessions.load([Record("brief")])
    await registry.forget("brief")
    assert looked(reports) == ([], []), "it was never told"


async def test_a_session_that_goes_while_it_is_looked_at_is_none(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"))
    registry.sessions.load([Record("new")])
    looks = reports.look()
    await registry.forget("new")
    assert list(looks) == [([], [])]
    assert reports.texts(["new"]) == []


def test_another_word_of_the_gateway_is_news_at_once_and_the_same_once_a_minute(
    registry: SessionRegistry, elapsed: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = begun(registry, Record("sales"))
    answered(registry, "connected")
    assert looked(reports) == ([], ["sales"])
    answered(registry, "connected")
    elapsed[0] += 59.0
    assert looked(reports) == ([], [])
    answered(registry, "open")
    assert looked(reports) == ([], ["sales"])
    elapsed[0] += 60.0
    assert looked(reports) == ([], []), "nothing was said meanwhile"
    monkeypatch.setattr(module, "SAME_AGAIN", 0.0)
    answered(registry, "open")
    assert looked(reports) == ([], ["sales"])


def test_with_a_change_of_the_session_the_same_word_is_no_news(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"))
    answered(registry, "connected")
    looked(reports)
    (before,) = reports.texts(["sales"])
    answered(registry, "connected")
    registry.sessions.load([Record("sales", heard_at=1.0)])
    assert looked(reports) == ([], ["sales"])
    (after,) = reports.texts(["sales"])
    moment = '"gateway_said_at":"1970-01-01T00:16:40.'
    assert before.partition(moment)[2][:5] == after.partition(moment)[2][:5] != ""


def test_after_a_look_that_failed_all_are_compared(registry: SessionRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    reports = begun(registry, Record("sales"), Record("support"))
    registry.sessions.load([Record("sales", override=LOST)])
    with monkeypatch.context() as patch:
        patch.setattr(registry.rows, "row", lambda session: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            looked(reports)
    assert looked(reports) == ([], []), "what it took is lost"
    reports.look_at_all()
    assert looked(reports) == ([], ["sales"])


async def test_those_to_be_worried_about_come_first(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("a"), Record("b", override=LOST), Record("c"))
    assert await reports.in_order(["a", "b", "c", "nobody"]) == ["b", "a", "c"]


def test_a_report_is_written_when_it_is_asked_for_and_once(
    registry: SessionRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    def counted(row: Row, *more: Any) -> Any:
        written.append(row.session)
        return row_report(row, *more)

    monkeypatch.setattr(module, "row_report", counted)
    reports = begun(registry, Record("a"), Record("b"))
    assert written == []
    first, again = reports.texts(["a", "nobody"]), reports.texts(["a"])
    assert first == again
    assert first[0].startswith('{"session":"a","channel":null,"shows":"gateway"')
    assert written == ["a"]


def test_another_rule_of_the_list_is_news_of_what_every_lost_session_reads(registry: SessionRegistry) -> None:
    rules = [LIST]
    registry.sessions.load([Record("sales", override=LOST), Record("support")])
    reports = SessionReports(registry, lambda: rules[0])
    reports.begin()
    assert looked(reports) == ([], ["sales", "support"])
    assert '"reads":"disconnected"' in reports.texts(["sales"])[0]
    assert looked(reports) == ([], [])
    rules[0] = replace(LIST, set={"status": "close"})
    assert looked(reports) == ([], ["sales", "support"])
    assert '"reads":"close"' in reports.texts(["sales"])[0]
    assert looked(reports) == ([], [])


def test_many_are_looked_at_some_at_a_time(registry: SessionRegistry) -> None:
    registry.sessions.load([Record(f"s{number}") for number in range(2 * LOOKED_AT + 1)])
    reports = SessionReports(registry)
    reports.begin()
    assert [len(different) for _, different in reports.look() if different] == [LOOKED_AT, LOOKED_AT, 1]


def test_after_the_end_nothing_is_kept_and_a_new_beginning_tells_all(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"))
    reports.begin()
    reports.end()
    reports.end()
    assert reports.ids() == []
    reports.begin()
    assert looked(reports) == ([], ["sales"])


# Channels of the gateway's list


def listed(registry: SessionRegistry, *channels: str, word: str = "connected") -> None:
    """The gateway answers with these channels, which is read."""
    body = json.dumps({"channels": [{"id": channel, "status": word} for channel in channels]})
    registry.correct(body.encode(), LIST, registry.now(), None)
    for _ in registry._gateway_view.reading():
        pass


def test_every_channel_of_the_list_is_told_and_gone_when_it_left(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"))
    listed(registry, "sales", "shop", "desk")
    assert looked(reports) == ([], ["sales", "shop", "desk"])
    assert reports.counts() == {"lost": 0, "reported_down": 0, "needs_qr": 0, "connected": 3, "unknown": 0}
    listed(registry, "sales", "shop")
    assert looked(reports) == (["desk"], [])
    listed(registry, "shop")
    assert looked(reports) == ([], ["sales"]), "events told of it"
    assert '"listed":false' in reports.texts(["sales"])[0]
    assert reports.counts() == {"lost": 0, "reported_down": 0, "needs_qr": 0, "connected": 1, "unknown": 1}


def test_channels_that_leave_a_long_list_are_gone_some_at_a_time(registry: SessionRegistry) -> None:
    reports = begun(registry)
    names = [f"s{number}" for number in range(2 * LOOKED_AT + 1)]
    listed(registry, *names)
    looked(reports)
    listed(registry)
    assert [gone for gone, _ in reports.look() if gone] == [
        names[:LOOKED_AT], names[LOOKED_AT : 2 * LOOKED_AT], names[2 * LOOKED_AT :],
    ]  # fmt: skip


async def test_many_are_put_in_order_some_at_a_time(registry: SessionRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RANKED", 2)
    steps, step = 0, Pacer.step

    async def counted(pacer: Pacer) -> None:
        nonlocal steps
        steps += 1
        await step(pacer)

    monkeypatch.setattr(Pacer, "step", counted)
    reports = begun(registry, *(Record(name) for name in "abcd"), Record("e", override=LOST))
    assert await reports.in_order(list("abcde")) == list("eabcd")
    assert steps == 2, "of two whole pieces"


def test_only_what_differs_in_a_list_is_told(registry: SessionRegistry) -> None:
    reports = begun(registry)
    listed(registry, *(f"s{number}" for number in range(50)))
    looked(reports)
    body = json.dumps({"channels": [{"id": f"s{n}", "status": "open" if n == 7 else "connected"} for n in range(50)]})
    registry.correct(body.encode(), LIST, registry.now(), None)
    for _ in registry._gateway_view.reading():
        pass
    assert looked(reports) == ([], ["s7"])


async def test_a_channel_is_told_under_its_sessions_id_once_events_name_it(registry: SessionRegistry) -> None:
    reports = begun(registry)
    listed(registry, "SalesTeam", "shop")
    assert looked(reports) == ([], ["SalesTeam", "shop"])
    registry.sessions.load([Record("sales team")])
    assert looked(reports) == (["SalesTeam"], ["sales team"])
    registry.sessions.load([Record("SALES TEAM", override=LOST)])
    assert looked(reports) == ([], ["sales team"])
    assert reports.counts()["lost"] == 1
    registry.sessions.load([Record("SalesTeam")])
    assert looked(reports) == (["sales team"], ["SalesTeam"])
    for session in ("SalesTeam", "sales team"):
        with contextlib.suppress(LookupError):
            await registry.forget(session)
    gone, different = looked(reports)
    assert (set(gone), different) == (set(), ["SalesTeam"])
    assert reports.counts() == {"lost": 0, "reported_down": 0, "needs_qr": 0, "connected": 2, "unknown": 0}


def test_spellings_that_a_list_shows_to_be_one_session_are_one(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("sales"), Record("SALES"))
    listed(registry, "sales")
    assert looked(reports) == (["SALES"], ["sales"])
    assert reports.ids() == ["sales"]


async def test_those_that_need_someone_come_in_the_order_of_how_much(registry: SessionRegistry) -> None:
    reports = begun(registry, Record("quiet"), Record("lost", override=LOST))
    listed(registry, "fine")
    looked(reports)
    assert await reports.in_order(["quiet", "fine", "lost"]) == ["lost", "fine", "quiet"]


class Bench:
    """Reports over a registry with a clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *records: Record) -> None:
        self.now = 1_768_504_026.0
        self.registry = SessionRegistry(
            SignalRules(()), SessionRules(), Disk(), Metrics(), lambda: self.now, lambda: self.now
        )
        monkeypatch.setattr("time.monotonic", lambda: self.now)
        self.registry.sessions.load(records)
        self.registry.ledger.changed([Change("sales", "started", "close", self.now, self.now)], self.now)
        self.reports = SessionReports(self.registry)
        self.reports.begin()
        looked(self.reports)

    def later(self, seconds: float) -> list[str]:
        """What differs so much later, and is written for pages."""
        self.now += seconds
        _, different = looked(self.reports)
        self.reports.texts(different)
        return different


def test_a_session_that_is_lost_is_told_anew_each_minute_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Record("sales", override=LOST), Record("support"))
    assert bench.later(1.0) == []
    assert bench.later(60.0) == ["sales"]
    assert '"losses":1' in bench.reports.texts(["sales"])[0]
    assert bench.later(1.0) == []


def test_with_a_new_day_every_session_is_told_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(monkeypatch, Record("sales"), Record("support", first_heard=1.0))
    bench.registry.ledger.changed([Change("sales", "released", "alive", bench.now, bench.now)], bench.now)
    bench.reports.look_at_all()
    bench.later(0.0)
    assert bench.later(3_600.0) == []
    assert bench.later(86_400.0) == ["sales", "support"]
    assert bench.later(60.0) == []


class Told:
    """When sessions were told to operators."""

    def __init__(self) -> None:
        self.version: object = {}
        self.times: dict[str, float] = {}

    def tell(self, **times: float) -> None:
        self.version, self.times = object(), times

    def alerted_at(self, spellings: Iterable[str]) -> float | None:
        return max((self.times[each] for each in spellings if each in self.times), default=None)


def test_that_operators_were_told_is_news_of_that_session(registry: SessionRegistry) -> None:
    registry.sessions.load([Record("sales", override=LOST), Record("support", override=LOST)])
    told = Told()
    reports = SessionReports(registry, alerts=told)
    reports.begin()
    looked(reports)
    told.tell(sales=1_800_000_000.0)
    assert looked(reports) == ([], ["sales"])
    assert looked(reports) == ([], [])
    (text,) = reports.texts(["sales"])
    assert json.loads(text)["alerted_at"] == "2027-01-15T08:00:00.000Z"
