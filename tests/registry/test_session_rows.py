"""Every session once: of the map, of the gateway's last lists, or of both, with how it stands."""

import json
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from statusproxy.observe.metrics import Metrics
from statusproxy.pacing import Pacer
from statusproxy.registry.gateway_view import TOGETHER
from statusproxy.registry.registry import SessionRegistry
from statusproxy.registry.session_rows import AT_ONCE, Row
from statusproxy.status import fields, identity
from statusproxy.status.channel_list import ChannelRule
from statusproxy.status.model import Override, Record, SessionRules
from statusproxy.status.session_state import SessionState
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind, SignalRules
from tests.registry.disk import Disk

RULE = ChannelRule(
    list=(("channels",),),
    id=(("id",),),
    set={"status": "disconnected"},
    keep=frozenset({"disconnected", "qr_required"}),
)
ONE = replace(RULE, list=((),))
OTHER = replace(RULE, source="/api/available-sessions")
LOST = Override(since=990.0, at=990.0, began=990.0, event="close")


class World:
    """A registry with a clock that a test may set, and what the gateway answers."""

    def __init__(self, *records: Record, **aliases: str) -> None:
        self.time = 1_000.0
        rules = SessionRules(aliases=aliases)
        self.registry = SessionRegistry(SignalRules(()), rules, Disk(), Metrics(), lambda: self.time, lambda: self.time)
        self.registry.sessions.load(records)
        self.rows = self.registry.rows
        self.rows.mean({"connected": "connected", "qr_required": "scan"})

    async def lists(self, rule: ChannelRule = RULE, /, **words: str | None) -> bytes:
        """The gateway answers a list with these channels and words, and it is read; what the client reads."""
        channels = [{"id": one} | ({} if word is None else {"status": word}) for one, word in words.items()]
        return await self.answers(json.dumps({"channels": channels}).encode(), rule)

    async def answers(
        self, body: bytes, rule: ChannelRule = RULE, session: str | None = None, query: str = ""
    ) -> bytes:
        corrected, durable = self.registry.correct(body, rule, self.registry.now(), session, query)
        if durable is not None:
            await durable
        await self.rows.read()
        return corrected.body

    def all(self) -> dict[str, Row]:
        rows = [row for batch in self.rows.rows() for row in batch]
        assert len({row.session for row in rows}) == len(rows), "each once"
        return {row.session: row for row in rows}

    def states(self) -> dict[str, str]:
        return {session: row.state.value for session, row in self.all().items()}

    def row(self, session: str) -> Row:
        row = self.rows.row(session)
        assert row is not None
        return row


def connected(session: str, at: float = 995.0) -> Record:
    return Record(session, verdict=SignalKind.CONNECTED, known_at=at, heard_at=at)


async def test_before_a_list_has_passed_there_are_the_sessions_of_events() -> None:
    world = World(Record("sales", override=LOST), connected("support"), Record("shop"))
    assert world.states() == {"sales": "lost", "support": "connected", "shop": "unknown"}
    assert world.rows.seen_at is None
    row = world.row("sales")
    assert (row.listed, row.claim, row.shows) == (False, None, None)


async def test_every_channel_of_the_list_is_there_event_or_not() -> None:
    world = World(Record("sales", override=LOST))
    await world.lists(
        sales="connected", support="connected", shop="qr_required", desk="disconnected", odd="?", mute=None
    )
    assert world.states() == {
        "sales": "lost", "support": "connected", "shop": "needs_qr", "desk": "reported_down", "odd": "unknown",
        "mute": "unknown",
    }  # fmt: skip
    row = world.row("support")
    assert (row.record, row.channel, row.listed, row.shows) == (None, "support", True, "connected")
    assert world.rows.seen_at == pytest.approx(1_000.0)


async def test_the_rows_show_what_the_client_reads() -> None:
    world = World(Record("sales", override=LOST), Record("team", override=LOST), connected("shop"))
    body = await world.lists(sales="connected", team="qr_required", shop="connected", desk="disconnected", odd="?")
    read = {channel["id"]: channel["status"] for channel in json.loads(body)["channels"]}
    assert {session: row.shows for session, row in world.all().items()} == read


