"""What the shapes suggest."""

import pytest

from statusproxy.learning import guesses
from statusproxy.learning.guesses import State, cut_members, speaking
from statusproxy.learning.observation import NAMELESS
from statusproxy.learning.shapes import Cut
from statusproxy.learning.words import Meaning
from tests.known_dialect import KNOWN
from tests.learning.traffic import link, observed


@pytest.mark.parametrize(
    ("event", "by"),
    [
        ({"event": "connection.update", "status": "open"}, ("event",)),
        ({"type": "LoggedOut", "event": {"Reason": "open"}}, ("type",)),
        ({"dataType": "disconnected", "data": {"reason": "LOGOUT"}}, ("dataType",)),
        ({"hdr": {"kind": "closed"}, "status": "open"}, ("hdr", "kind")),
        ({"status": "open"}, ("status",)),
        ({"n": 5}, NAMELESS),
        ({"body": "open"}, NAMELESS),
        ({"meta": {"evt": {"kind": "line-status"}}, "host": "gateways"}, ("meta", "evt", "kind")),
        ({"m": {"e": {"x": "line-status"}}, "host": "gateways"}, ("m", "e", "x")),
        ({"host": "gateways"}, NAMELESS),
        ({"a": {"b": {"c": "down"}}}, NAMELESS),
    ],
)
def test_the_member_that_names_the_event(event: dict[str, object], by: tuple[str, ...]) -> None:
    assert guesses.event_member(observed([event], answer=None)) == by


def test_the_member_that_most_events_have_names_them() -> None:
    seen = observed([{"event": "open", "type": "scan"}, {"event": "close"}, {"event": "failed"}], answer=None)
    assert guesses.event_member(seen) == ("event",)


def test_the_session_is_where_a_list_s_ids_stand() -> None:
    seen = observed([{**link("sales", "up"), "session": "other"}])
    (group,) = guesses.groups(seen, ("what",))
    assert guesses.session_members(seen, group, ("what",))[0] == (("box", "ref"), 1.0)


def test_without_a_list_the_usual_names_are_tried() -> None:
    seen = observed([{"event": "open", "instanceName": "a", "userID": "b", "zone": "c", "id": "d"}], answer=None)
    found = guesses.session_members(seen, seen.all, ("event",))
    assert [path for path, _ in found] == [("instanceName",), ("userID",)]


def test_a_state_whose_words_are_known_comes_before_others() -> None:
    seen = observed(
        [{"event": "connection.update", "status": "success", "data": {"status": "disconected"}}], answer=None
    )
    found = guesses.states(seen.all, ("event",))
    assert [state.path for state in found] == [("data", "status"), ("status",)]
    assert [state.decided for state in found] == [True, False]


def test_words_elsewhere_that_mean_nothing_are_no_state() -> None:
    assert guesses.states(observed([{"event": "open", "zone": "success"}], answer=None).all, ("event",)) == []


def test_words_by_what_they_mean() -> None:
    state = State(("a",), {"open": 1, "close": 2, "connecting": 1, "success": 1}, 0)
    assert state.meaning(Meaning.DISCONNECTED) == ["close"]
    assert state.meaning(None) == ["success"]


def test_own_marks_that_are_known_already_are_left_out() -> None:
    seen = observed([{"event": "message", "data": {"fromMe": True}, "isMine": False}], answer=None)
    assert [path for path, _ in guesses.own_marks(seen, KNOWN.own)] == [("isMine",)]
    assert [path for path, _ in guesses.own_marks(seen, ())] == [("isMine",), ("data", "fromMe")]


def test_an_event_s_id_is_never_the_same_twice() -> None:
    events = [{"event": "open", "event_id": text, "uuid": "same"} for text in ("a", "b")]
    assert guesses.event_ids(observed(events, answer=None)) == [("event_id",)]


