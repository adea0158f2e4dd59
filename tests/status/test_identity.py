"""Which channel a session is: exact before folded before alias, and none where it could be two."""

import pytest

from statusproxy.status.identity import Aliases, ChannelIds, Match

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


def test_folds_are_those_of_all_ids() -> None:
    assert sorted(ChannelIds({"Sales Team", "desk"}).folds) == ["desk", "salesteam"]