async def test_a_session_that_events_and_list_spell_differently_is_one_row() -> None:
    world = World(Record("sales team"), Record("SALES  TEAM"), Record("Front", override=LOST), Front="desk")
    await world.lists(SalesTeam="connected", desk="connected", other="connected")
    rows = world.all()
    assert list(rows) == ["sales team", "Front", "other"]
    assert (rows["sales team"].channel, rows["sales team"].spellings) == ("SalesTeam", ("sales team", "SALES  TEAM"))
    assert (rows["Front"].channel, rows["Front"].state) == ("desk", SessionState.LOST)
    for name in ("SalesTeam", "sales team", "salesTEAM"):
        assert world.row(name).session == "sales team"
    assert world.row("desk").session == world.row("front").session == "Front"


async def test_a_spelling_of_the_list_goes_before_others() -> None:
    world = World(Record("SALES"), Record("sales"))
    await world.lists(sales="connected")
    assert list(world.all()) == ["sales"]


async def test_where_spellings_disagree_the_row_is_as_the_list_reads() -> None:
    world = World(Record("SALES", verdict=SignalKind.DISCONNECTED, known_at=990.0, override=LOST), connected("sales"))
    assert world.states() == {"SALES": "lost", "sales": "connected"}, "no list has shown that they are one"
    await world.lists(sales="connected")
    assert world.states() == {"sales": "connected"}


async def test_spellings_that_a_list_once_showed_to_be_one_are_one_after_a_restart() -> None:
    world = World(Record("SALES", channel="sales"), Record("Sales", channel="sales", override=LOST))
    assert world.states() == {"SALES": "lost"}
    assert world.row("sales").channel == "sales"


async def test_a_name_that_fits_several_channels_is_none_of_them() -> None:
    world = World(Record("sales", override=LOST))
    await world.lists(Sales="connected", SALES="connected")
    assert world.states() == {"sales": "lost", "Sales": "connected", "SALES": "connected"}
    assert world.rows.row("sALES") is None
    assert world.row("SALES").record is None
    assert world.rows.row("nobody") is None


async def test_what_left_the_list_is_not_listed_and_what_was_known_before_counts_no_more() -> None:
    world = World(connected("sales"), Record("shop", override=LOST))
    await world.lists(sales="connected", shop="connected", new="connected")
    world.time += 60
    await world.lists(other="connected")
    assert world.states() == {"sales": "unknown", "shop": "lost", "other": "connected"}
    assert {row.session for row in world.all().values() if row.listed} == {"other"}
    assert world.row("sales").claim is None


async def test_an_event_or_an_answer_after_the_list_counts() -> None:
    world = World(connected("sales", 1_005.0))
    await world.lists(other="connected")
    assert (world.row("sales").state, world.row("sales").listed) == (SessionState.CONNECTED, False)
    world.time += 5
    await world.answers(b'{"status":"qr_required"}', ONE, "sales")
    assert world.row("sales").state is SessionState.NEEDS_QR


async def test_a_newer_answer_about_one_channel_goes_before_the_list() -> None:
    world = World()
    await world.lists(sales="connected")
    world.time += 5
    await world.answers(b'{"status":"disconnected"}', ONE, "sales")
    assert world.states() == {"sales": "reported_down"}
    world.time += 5
    await world.lists(sales="connected")
    assert world.states() == {"sales": "connected"}


async def test_the_lists_of_several_routes_count_together_while_they_are_about_as_old() -> None:
    world = World()
    await world.lists(RULE, sales="connected", shop="disconnected")
    world.time += TOGETHER - 1
    await world.lists(OTHER, sales=None, desk="qr_required")
    assert world.states() == {"sales": "connected", "shop": "reported_down", "desk": "needs_qr"}
    world.time += 2
    await world.lists(OTHER, sales=None, desk="qr_required")
    assert world.states() == {"sales": "unknown", "desk": "needs_qr"}, "that route is not asked any more"


async def test_an_answer_that_is_no_list_leaves_the_last_list() -> None:
    world = World()
    await world.lists(sales="connected")
    for body in (b"<html>", b'{"error":"timed out"}'):
        world.time += 5
        await world.answers(body)
        assert world.states() == {"sales": "connected"}
    assert world.rows.seen_at == pytest.approx(1_000.0)
    await world.lists(shop="connected")
    assert world.states() == {"shop": "connected"}


