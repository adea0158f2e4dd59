"""What a corrected answer tells the map: which sessions its channels are, what they say, who is confirmed."""

from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from statusproxy.status import identity, observation
from statusproxy.status.identity import ChannelIds
from statusproxy.status.model import Change, Observed, Release, Said, SessionRules
from statusproxy.status.named_elements import MOST
from statusproxy.status.sessions import SessionMap
from statusproxy.status.signals import SignalKind
from statusproxy.status.steps import at_once
from tests.status.counting import counted
from tests.status.maps import ALIVE, DOWN, UP, confirm, down, hear, in_force, override, reasons, record, see, without

# Ids: which session a channel is


@pytest.mark.parametrize(
    ("session", "channels", "owner"),
    [
        ("salesteam", ["salesteam", "Sales Team"], "salesteam"),
        ("salesteam", ["Sales Team", "support"], "Sales Team"),
        ("salesteam", ["Sales Team", "SalesTeam"], None),
        ("sales-team", ["salesteam"], None),
        ("wa1", ["Front Desk"], "Front Desk"),
        ("WA 1", ["frontdesk"], "frontdesk"),
        ("wa1", ["FrontDesk", "frontdesk"], None),
        ("wa1", ["wa1", "Front Desk"], "wa1"),
        ("gone", ["Front Desk"], None),
    ],
)
def test_a_channel_is_found_exactly_then_folded_then_by_alias(
    session: str, channels: list[str], owner: str | None
) -> None:
    sessions = down(session, rules=SessionRules(aliases={"wa1": "Front Desk"}))
    assert see(sessions, *channels)[0] == (frozenset() if owner is None else {owner})


@pytest.mark.parametrize(
    ("known", "aliases", "expected"),
    [
        (["sales", "support"], {}, ("sales", "support")),
        (["sales", "Sales"], {}, ()),
        (["sales", "x", "X"], {}, ()),
        (["sales"], {"wa1": "sales"}, ("sales",)),
        (["sales", "wa1"], {"wa1": "sales"}, ()),
        ([f"s{number}" for number in range(MOST)], {}, tuple(f"s{number}" for number in range(MOST))),
        ([f"s{number}" for number in range(MOST + 1)], {}, ()),
        ([], {}, ()),
    ],
)
def test_a_few_sessions_are_unmistakable_unless_another_may_be_the_same_channel(
    known: list[str], aliases: dict[str, str], expected: tuple[str, ...]
) -> None:
    assert down(*known, rules=SessionRules(aliases=aliases)).answers.unmistakable() == expected


def test_unmistakable_sessions_are_assigned_as_in_a_list_of_all_channels() -> None:
    one, other = down("sales", "support"), down("sales", "support")
    for _ in range(2):
        assigned = one.answers.assign_named(one.answers.unmistakable())
        assert assigned == other.answers.assign(ChannelIds({"sales", "support", "other"}), whole=True)
        assert one.records() == other.records()
    assert (record(one, "sales").channel, record(one, "sales").confirmed) == ("sales", True)


def test_an_alias_settles_what_folding_leaves_open() -> None:
    sessions = down("salesteam", rules=SessionRules(aliases={"salesteam": "Sales Team"}))
    assert see(sessions, "Sales Team", "SALESTEAM")[0] == {"Sales Team"}


def test_the_channel_is_remembered_and_what_the_gateway_said_of_it() -> None:
    sessions = down("salesteam")
    see(sessions, "Sales Team", says="connected", connected=True, now=201.0)
    known = record(sessions, "salesteam")
    assert (known.channel, known.gateway_said, known.gateway_said_at) == ("Sales Team", "connected", 201.0)


def test_a_session_that_several_channels_fold_to_is_none_of_them_when_one_is_asked_for() -> None:
    sessions = down("salesteam")
    see(sessions, "Sales Team", "SALESTEAM")
    assert see(sessions, "Sales Team", whole=False)[0] == frozenset()
    assert sessions.watched.deleted("Sales Team", 150.0, 151.0) == ()


@pytest.mark.parametrize(
    ("channel", "found"), [("salesteam", True), ("Sales Team", True), ("Front Desk", False), ("other", False)]
)
def test_an_answer_about_one_channel_goes_by_folding_while_nothing_is_learned(channel: str, found: bool) -> None:
    sessions = down("salesteam", rules=SessionRules(aliases={"wa1": "Front Desk"}))
    assert bool(see(sessions, channel, whole=False)[0]) is found