def test_what_a_lost_session_reads_is_the_list_s_own_word_or_the_events() -> None:
    lost = guesses.lost_words(observed([link("a", "down"), link("a", "closed"), link("a", "closed"), {"state": "up"}]))
    assert lost == {"down": 1, "closed": 2}
    assert guesses.lost_word(State(("a",), {"open": 1, "close": 1}, 0), lost) == "close"
    assert guesses.lost_word(State(("a",), {"open": 1}, 0), lost) == "closed"
    assert guesses.lost_word(State(("a",), {"open": 1}, 0), {}) == "disconnected"


def test_the_id_of_a_list_is_what_events_name() -> None:
    seen = observed([link("sales", "up")], answer=[{"name": "Sales", "key": "x", "at": "2026-01-15T19:07:06Z"}])
    shape = seen.answers.routes["/api/v2/boxes"]
    assert guesses.list_ids(shape, guesses.told_ids(seen)) == [(("name",), 1.0)]


def test_an_id_of_a_list_that_no_event_names_comes_last() -> None:
    seen = observed([link("sales", "up")] * 2, answer=[{"id": "1b2c", "name": "sales"}])
    shape = seen.answers.routes["/api/v2/boxes"]
    assert guesses.list_ids(shape, guesses.told_ids(seen)) == [(("name",), 1.0), (("id",), 0.0)]


def test_disconnected_is_transient_where_the_gateway_also_says_logged_out() -> None:
    assert guesses.transient_names(["Disconnected", "LoggedOut", "Message"]) == {"Disconnected"}
    assert guesses.transient_names(["disconnected", "logout.instance"]) == {"disconnected"}
    assert guesses.transient_names(["Disconnected", "Message"]) == set()


@pytest.mark.parametrize(
    ("path", "writable"), [(("a", "b"), True), (("a", "0"), False), (("*",), False), (("a.b",), False)]
)
def test_paths_through_arrays_and_ids_cannot_be_written(path: tuple[str, ...], writable: bool) -> None:
    assert guesses.is_writable(path) is writable


def test_a_member_that_holds_ids_in_longer_texts_is_told_with_how() -> None:
    events = [{"event": "open", "line": f"{name}:x", "text": f"{name}:x"} for name in ("sales", "support")]
    seen = observed(events)
    assert cut_members(seen.all) == [(("line",), Cut(":", first=True), 2)]


def test_the_state_of_events_that_no_member_names_can_stand_for_it() -> None:
    deep = {"a": {"b": {"was": "up", "now": "down"}}}
    seen = observed([{"n": 1, **deep}, {"event": "open"}])
    state = speaking(seen, ("event",))
    assert state is not None
    assert (state.path, dict(state.words)) == (("a", "b", "now"), {"down": 1})
    assert speaking(observed([{"event": "open"}]), ("event",)) is speaking(observed([{"n": 1}]), NAMELESS) is None


def line(kind: str, **inner: object) -> dict[str, object]:
    """An event whose name stands deep in members that are called like nothing, beside words that name no event."""
    return {"m": {"e": {"x": kind}}, "host": "gateways", "d": inner}


def test_a_contact_s_presence_in_few_events_names_no_event() -> None:
    events = [line("message", text="hello")] * 6 + [line("line-status", link={"now": "UP"})] * 4
    seen = observed([*events, line("peer-presence", now="available")], answer=None)
    assert guesses.event_member(seen) == ("m", "e", "x")
    without = [{"d": event["d"]} for event in events]
    assert guesses.event_member(observed([*without, {"d": {"now": "available"}}], answer=None)) == NAMELESS


def test_the_member_by_whose_words_the_events_differ_names_them() -> None:
    events = [{"a": mode, "z": kind, "d": {kind: 1}} for mode in ("fast", "slow") for kind in ("message", "call")]
    assert guesses.event_member(observed(events * 3, answer=None)) == ("z",)


def test_how_far_the_kinds_of_events_have_members_of_their_own() -> None:
    events = [{"mode": mode, "kind": kind, kind: {"n": 1}} for mode in ("fast", "full") for kind in ("call", "poll")]
    seen = observed(events, answer=None)
    by_kind, by_mode = guesses.groups(seen, ("kind",)), guesses.groups(seen, ("mode",))
    assert (guesses.parting(by_kind), guesses.parting(by_mode), guesses.parting([])) == (1.0, 0.0, 0.0)