async def test_all_are_given_some_at_a_time() -> None:
    world = World(*(Record(f"e{number}") for number in range(AT_ONCE + 1)))
    body = json.dumps({"channels": [{"id": f"c{number}", "status": "connected"} for number in range(AT_ONCE + 1)]})
    world.registry.correct(body.encode(), RULE, world.registry.now(), None)
    await world.rows.read()
    assert [len(batch) for batch in world.rows.rows()] == [AT_ONCE, 1, AT_ONCE, 1]
    states = world.states()
    assert len(states) == 2 * (AT_ONCE + 1)
    assert (states["e1"], states["c1"]) == ("unknown", "connected")


async def test_a_session_forgotten_while_others_are_looked_at_is_left_out() -> None:
    world = World(*(Record(f"e{number}") for number in range(AT_ONCE + 1)))
    batches = world.rows.rows()
    next(batches)
    await world.registry.forget(f"e{AT_ONCE}")
    assert next(batches) == []


async def test_all_rows_are_found_at_once_after_the_list_is_read() -> None:
    world = World(Record("sales"))
    body = json.dumps({"channels": [{"id": "sales", "status": "connected"}, {"id": "desk", "status": "connected"}]})
    world.registry.correct(body.encode(), RULE, world.registry.now(), None)
    assert [row.session for row in await world.rows.all()] == ["sales", "desk"]


# Lists that were asked for with a query


def named(*names: str) -> bytes:
    return json.dumps({"channels": [{"id": name, "status": "connected"} for name in names]}).encode()


async def test_a_list_of_one_channel_by_its_query_leaves_every_other_row_as_it_is() -> None:
    world = World(connected("front"))
    await world.answers(named("sales", "support", "front"))
    before = world.all()
    world.time += 2 * TOGETHER
    await world.answers(named("sales"), query="instanceName=sales")
    after = world.all()
    assert after.keys() == before.keys()
    for session in ("support", "front"):
        assert (after[session].listed, after[session].state) == (True, SessionState.CONNECTED)


async def test_a_session_of_events_alone_is_not_gone_because_a_query_leaves_it_out() -> None:
    world = World(connected("front", at=999.0))
    await world.answers(named("sales"), query="instanceName=sales")
    assert world.states() == {"front": "connected", "sales": "connected"}


async def test_a_channel_that_alone_passes_a_query_is_not_taken_for_another() -> None:
    """`front` is lost; `Front` never was."""
    world = World(Record("front", override=LOST, channel="front"))
    shown = await world.answers(named("Front"), query="instanceName=Front")
    assert shown == named("Front")
    assert {session: row.state.value for session, row in world.all().items()} == {
        "front": "lost", "Front": "connected",
    }  # fmt: skip
    assert world.row("Front").spellings == ()


async def test_the_same_list_is_corrected_as_its_query_allows() -> None:
    """The same bytes, with and without a query: what one tells is not remembered for the other."""
    world = World(Record("front", override=LOST, channel="front"))
    for query, changed in (("name=Front", False), ("", True), ("name=Front", True)):
        assert (await world.answers(named("Front"), query=query) != named("Front")) is changed, query


async def test_the_kin_of_a_session_are_its_records_by_spelling_with_what_the_others_know() -> None:
    world = World(Record("eng-1", override=LOST), connected("sales"), **{"eng-1": "sales"})
    await world.lists(sales=None)
    for name in ("sales", "eng-1", "SALES"):
        kin = world.rows.kin(name)
        assert kin is not None
        assert (kin.session, kin.record.session) == ("sales", "sales")
        assert [(one.session, one.override) for one in kin.records] == [("sales", None), ("eng-1", None)]


async def test_the_kin_of_an_id_that_fits_several_sessions_is_the_record_of_exactly_that_id() -> None:
    world = World(Record("salesteam", override=LOST))
    await world.lists(**{"Sales Team": None, "SalesTeam": None})
    kin = world.rows.kin("salesteam")
    assert kin is not None
    assert (kin.session, [one.session for one in kin.records]) == ("salesteam", ["salesteam"])


async def test_a_session_of_which_no_event_came_has_no_kin() -> None:
    world = World()
    await world.lists(sales="connected")
    assert world.rows.kin("sales") is None


async def test_the_past_is_told_of_every_id_of_a_session_and_of_its_channel() -> None:
    world = World(connected("frontdesk"), connected("FrontDesk"), connected("5511"), **{"5511": "Front Desk"})
    await world.lists(**{"Front Desk": "connected"})
    for asked in ("Front Desk", "frontdesk", "5511"):
        assert set(await world.rows.names(asked)) == {"frontdesk", "FrontDesk", "5511", "Front Desk"}
    assert "FRONT DESK" in await world.rows.names("FRONT DESK"), "the past may have it although the map forgot it"