def test_an_answer_about_one_channel_goes_by_aliases_too() -> None:
    sessions = down("wa1", rules=SessionRules(aliases={"WA1": "Front Desk"}))
    assert see(sessions, "frontdesk", whole=False)[0] == {"frontdesk"}


def test_an_answer_about_one_channel_goes_by_what_was_learned() -> None:
    sessions = down("salesteam")
    see(sessions, "Sales Team")
    assert see(sessions, "SALES TEAM", whole=False)[0] == frozenset()
    assert see(sessions, "Sales Team", whole=False)[0] == {"Sales Team"}


def test_what_a_path_names_reaches_sessions_spelt_alike_and_aliased() -> None:
    sessions = down("salesteam", "wa1", rules=SessionRules(aliases={"wa1": "Sales Team"}))
    sessions.watched.created("Sales Team", 150.0, 151.0)
    assert {override(sessions, one).caught_up for one in ("salesteam", "wa1")} == {"created"}


def test_what_a_path_names_leaves_sessions_known_to_be_another_channel() -> None:
    sessions = down("salesteam", "SALESTEAM")
    see(sessions, "Sales Team", "SALESTEAM")
    sessions.watched.created("SALESTEAM", 150.0, 151.0)
    assert override(sessions, "salesteam").caught_up is None
    assert override(sessions, "SALESTEAM").caught_up == "created"


def test_the_newest_knowledge_under_any_spelling_of_a_session_decides() -> None:
    sessions = down("salesteam", at=100.0)
    hear(sessions, "Sales Team", UP, at=110.0)
    overridden, changes = see(sessions, "Sales Team")
    assert overridden == frozenset()
    assert reasons(changes) == [("salesteam", "released", "connected-event")]


@pytest.mark.parametrize(("kind", "at"), [(UP, 110.0), (ALIVE, 190.0)])
def test_a_transient_state_that_another_spelling_knows_to_be_over_begins_no_override_again(
    kind: SignalKind, at: float
) -> None:
    sessions = SessionMap()
    hear(sessions, "salesteam", SignalKind.TRANSIENT, at=100.0)
    hear(sessions, "Sales Team", kind, at=at)
    assert len(sessions.judge_transient(200.0)) == 1
    assert len(see(sessions, "Sales Team", connected=True, asked_at=201.0, now=202.0)[1]) == 1
    assert sessions.judge_transient(300.0) == ()
    assert see(sessions, "Sales Team", connected=True, asked_at=301.0, now=302.0) == (frozenset(), ())


def test_a_transient_state_that_is_too_old_ends_no_newer_loss_under_another_spelling() -> None:
    sessions = SessionMap(SessionRules(max_age=500.0))
    hear(sessions, "salesteam", UP, at=90.0)
    hear(sessions, "salesteam", SignalKind.TRANSIENT, at=100.0)
    sessions.judge_transient(200.0)
    hear(sessions, "Sales Team", DOWN, at=600.0)
    assert [change.session for change in sessions.expire(701.0)] == ["salesteam"]
    assert see(sessions, "Sales Team", connected=True, asked_at=702.0, now=703.0) == (frozenset({"Sales Team"}), ())


def test_older_knowledge_under_another_spelling_does_not() -> None:
    sessions = down("salesteam", at=100.0)
    hear(sessions, "Sales Team", UP, at=90.0)
    assert see(sessions, "Sales Team") == (frozenset({"Sales Team"}), ())


@pytest.mark.parametrize("older", ["Sales Team", "wa1"])
@pytest.mark.parametrize("whole", [True, False])
def test_evidence_of_an_older_loss_does_not_end_a_newer_one_under_another_spelling(older: str, whole: bool) -> None:
    sessions = down(older, rules=SessionRules(aliases={"wa1": "Sales Team"}))
    see(sessions, "Sales Team", says="qr", keeps=True, asked_at=110.0, now=111.0)
    hear(sessions, "salesteam", DOWN, at=120.0)
    for asked_at in (130.0, 140.0, 150.0):
        polled = see(sessions, "Sales Team", says="open", connected=True, asked_at=asked_at, now=asked_at, whole=whole)
        assert polled == (frozenset({"Sales Team"}), ())
    see(sessions, "Sales Team", says="qr", keeps=True, asked_at=160.0, now=161.0)
    shown, changes = see(sessions, "Sales Team", says="open", connected=True, asked_at=170.0, now=171.0, whole=whole)
    assert shown == frozenset()
    assert set(reasons(changes)) == {(spelling, "released", "reconnected") for spelling in (older, "salesteam")}


