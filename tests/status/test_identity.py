"""Which channel a session is: exact before folded before alias, and none where it could be two."""

from unittest import mock

import pytest
from msgspec.structs import replace

from statusproxy.status import identity
from statusproxy.status.identity import (
    Aliases,
    ChannelIds,
    Match,
    Spellings,
    known_channel,
    learn_channel,
    may_be,
    unlearned,
)
from statusproxy.status.model import Record

NONE = Aliases({})


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ("Sales Team", Match("Sales Team", False)),
        ("salesteam", Match("Sales Team", False)),
        (" SALES  team", Match("Sales Team", False)),
        ("desk", Match(None, True)),
        ("Desk", Match("Desk", False)),
        ("wpp-01", Match("support", False)),
        ("WPP-01", Match("support", False)),
        ("wpp-02", Match("Support2", False)),
        ("wpp-03", Match(None, False)),
        ("nobody", Match(None, False)),
    ],
)
def test_a_sessions_channel(session: str, expected: Match) -> None:
    channels = ChannelIds({"Sales Team", "Desk", "DESK", "support", "Support2"})
    aliases = Aliases({"wpp-01": "support", "wpp-02": "support2", "wpp-03": "gone"})
    assert channels.match(session, aliases) == expected


def test_an_alias_is_asked_only_where_the_id_itself_is_no_channel() -> None:
    channels, aliases = ChannelIds({"sales", "support"}), Aliases({"SALES": "support"})
    assert channels.match("SALES", aliases) == Match("sales", False)


def test_what_could_be_two_channels_may_still_be_an_alias() -> None:
    assert ChannelIds({"Desk", "DESK", "x"}).match("desk", Aliases({"desk": "x"})) == Match("x", True)


def test_aliases_are_found_in_both_directions() -> None:
    aliases = Aliases({"WPP 01": "Sales", "wpp-02": "sales"})
    assert bool(aliases)
    assert not NONE
    assert list(aliases.sessions("sales")) == ["wpp01", "wpp-02"]
    assert (aliases.of("wpp01"), aliases.of("x"), NONE.of("x")) == ("Sales", None, None)
    alike = Aliases({"WPP-03": "support", "wpp-03": "desk"})
    assert [alike.of(session) for session in ("WPP-03", "wpp-03")] == ["support", "desk"]


def test_folds_are_those_of_all_ids() -> None:
    assert sorted(ChannelIds({"Sales Team", "desk"}).folds) == ["desk", "salesteam"]


# The ids of the map


def spelt(*ids: str) -> Spellings:
    spellings = Spellings()
    for one in ids:
        spellings.add(one)
    return spellings


def test_ids_are_found_by_what_they_fold_to_in_the_order_in_which_they_came() -> None:
    spellings = spelt("Sales Team", "desk", "salesteam")
    assert list(spellings.folding_to("salesteam")) == ["Sales Team", "salesteam"]
    assert list(spellings.folding_to("nobody")) == []
    assert spellings.differ
    assert spellings.add("SALESTEAM") == 3
    assert Spellings().add("x") == 1


def test_a_removed_id_is_found_no_longer() -> None:
    spellings = spelt("Sales", "sales", "desk")
    spellings.remove("Sales")
    assert not spellings.differ
    spellings.remove("sales")
    assert list(spellings.folding_to("sales")) == []
    assert spellings.add("sales") == 1


def test_the_sessions_of_a_channel_are_those_spelt_alike_then_those_aliased_to_it() -> None:
    spellings = spelt("wpp 01", "Sales", "WPP01", "sales", "other")
    assert spellings.kin("SALES", NONE) == ["Sales", "sales"]
    assert spellings.kin("SALES", Aliases({"wpp01": "sales"})) == ["Sales", "sales", "wpp 01", "WPP01"]
    assert spellings.kin("sales", Aliases({"Sales": "SALES"})) == ["Sales", "sales"]
    assert spellings.kin("nobody", NONE) == []


ALIASED = Aliases({"wpp-01": "desk"})