def test_a_state_that_stands_deep_speaks_only_where_no_deep_member_names_the_event() -> None:
    event = {"m": {"e": {"kind": "line-status"}}, "d": {"line": {"now": "down"}}}
    assert speaking(observed([event]), ("m", "e", "kind")) is None
    assert speaking(observed([event, {"d": {"line": {"now": "down"}}}]), ("m", "e", "kind")) is not None


def test_an_id_of_a_list_is_found_whatever_its_members_are_called() -> None:
    answer = {"rows": [{"h": "sales", "s": "ONLINE", "tok": "qa"}, {"h": "sup", "s": "DROPPED", "tok": "qb"}]}
    events = [
        {"kind": "status", "acct": name, "now": "DROPPED", "tok": tok} for name, tok in (("sales", "qa"), ("sup", "qb"))
    ]
    seen = observed(events, answer=answer)
    shape = seen.answers.routes["/api/v2/boxes"]
    assert guesses.list_ids(shape, guesses.told_ids(seen)) == [(("h",), 1.0)]
    assert guesses.session_members(seen, seen.all, ("kind",)) == [(("acct",), 1.0)]


def test_of_members_with_ids_of_the_list_the_one_with_most_comes_first() -> None:
    events = [{"kind": "status", "a": "sales" if n else "other", "b": "sales"} for n in range(4)]
    seen = observed(events, answer=[{"h": "sales"}, {"h": "sup"}])
    assert guesses.session_members(seen, seen.all, ("kind",)) == [(("b",), 1.0), (("a",), 0.75)]


def test_beside_an_id_that_is_called_so_no_other_distinct_member_counts() -> None:
    answer = [{"name": "sales", "engine": "NOWEB"}, {"name": "support", "engine": "GOWS"}]
    events = [
        {"event": "message", "session": name, "engine": engine}
        for name, engine in (("sales", "NOWEB"), ("support", "GOWS"))
    ]
    seen = observed(events, answer=answer)
    assert guesses.session_members(seen, seen.all, ("event",)) == [(("session",), 1.0)]
    assert guesses.list_ids(seen.answers.routes["/api/v2/boxes"], guesses.told_ids(seen)) == [(("name",), 1.0)]


def test_beside_the_usual_id_one_that_is_called_like_an_id_still_counts() -> None:
    answer = [{"name": "sales", "jid": "x1@s.whatsapp.net"}, {"name": "support", "jid": "x2@s.whatsapp.net"}]
    seen = observed([{"event": "open", "session": "sales", "jid": "x1@s.whatsapp.net"}], answer=answer)
    found = guesses.list_ids(seen.answers.routes["/api/v2/boxes"], guesses.told_ids(seen))
    assert [path for path, _ in found] == [("name",), ("jid",)]


@pytest.mark.parametrize(
    ("member", "lost"),
    [("connected", ["false"]), ("is_online", ["false"]), ("offline", ["true"]), ("isDisconnected", ["true"])],
)
def test_true_and_false_mean_what_the_member_is_called(member: str, lost: list[str]) -> None:
    (state,) = guesses.states_or_flags(observed([{"event": "link", member: True}], answer=None).all, ("event",))
    assert (state.path, dict(state.words), state.decided) == ((member,), {"true": 1, "false": 0}, True)
    assert state.meaning(Meaning.DISCONNECTED) == lost
    assert len(state.meaning(Meaning.CONNECTED)) == 1


@pytest.mark.parametrize(
    "events",
    [
        [{"event": "link", "muted": True}],
        [{"event": "link", "sender": {"online": True}}],
        [{"event": "link", "online": "soon"}],
        [{"event": "link", "online": True}, {"event": "link"}, {"event": "link"}],
        [{"event": "link", "list": [{"online": True}]}],
    ],
)
def test_other_booleans_are_no_state(events: list[dict[str, object]]) -> None:
    assert guesses.states_or_flags(observed(events, answer=None).all, ("event",)) == []