@pytest.mark.parametrize("rules", [SessionRules(), without(Release.CONNECTED_EVENT)])
def test_evidence_of_the_newest_loss_ends_an_older_one_that_was_told_late(rules: SessionRules) -> None:
    sessions = SessionMap(rules)
    for spelling in ("Sales Team", "salesteam"):
        hear(sessions, spelling, UP, at=10.0)
    hear(sessions, "salesteam", DOWN, at=120.0)
    see(sessions, "Sales Team", says="qr", keeps=True, asked_at=130.0, now=131.0)
    hear(sessions, "Sales Team", DOWN, at=119.0, arrival=140.0)
    shown, changes = see(sessions, "Sales Team", says="open", connected=True, asked_at=150.0, now=151.0)
    assert shown == frozenset()
    assert {change.reason for change in changes} == {"reconnected"}
    assert in_force(sessions) == set()


def test_an_answer_about_a_channel_spelt_otherwise_ends_no_newer_loss_of_what_is_known_to_be_the_same() -> None:
    sessions = down("salesteam")
    see(sessions, "Sales Team", says="open", connected=True)
    see(sessions, "salesteam", keeps=True, asked_at=210.0, now=211.0, whole=False)
    hear(sessions, "SALES TEAM", DOWN, at=220.0)
    see(sessions, "Sales Team", says="open", connected=True, asked_at=230.0, now=231.0)
    assert see(sessions, "salesteam", connected=True, asked_at=240.0, now=241.0, whole=False)[1] == ()
    assert in_force(sessions) == {"salesteam", "SALES TEAM"}


def test_evidence_of_what_an_older_list_showed_to_be_the_same_ends_no_loss_of_a_channel_of_its_own() -> None:
    sessions = down("Sales")
    see(sessions, "sales")  # there is no channel "Sales" yet
    hear(sessions, "sales", DOWN, at=210.0)
    see(sessions, "sales", keeps=True, asked_at=220.0, now=221.0)
    hear(sessions, "Sales", DOWN, at=205.0, arrival=230.0)
    assert see(sessions, "Sales", connected=True, asked_at=240.0, now=241.0, whole=False) == (frozenset({"Sales"}), ())


SPELLINGS = ("Sales Team", "salesteam", "wa1")

happening = st.tuples(
    st.sampled_from(
        [
            "down",
            "up",
            "alive",
            "qr",
            "created",
            "says",
            "deleted",
            "keep",
            "open",
            "other open",
            "down",
            "keep",
            "open",
        ]
    ),
    st.sampled_from(SPELLINGS),
    st.sampled_from([0.0, 0.0, 20.0, 100.0]),  # how late an event comes, or five times how slow an answer is
    st.sampled_from([1.0, 7.0, 70.0]),  # how long after the one before
)
KNOWN_LOSS = [("down", "wa1", 0.0, 7.0), ("keep", "wa1", 0.0, 7.0), ("down", "salesteam", 0.0, 7.0)]


@given(st.lists(happening, max_size=8))
@example([*KNOWN_LOSS, ("open", "wa1", 0.0, 1.0)])
@example([*KNOWN_LOSS, ("qr", "wa1", 0.0, 1.0), ("down", "Sales Team", 20.0, 1.0), ("open", "wa1", 0.0, 1.0)])
def test_what_is_told_in_several_spellings_is_shown_as_if_it_were_told_in_one(
    story: list[tuple[str, str, float, float]],
) -> None:
    assert shown_after(story, SPELLINGS) == shown_after(story, ("Sales Team",) * 3)