async def test_the_past_of_a_session_that_is_not_known_has_the_one_id_given() -> None:
    world = World(connected("sales"))
    await world.lists(support="connected", Support="connected")
    assert await world.rows.names("nobody") == ("nobody",)
    assert await world.rows.names("SUPPORT") == ("SUPPORT",), "it fits several"


async def test_the_channel_of_a_list_that_is_not_read_yet_is_found_in_the_past() -> None:
    world = World(connected("frontdesk"))
    world.registry.correct(b'{"channels": [{"id": "Front Desk"}]}', RULE, world.registry.now(), None, "")
    assert "frontdesk" in await world.rows.names("Front Desk")


# Lists of several routes


async def test_rows_fold_the_ids_of_several_lists_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first session that is not listed by its exact id is looked up by what all of them fold to."""
    folded: list[int] = []
    fold = fields.fold_ids

    def counted(ids: Sequence[str]) -> Sequence[str]:
        folded.append(len(ids))
        return fold(ids)

    monkeypatch.setattr(identity, "fold_ids", counted)
    world = World(Record("lost", override=LOST), Record("a 7"))
    for rule, letter in ((RULE, "A"), (OTHER, "B")):
        body = json.dumps({"channels": [{"id": f"{letter}{number}"} for number in range(5_000)]})
        with monkeypatch.context() as nothing_lost:
            nothing_lost.setattr(SessionMap, "has_overrides", False)
            world.registry.correct(body.encode(), rule, world.registry.now(), None)
    assert folded == []
    in_steps: list[int] = []

    async def step(_pacer: Pacer) -> None:
        in_steps.append(sum(folded))
        folded.clear()

    monkeypatch.setattr(Pacer, "step", step)
    await world.rows.read()
    assert sum(in_steps) + sum(folded) == 20_000, "each list, and all of them together"
    assert max(*in_steps, *folded) <= 1_024
    folded.clear()
    assert world.row("a 7").channel == "A7"
    assert world.row("lost").channel is None
    assert len(world.all()) == 10_001
    assert folded == []


# What is spelt otherwise, before a list has shown what it is


async def test_a_session_spelt_otherwise_is_found_before_a_list_has_passed_if_it_is_one() -> None:
    world = World(connected("Sales Team"), connected("desk"), connected("DESK"))
    assert world.row("salesteam").spellings == ("Sales Team",)
    assert world.rows.row("Desk") is None, "two sessions fold to it, and nothing tells that they are one"


async def test_a_channel_that_a_query_leaves_out_is_still_the_one_that_it_was_found_to_be() -> None:
    world = World(replace(connected("sales team"), channel="SalesTeam"))
    await world.answers(named("desk", "Sales-Team"), query="page=2")
    row = world.row("sales team")
    assert (row.channel, row.listed) == ("SalesTeam", False)


async def test_a_session_first_seen_in_a_list_with_a_query_is_the_channel_that_it_folds_to() -> None:
    world = World(connected("sales team"))
    await world.answers(named("SalesTeam"), query="page=1")
    assert world.row("sales team").channel == "SalesTeam"


async def test_what_one_answer_claims_counts_before_a_list_has_passed() -> None:
    world = World(connected("sales"))
    await world.answers(b'[{"id":"sales","status":"qr_required"}]', ONE, "sales")
    claim = world.row("sales").claim
    assert claim is not None
    assert claim.word == "qr_required"


async def test_the_past_of_spellings_that_are_one_of_thousands_of_channels_is_found() -> None:
    world = World(connected("frontdesk"), connected("FrontDesk"))
    many = named("Front Desk", *(f"s{number}" for number in range(5_000)))
    world.registry.correct(many, RULE, world.registry.now(), None, "")
    assert set(await world.rows.names("FRONT DESK")) == {"frontdesk", "FrontDesk", "FRONT DESK", "Front Desk"}


async def test_others_have_their_turn_before_each_batch_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(*(connected(f"s{number}") for number in range(3 * AT_ONCE)))
    steps = 0

    async def step(_pacer: Pacer) -> None:
        nonlocal steps
        steps += 1

    monkeypatch.setattr(Pacer, "step", step)
    assert [steps async for _ in world.rows.batches()] == [1, 2, 3]
    world.registry.correct(named("sales"), RULE, world.registry.now(), None, "")
    before = steps
    await world.rows.read()
    assert steps > before