@pytest.mark.parametrize(
    ("record", "channel", "learned"),
    [
        (Record("sales"), "sales", Record("sales", channel="sales", confirmed=True)),
        (Record("SALES"), "sales", Record("SALES", channel="sales", confirmed=True)),
        (Record("wpp-01"), "desk", Record("wpp-01", channel="desk", confirmed=True)),
        (Record("x", channel="X 1", confirmed=True), None, Record("x", channel="x", confirmed=True)),
        (Record("gone", channel="old"), None, Record("gone", channel="old")),
        (Record("sales", channel="sales"), "sales", Record("sales", channel="sales", confirmed=True)),
    ],
)
def test_a_list_teaches_a_sessions_channel_and_that_it_is_real(
    record: Record, channel: str | None, learned: Record
) -> None:
    channels = ChannelIds({"sales", "desk", "X", "X "})
    assert learn_channel(record, channels, ALIASED) == (channel, learned)


def test_a_list_that_teaches_nothing_new_leaves_the_very_record() -> None:
    record = Record("sales", channel="sales", confirmed=True)
    assert learn_channel(record, ChannelIds({"sales"}), NONE)[1] is record


@pytest.mark.parametrize(
    ("record", "channel"),
    [
        (Record("sales", channel="other"), "sales"),
        (Record("SALES"), "sales"),
        (Record("SALES", channel="sales"), "sales"),
        (Record("SALES", channel="Sales"), None),
        (Record("wpp-01"), "desk"),
        (Record("nobody"), None),
    ],
)
def test_an_answer_about_one_channel_goes_by_what_was_learned_before_by_folding(
    record: Record, channel: str | None
) -> None:
    assert known_channel(record, ChannelIds({"sales", "desk"}), ALIASED) == channel


def test_a_session_known_to_be_another_channel_is_not_this_one() -> None:
    records = [
        Record("sales", channel="x"),
        Record("SALES"),
        Record("SALES", channel="sales"),
        Record("SALES", channel="x"),
    ]
    assert [may_be(record, "sales") for record in records] == [True, True, True, False]


def test_ids_that_are_gone_neither_differ_nor_hide_that_others_do() -> None:
    spellings = Spellings()
    for session in ("support", "Sales", "sales"):
        spellings.add(session)
    spellings.remove("support")
    told = [spellings.differ]
    spellings.remove("Sales")
    told.append(spellings.differ)
    spellings.add("SALES")
    told.append(spellings.differ)
    assert told == [True, False, True]


def test_ids_are_folded_some_at_a_time_and_once() -> None:
    ids = ChannelIds(dict.fromkeys(["A", "b", "C", "a", "D"]).keys())
    with mock.patch.object(identity, "_FOLDED", 2):
        assert [ids.are_folded, len(list(ids.fold())), ids.are_folded, list(ids.fold())] == [False, 2, True, []]
    assert [ids.match(one, Aliases({})) for one in ("B", "aA", "A ")] == [
        Match("b", False),
        Match(None, False),
        Match(None, True),
    ]


def test_who_needs_the_folds_has_all_of_them() -> None:
    ids = ChannelIds(dict.fromkeys(["A", "b", "C"]).keys())
    with mock.patch.object(identity, "_FOLDED", 1):
        assert ids.match("c", Aliases({})) == Match("C", False)


@pytest.mark.parametrize(
    ("before", "channels", "channel", "after"),
    [
        ("front", {"Front"}, None, "front"),  # its own is left out
        ("front", {"Front", "front"}, "front", "front"),
        ("Front", {"front"}, "front", "front"),
        ("Front", {"Front", "FRONT"}, None, "front"),  # of several it is none, whatever was known
        (None, {"Front", "FRONT"}, None, "front"),
        (None, {"Front"}, "Front", None),  # as good as it gets, and not learned
        (None, {"other"}, None, None),
    ],
)
def test_what_a_list_that_may_leave_channels_out_tells_and_teaches(
    before: str | None, channels: set[str], channel: str | None, after: str | None
) -> None:
    record = Record("front", channel=before)
    found, learned = learn_channel(record, ChannelIds(channels), NONE, whole=False)
    assert (found, learned.channel, learned.confirmed) == (channel, after, channel is not None)


@pytest.mark.parametrize(
    ("channel", "aliases", "kept"),
    [
        (None, {}, True),
        ("sales", {}, True),
        ("SALES", {}, True),
        ("support", {}, False),
        ("support", {"Sales": "SUPPORT"}, True),
        ("support", {"sales": "desk"}, False),
    ],
)
def test_what_only_an_alias_can_have_taught_goes_with_it(
    channel: str | None, aliases: dict[str, str], kept: bool
) -> None:
    record = Record("sales", channel=channel, confirmed=True)
    assert unlearned(record, Aliases(aliases)) == (record if kept else replace(record, channel=None))