def shown_after(story: list[tuple[str, str, float, float]], spellings: tuple[str, ...]) -> list[bool]:
    """Whether each list of this story shows the session as disconnected, and one more at its end."""
    sessions = SessionMap(SessionRules(aliases={"wa1": "Sales Team"}))
    for number, spelling in enumerate(spellings):
        hear(sessions, spelling, UP, at=1.0 + number / 10)
    kinds = {"down": DOWN, "up": UP, "alive": ALIVE}
    now, shown = 10.0, []
    for number, (what, spelling, late, after) in enumerate((*story, ("look", "wa1", 0.0, 1.0))):
        now += after
        spelling = spellings[SPELLINGS.index(spelling)]
        asked_at = now - late / 5
        if what in kinds:
            at = max(now - late, 5.0 + number / 100)
            hear(sessions, spelling, kinds[what], at=at, arrival=now, event_id=str(number))
        elif what == "qr":
            sessions.watched.qr_seen("Sales Team", asked_at, now)
        elif what == "created":
            sessions.watched.created("Sales Team", asked_at, now)
        elif what == "says":
            sessions.watched.said_connected("Sales Team", asked_at, now)
        elif what == "deleted":
            sessions.watched.deleted("Sales Team", asked_at, now)
        else:
            answer = see(
                sessions, "Sales Team", keeps=what == "keep", connected="open" in what, asked_at=asked_at, now=now,
                source="/b" if what == "other open" else "/a",
            )  # fmt: skip
            shown.append(bool(answer[0]))
    return shown


def test_a_message_under_another_spelling_counts() -> None:
    sessions = down("salesteam", at=100.0)
    hear(sessions, "Sales Team", ALIVE, at=170.0)
    assert reasons(see(sessions, "Sales Team")[1]) == [("salesteam", "released", "alive")]


def test_knowledge_of_another_channel_spelt_alike_does_not_count() -> None:
    sessions = down("salesteam", at=100.0)
    hear(sessions, "Sales Team", UP, at=110.0)
    assert see(sessions, "Sales Team", "salesteam") == (frozenset({"salesteam"}), ())


def test_with_connected_event_off_another_spelling_ends_nothing() -> None:
    sessions = down("salesteam", rules=without(Release.CONNECTED_EVENT))
    hear(sessions, "Sales Team", UP, at=110.0)
    assert see(sessions, "Sales Team") == (frozenset({"Sales Team"}), ())


def test_a_session_without_events_is_never_touched() -> None:
    assert see(down("sales"), "support") == (frozenset(), ())


def test_an_override_is_told_once_as_shown_when_it_first_changes_an_answer() -> None:
    sessions = down("sales", "support")
    assert sessions.answers.take_first_shown() == []
    for now in (201.0, 202.0):
        sessions.answers.answer_changed(["sales"], {"sales": ["sales"], "support": ["support"]}, now)
    assert sessions.answers.take_first_shown() == ["sales"]
    assert sessions.answers.take_first_shown() == []
    assert (record(sessions, "sales").shown_at, record(sessions, "support").shown_at) == (201.0, None)


# One channel among many


@given(
    st.sets(st.sampled_from(["sales", "Sales", "sales team", "salesteam", "x", "y", "wpp-01"]), min_size=1),
    st.sets(st.sampled_from(["sales", "Sales", "SalesTeam", "Sales Team", "x", "z", "desk"]), min_size=1),
    st.booleans(),
)
def test_a_short_answer_finds_the_same_sessions_as_a_long_one(lost: set[str], listed: set[str], whole: bool) -> None:
    rules = SessionRules(aliases={"wpp-01": "desk"})
    few, many = down(*sorted(lost), rules=rules), down(*sorted(lost), rules=rules)
    for number in range(20):  # more overrides than channels
        hear(many, f"other-{number}", DOWN, at=100.0)
    for sessions in (few, many):
        sessions.answers.assign(ChannelIds({"Sales Team", "y"}), whole=True)  # something was learned before
    short = {name: sorted(found) for name, found in many.answers.assign(ChannelIds(set(listed)), whole=whole).items()}
    padded = ChannelIds(listed | {f"unknown-{number}" for number in range(50)})
    assert {name: sorted(found) for name, found in few.answers.assign(padded, whole=whole).items()} == short
    assert [one for one in many.records() if not one.session.startswith("other")] == few.records()


def test_in_steps_the_same_is_assigned() -> None:
    rules = SessionRules(aliases={"wpp-01": "desk"})
    names = ["sales", "Sales Team", "wpp-01", "x", "desk"]
    for listed in (set(names), {"salesteam", "desk"}):
        one, other = down(*names, rules=rules), down(*names, rules=rules)
        for sessions in (one, other):
            hear(sessions, "desk", UP, at=101.0)  # spelt alike, by an alias, and with no override
        expected = one.answers.assign(ChannelIds(listed), whole=True)
        with mock.patch.multiple(observation, _AT_ONCE=1):
            assert at_once(other.answers.assign_in_steps(ChannelIds(listed), whole=True)) == expected


def test_a_session_that_returns_between_two_steps_is_not_assigned() -> None:
    sessions = down("sales", "support")
    with mock.patch.multiple(observation, _AT_ONCE=1):
        steps = sessions.answers.assign_in_steps(ChannelIds({"sales", "support", "x"}), whole=True)
        next(steps)
        hear(sessions, "support", UP, at=101.0)
        assert at_once(steps) == {"sales": ["sales"]}


@pytest.mark.parametrize("whole", [True, False])
def test_a_session_forgotten_while_the_ids_are_folded_is_not_assigned(whole: bool) -> None:
    sessions = down("sales team", "front")
    with mock.patch.object(identity, "_FOLDED", 1):
        steps = sessions.answers.assign_in_steps(ChannelIds({"x", "SalesTeam", "front"}), whole=whole)
        next(steps)
        sessions.forget("sales team", 150.0)
        assert at_once(steps) == {"front": ["front"]}


# Which sessions are real


def test_a_list_that_is_corrected_confirms_the_sessions_it_corrects() -> None:
    sessions = down("sales", "support")
    see(sessions, "sales")
    assert (record(sessions, "sales").confirmed, record(sessions, "support").confirmed) == (True, False)


def test_an_answer_about_one_channel_confirms_nothing() -> None:
    sessions = down("sales")
    see(sessions, "sales", whole=False)
    assert not record(sessions, "sales").confirmed


def test_another_spelling_and_an_alias_are_confirmed_but_not_what_could_be_two_channels() -> None:
    sessions = down("Sales Team", "wpp-01", "front desk", rules=SessionRules(aliases={"wpp-01": "support"}))
    confirm(sessions, ChannelIds({"salesteam", "support", "FrontDesk", "frontdesk"}))
    assert [one.session for one in sessions.records() if one.confirmed] == ["Sales Team", "wpp-01"]


def test_a_long_list_gives_way_while_it_confirms_and_names_all_who_are_there_when_their_turn_comes() -> None:
    names = [f"s{number}" for number in range(600)]
    sessions = down(names[0], names[-1])
    steps = sessions.answers.confirm(ChannelIds(dict.fromkeys(names).keys()))
    next(steps)
    hear(sessions, names[-2], UP, at=101.0)
    assert sum(1 for _ in steps) == 1
    assert [one.session for one in sessions.records() if one.confirmed] == [names[0], names[-1], names[-2]]


def test_a_list_that_names_the_same_again_leaves_nothing_to_save() -> None:
    sessions = down("real-0", "real-1")
    saved = []
    for _ in range(2):
        confirm(sessions)
        saved.append(sorted(one.session for one in sessions.take_stale()))
    assert saved == [["real-0", "real-1"], []]


def test_an_answer_is_noted_as_changed_once_for_sessions_that_are_still_overridden() -> None:
    sessions = down("sales", "support", "gone")
    assigned = sessions.answers.assign(ChannelIds({"sales", "support", "gone"}), whole=True)
    sessions.forget("gone", 150.0)
    sessions.release("support", 150.0)
    sessions.answers.answer_changed(["sales", "support", "gone"], assigned, 160.0)
    sessions.answers.answer_changed(["sales"], assigned, 170.0)
    assert sessions.answers.take_first_shown() == ["sales"]
    assert [(one.session, one.shown_at) for one in sessions.records()] == [("sales", 160.0), ("support", None)]


def test_a_session_forgotten_since_it_was_assigned_is_left_out() -> None:
    sessions = down("sales", "SALES")
    assigned = sessions.answers.assign(ChannelIds({"sales"}), whole=True)
    assert assigned == {"sales": ["sales", "SALES"]}
    sessions._records.drop("sales")
    said = [Said("sales", "connected", keeps=False, connected=True)]
    assert sessions.answers.observe(said, assigned, 200.0, 201.0) == Observed(frozenset({"sales"}), ())


def test_a_session_released_by_what_another_spelling_knows_is_not_shown() -> None:
    sessions = down("sales")
    hear(sessions, "SALES", UP, at=150.0)
    assigned = sessions.answers.assign(ChannelIds({"sales"}), whole=True)
    said = [Said("sales", "connected", keeps=True, connected=False)]
    ended = Change("sales", "released", "connected-event", 150.0, 201.0, "connected")
    assert sessions.answers.observe(said, assigned, 200.0, 201.0) == Observed(frozenset(), (ended,))


def test_a_word_of_keep_shows_that_the_route_has_caught_up_and_its_connected_then_releases() -> None:
    sessions = down("sales")
    kept = see(sessions, "sales", says="qr", keeps=True, connected=True, asked_at=200.0, now=201.0, source="/a")
    assert kept == (frozenset({"sales"}), ())
    assert override(sessions, "sales").seen_on == (("/a", 201.0),)
    stale = see(sessions, "sales", says="open", connected=True, asked_at=202.0, now=203.0, source="/b")
    assert stale == (frozenset({"sales"}), ())
    fresh = see(sessions, "sales", says="open", connected=True, asked_at=204.0, now=205.0, source="/a")
    assert fresh == (frozenset(), (Change("sales", "released", "reconnected", 205.0, 205.0, "open"),))
    assert sessions.take_unsaved()[0] == [record(sessions, "sales")]


# What an answer teaches that may leave channels out, or shows one


def test_a_list_that_leaves_channels_out_confirms_but_teaches_no_channel_by_a_fold() -> None:
    sessions = down("salesteam", "desk")
    for _ in sessions.answers.confirm(ChannelIds({"Sales Team", "desk"}), whole=False):
        pass
    known = {one.session: (one.channel, one.confirmed) for one in sessions.records()}
    assert known == {"salesteam": (None, True), "desk": ("desk", True)}


def test_a_known_session_lacks_its_channel_until_its_own_was_shown() -> None:
    sessions = down("sales")
    answers = sessions.answers
    assert (answers.lacks_channel("sales"), answers.lacks_channel("other")) == (True, False)
    answers.is_own("sales")
    assert (record(sessions, "sales").channel, answers.lacks_channel("sales")) == ("sales", False)


def test_unmistakable_sessions_are_noted_as_their_own_channels_whatever_was_learned_before() -> None:
    sessions = down("sales", "support")
    see(sessions, "SALES")  # the only one that it may be
    assert (record(sessions, "sales").channel, record(sessions, "sales").confirmed) == ("SALES", True)
    see(sessions, "support", whole=False)
    sessions.answers.is_own("support")
    assert (record(sessions, "support").channel, record(sessions, "support").confirmed) == ("support", False)
    sessions.answers.assign_named(("sales", "support"))
    for name in ("sales", "support"):
        assert (record(sessions, name).channel, record(sessions, name).confirmed) == (name, True)
    version = sessions.version
    noted = record(sessions, "sales")
    sessions.answers.assign_named(("sales", "support"))
    assert (record(sessions, "sales") is noted, sessions.version) == (True, version), "the same again changes nothing"


def test_a_list_teaches_what_a_session_is_by_its_fold_where_nothing_is_said_of_how_whole_it_is() -> None:
    sessions = down("sales team")
    confirm(sessions, ChannelIds({"SalesTeam"}))
    assert record(sessions, "sales team").channel == "SalesTeam"


@pytest.mark.parametrize(
    ("lost", "listed", "turns"),
    [
        (["s0", "s1", "s2", "s3", "S0"], ["s0", "s1", "s2", "s3", "S0", "x"], 2 + 2),  # the sessions, then their kin
        (["s0", "s1", "s2", "s3", "s4"], ["s0", "s1", "s2"], 1 + 1),  # the channels, then the sessions that are these
    ],
)
def test_others_have_their_turn_after_each_few_sessions_and_channels(
    lost: list[str], listed: list[str], turns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observation, "_AT_ONCE", 2)
    steps = down(*lost).answers.assign_in_steps(ChannelIds(dict.fromkeys(listed).keys()), whole=True)
    assert counted(steps)[1] == turns
