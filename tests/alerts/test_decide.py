"""Which messages are made: one for what falls together, none for a flap, none twice."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statusproxy.alerts.codec import decode, encode
from statusproxy.alerts.decide import Decision, Seen, decide
from statusproxy.alerts.deliveries import attempts, delivered, failed
from statusproxy.alerts.values import AlertRules, Book, DeliveryState, Ending, Message, Outage, Target, Told, Topic

EVERYTHING = Target("t1", "webhook hub.example", frozenset(Topic))
RULES = AlertRules(after=60.0, remind=3600.0, group=30.0, targets=(EVERYTHING,))
LONG_AGO = -1e6


def lost(session: str, since: float = 0.0) -> Outage:
    return Outage(Topic.LOST, since, session, "status-find", "browserClose", "CONNECTED")


def condition(topic: Topic, since: float = 0.0) -> Outage:
    return Outage(topic, since, reason="connection refused")


@dataclass
class Desk:
    """A proxy that looks when it is due, and at what the test says."""

    rules: AlertRules = RULES
    book: Book = field(default_factory=Book)
    seen: Seen = field(default_factory=Seen)
    started_at: float = LONG_AGO
    due: float | None = None
    unsure: tuple[Topic, ...] = ()
    ended: dict[str, Ending] = field(default_factory=dict)
    ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def look(self, now: float, *outages: Outage) -> tuple[Message, ...]:
        decision = self.decision(now, *outages)
        self.book, self.seen, self.due = decision.book, decision.seen, decision.due
        return decision.made

    def decision(self, now: float, *outages: Outage) -> Decision:
        return decide(
            self.book,
            self.seen,
            outages,
            now,
            self.rules,
            started_at=self.started_at,
            new_id=lambda: f"m{next(self.ids)}",
            ended=self.ended,
            unsure=self.unsure,
        )


def sessions(message: Message) -> list[str | None]:
    return [line.outage.session for line in message.lines]


def told(desk: Desk, *outages: Outage, since: float = 0.0) -> Message:
    """The message of these outages, which fell together."""
    assert not desk.look(since, *outages)
    (message,) = desk.look(since + 65, *outages)
    return message


def test_a_loss_is_told_once_it_has_lasted_and_nothing_more_falls_for_five_seconds() -> None:
    desk = Desk()
    assert desk.look(0.0, lost("sales")) == ()
    assert desk.due == 65
    assert desk.look(64.9, lost("sales")) == ()
    (message,) = desk.look(65.0, lost("sales"))
    assert (message.id, message.type, message.at, message.reminder) == ("m1", "session.lost", 65.0, 0)
    assert message.lines[0].outage == lost("sales")
    assert [each.target for each in message.deliveries] == ["t1"]
    assert desk.book.messages == (message,)
    assert desk.book.told["lost:sales"].message == "m1"
    assert desk.look(66.0, lost("sales")) == ()
    assert desk.due == 65 + 3600


def test_what_falls_together_is_one_message() -> None:
    desk = Desk()
    falls = [lost(f"s{number:03}", number / 100) for number in range(300)]
    for number, each in enumerate(falls):
        assert desk.look(each.since, *falls[: number + 1]) == ()
    assert desk.due == pytest.approx(2.99 + 65)
    (message,) = desk.look(desk.due or 0, *falls)
    assert sessions(message) == sorted(each.session or "" for each in falls)
    assert desk.look(200.0, *falls) == ()


def test_a_message_waits_at_most_as_long_as_group() -> None:
    desk = Desk()
    falls = [lost(f"s{number:02}", number * 4.0) for number in range(20)]
    for number, each in enumerate(falls):
        assert desk.look(each.since, *falls[: number + 1]) == ()
    assert desk.due == 90
    (message,) = desk.look(90.0, *falls)
    assert len(message.lines) == 8  # those that are due by then: 60, 64, … 88
    (later,) = desk.look(desk.due or 0, *falls)
    assert later.at == 122
    assert len(later.lines) == 8


def test_a_flap_is_not_told() -> None:
    desk = Desk()
    desk.look(0.0, lost("sales"))
    assert desk.look(59.0) == ()
    assert desk.due is None
    assert desk.look(200.0) == ()
    assert desk.book == Book()


def test_a_loss_that_ends_while_its_message_waits_is_not_told() -> None:
    desk = Desk()
    desk.look(0.0, lost("sales"))
    desk.look(62.0, lost("sales"))
    assert desk.look(64.0) == ()
    assert desk.look(300.0) == ()


def test_a_loss_that_is_heard_of_late_waits_for_others_that_are_heard_of_with_it() -> None:
    desk = Desk()
    assert desk.look(1000.0, lost("a")) == ()
    assert desk.look(1001.0, lost("a"), lost("b")) == ()
    (message,) = desk.look(1006.0, lost("a"), lost("b"))
    assert sessions(message) == ["a", "b"]


def test_after_a_start_all_that_is_lost_is_one_message() -> None:
    desk = Desk(started_at=1000.0)
    assert desk.look(1000.0, lost("a"), lost("b", 943.0)) == ()
    assert desk.due == 1010
    (message,) = desk.look(1010.0, lost("a"), lost("b", 943.0))
    assert sessions(message) == ["a", "b"]


def test_two_messages_of_a_type_are_group_seconds_apart() -> None:
    desk = Desk()
    told(desk, lost("a"))
    assert desk.look(75.0, lost("a"), lost("b", 10.0)) == ()
    assert desk.due == 95
    (message,) = desk.look(95.0, lost("a"), lost("b", 10.0))
    assert sessions(message) == ["b"]


def test_a_clock_that_is_set_back_holds_no_message_back() -> None:
    desk = Desk(book=Book(last={"session.lost": 1e9}), seen=Seen({"lost:a": 1e9}))
    (message,) = [*desk.look(60.0, lost("a")), *desk.look(65.0, lost("a"))]
    assert message.at == 65
    desk.look(10.0, lost("a"))
    assert desk.book.told["lost:a"].at == 10
    assert desk.due == 10 + 3600


def test_a_clock_set_back_after_the_start_holds_no_alert_back() -> None:
    desk = Desk(started_at=10_800.0)
    assert desk.look(20.0, lost("a", 20.0)) == ()
    assert desk.due == 85
    (message,) = desk.look(85.0, lost("a", 20.0))
    assert sessions(message) == ["a"]


def test_an_outage_dated_ahead_is_told_once_it_has_lasted_since_it_was_seen() -> None:
    desk = Desk()
    assert desk.look(100.0, lost("a", 10_800.0)) == ()
    assert desk.due == 165
    (message,) = desk.look(165.0, lost("a", 10_800.0))
    assert sessions(message) == ["a"]


def test_the_end_of_an_outage_dated_ahead_is_told_with_how_it_ended() -> None:
    desk = Desk()
    assert desk.look(0.0, lost("a", 10_800.0)) == ()
    desk.look(65.0, lost("a", 10_800.0))
    desk.ended = {"lost:a": Ending(99.0, "alive")}
    desk.look(100.0)
    (message,) = desk.look(105.0)
    assert (message.lines[0].ended_at, message.lines[0].released) == (99.0, "alive")


def test_back_is_told_with_how_and_when_it_ended() -> None:
    desk = Desk()
    told(desk, lost("a"))
    desk.ended = {"lost:a": Ending(99.0, "alive")}
    assert desk.look(100.0) == ()
    assert desk.due == 105
    (message,) = desk.look(105.0)
    assert message.type == "session.back"
    (line,) = message.lines
    assert (line.outage, line.ended_at, line.released) == (lost("a"), 99.0, "alive")
    assert desk.book.told == {}
    assert desk.look(500.0) == ()


@pytest.mark.parametrize("known", [{}, {"lost:a": Ending(-5.0, "alive")}, {"lost:a": Ending(1e9, "alive")}])
def test_an_end_that_is_not_known_is_when_it_was_seen(known: dict[str, Ending]) -> None:
    desk = Desk(ended=known)
    told(desk, lost("a"))
    desk.look(100.0)
    (message,) = desk.look(105.0)
    assert (message.lines[0].ended_at, message.lines[0].released) == (100.0, None)


def test_what_is_lost_again_before_back_was_told_is_not_told() -> None:
    desk = Desk()
    told(desk, lost("a"))
    desk.look(100.0)
    desk.ended = {"lost:a": Ending(100.0, "alive")}
    assert desk.look(103.0, lost("a", 103.0)) == ()
    assert desk.look(200.0, lost("a", 103.0)) == ()
    assert desk.book.told["lost:a"].outage.since == 0
    desk.ended = {"lost:a": Ending(300.0, "alive")}
    desk.look(300.0)
    (message,) = desk.look(305.0)
    assert message.lines[0].outage.since == 0


def test_what_came_back_and_fell_again_while_nobody_looked_is_told_as_both() -> None:
    desk = Desk()
    told(desk, lost("a"))
    desk.ended = {"lost:a": Ending(1000.0, "alive")}
    desk.seen, desk.started_at = Seen(), 5000.0
    assert desk.look(5000.0, lost("a", 4000.0)) == ()
    made = desk.look(5010.0, lost("a", 4000.0))
    assert [(each.type, each.lines[0].outage.since) for each in made] == [
        ("session.back", 0.0),
        ("session.lost", 4000.0),
    ]
    assert desk.look(5020.0, lost("a", 4000.0)) == ()
    assert desk.book.told["lost:a"].outage.since == 4000


def test_reminders_come_while_it_lasts_and_those_that_are_near_together() -> None:
    desk = Desk()
    told(desk, lost("a"))
    desk.look(300.0, lost("a"), lost("b", 300.0))
    desk.look(365.0, lost("a"), lost("b", 300.0))
    assert desk.due == 65 + 3600
    (first,) = desk.look(3665.0, lost("a", 1.0), lost("b", 300.0))
    assert (first.type, first.reminder, sessions(first)) == ("session.lost", 1, ["a", "b"])
    assert first.lines[0].outage.since == 0
    assert desk.due == 3665 + 3600
    (second,) = desk.look(7265.0, lost("a"), lost("b", 300.0))
    assert second.reminder == 2


def test_a_reminder_that_is_far_from_another_comes_by_itself() -> None:
    desk = Desk()
    told(desk, lost("a"))
    desk.look(1000.0, lost("a"), lost("b", 1000.0))
    desk.look(1065.0, lost("a"), lost("b", 1000.0))
    (first,) = desk.look(3665.0, lost("a"), lost("b", 1000.0))
    assert sessions(first) == ["a"]
    assert desk.due == 1065 + 3600


def test_a_reminder_waits_for_the_rate() -> None:
    desk = Desk(rules=AlertRules(60.0, 60.0, 30.0, (EVERYTHING,)))
    told(desk, lost("a"))
    desk.look(60.0, lost("a"), lost("b", 60.0))
    (new, *_) = desk.look(125.0, lost("a"), lost("b", 60.0))
    assert sessions(new) == ["b"]
    assert desk.due == 155
    (reminder,) = desk.look(155.0, lost("a"), lost("b", 60.0))
    assert (sessions(reminder), reminder.reminder) == (["a"], 1)


def test_no_reminder_where_none_is_wanted() -> None:
    desk = Desk(rules=AlertRules(60.0, None, 30.0, (EVERYTHING,)))
    told(desk, lost("a"))
    assert desk.due is None
    assert desk.look(1e6, lost("a")) == ()


def test_a_mark_of_the_future_is_reminded_of_by_the_clock_that_was_set_right() -> None:
    desk = Desk()
    told(desk, lost("a", 1e6), since=1e6)
    desk.look(100.0, lost("a", 0.0))
    assert desk.due == 3700


@pytest.mark.parametrize(
    ("topic", "begun", "over"),
    [
        (Topic.GATEWAY_DOWN, "gateway.down", "gateway.back"),
        (Topic.WEBHOOKS_SILENT, "webhooks.silent", "webhooks.back"),
        (Topic.STORE, "store.failing", "store.back"),
        (Topic.SPOOL, "spool.stuck", "spool.back"),
    ],
)
def test_a_condition_is_told_and_its_end(topic: Topic, begun: str, over: str) -> None:
    desk = Desk()
    message = told(desk, condition(topic))
    assert (message.type, message.lines[0].outage.reason) == (begun, "connection refused")
    desk.look(100.0)
    (message,) = desk.look(105.0)
    assert (message.type, message.lines[0].ended_at) == (over, 100.0)


def test_messages_of_two_types_are_made_together() -> None:
    desk = Desk()
    outages = [lost("a"), condition(Topic.GATEWAY_DOWN)]
    desk.look(0.0, *outages)
    assert [each.type for each in desk.look(65.0, *outages)] == ["session.lost", "gateway.down"]


def test_what_is_not_known_now_is_not_told_to_be_over() -> None:
    desk = Desk()
    told(desk, condition(Topic.GATEWAY_DOWN))
    desk.seen, desk.started_at, desk.unsure = Seen(), 200.0, (Topic.GATEWAY_DOWN,)
    assert desk.look(200.0) == ()
    assert desk.look(300.0) == ()
    assert desk.due is None
    desk.unsure = ()
    assert desk.look(301.0, condition(Topic.GATEWAY_DOWN, 200.0)) == ()
    assert desk.book.told["gateway-down"].outage.since == 0


def test_a_target_gets_what_it_asks_for() -> None:
    sales = Target("t2", "ntfy", frozenset({Topic.LOST}), ("sales*",))
    rules = AlertRules(60.0, 3600.0, 30.0, (EVERYTHING, sales))
    desk = Desk(rules=rules)
    message = told(desk, lost("support"))
    assert [each.target for each in message.deliveries] == ["t1"]
    message = told(desk, lost("support"), lost("sales-1", 1000.0), since=1000.0)
    assert [each.target for each in message.deliveries] == ["t1", "t2"]
    desk.look(2000.0)
    (message,) = desk.look(2005.0)
    assert [each.target for each in message.deliveries] == ["t1"]


def test_what_no_target_wants_is_told_to_the_one_that_comes_to_want_it() -> None:
    desk = Desk(rules=AlertRules(60.0, None, 30.0, (Target("t", "n", frozenset({Topic.STORE})),)))
    assert desk.look(0.0, lost("a")) == ()
    assert desk.look(100.0, lost("a")) == ()
    assert (desk.book, desk.due) == (Book(), None)
    desk.rules = RULES
    (message,) = [*desk.look(200.0, lost("a")), *desk.look(205.0, lost("a"))]
    assert sessions(message) == ["a"]


def test_a_target_that_asks_for_back_alone_gets_only_that() -> None:
    desk = Desk(rules=AlertRules(60.0, 60.0, 30.0, (Target("t", "n", frozenset({Topic.BACK})),)))
    desk.look(0.0, lost("a"))
    assert desk.look(65.0, lost("a")) == ()
    assert list(desk.book.told) == ["lost:a"]
    assert (desk.book.messages, desk.book.last) == ((), {})
    assert desk.look(500.0, lost("a")) == ()
    desk.look(600.0)
    (message,) = desk.look(605.0)
    assert message.type == "session.back"


def test_an_end_that_no_target_wants_is_not_told() -> None:
    desk = Desk(rules=AlertRules(60.0, None, 30.0, (Target("t", "n", frozenset({Topic.LOST})),)))
    told(desk, lost("a"))
    desk.look(100.0)
    assert desk.look(105.0) == ()
    assert desk.book.told == {}


def test_without_targets_nothing_is_told_until_there_is_one() -> None:
    desk = Desk(rules=AlertRules())
    for now in (0.0, 65.0, 500.0):
        assert desk.look(now, lost("a"), lost("b")) == ()
    assert (desk.book, desk.due) == (Book(), None)
    desk.rules, desk.started_at = RULES, 600.0
    desk.look(600.0, lost("a"), lost("b"))
    (message,) = desk.look(610.0, lost("a"), lost("b"))
    assert sessions(message) == ["a", "b"]


def test_a_message_that_waits_follows_a_target_whose_address_was_corrected() -> None:
    desk = Desk()
    first = told(desk, lost("a"))
    desk.rules = AlertRules(targets=(Target("t9", "n", frozenset(Topic)),))
    desk.look(70.0, lost("a"))
    assert [(each.message.id, each.delivery.target) for each in attempts(desk.book, 70.0)] == [(first.id, "t9")]


def test_a_message_that_could_not_be_sent_and_its_back_go_out_in_order() -> None:
    desk = Desk()
    first = told(desk, lost("a"))
    desk.book = failed(desk.book, first.id, "t1", 66.0, "no answer")
    desk.look(100.0)
    (back,) = desk.look(105.0)
    assert [each.message.id for each in attempts(desk.book, 200.0)] == [first.id]
    desk.book = delivered(desk.book, first.id, "t1", 200.0)
    assert [each.message.id for each in attempts(desk.book, 200.0)] == [back.id]


def test_a_book_that_does_not_change_stays_the_same_object() -> None:
    desk = Desk()
    for now in (0.0, 65.0):
        desk.look(now, lost("a"), condition(Topic.STORE))
    before = desk.book
    desk.look(90.0, lost("a"), condition(Topic.STORE))
    assert desk.book is before


def test_a_mark_that_makes_no_sense_costs_no_message() -> None:
    odd = Outage(Topic.BACK, 0.0)
    desk = Desk(book=Book(told={odd.key: Told(odd, "m0", 0.0)}))
    assert desk.look(0.0, lost("a")) == ()
    assert [each.type for each in desk.look(65.0, lost("a"))] == ["session.lost"]


# A random site

AFTER, GROUP = 60.0, 30.0
SLACK = 3 * GROUP + 20.0
"""Longer than any message waits, whatever others there are."""


@dataclass
class Site:
    """Sessions that fall and return, and proxies that look, stop and take over from each other."""

    desk: Desk = field(default_factory=lambda: Desk(started_at=0.0))
    now: float = 0.0
    up: bool = True
    down: dict[str, float] = field(default_factory=dict)
    intervals: list[tuple[str, float, float, bool]] = field(default_factory=list)
    """Session, beginning, end, and whether a proxy looked all the time from the beginning on."""
    made: list[Message] = field(default_factory=list)
    unwatched: set[str] = field(default_factory=set)

    def look(self) -> None:
        if not self.up:
            return
        outages = [lost(session, since) for session, since in self.down.items()]
        decision = self.desk.decision(self.now, *outages)
        assert decision.due is None or decision.due > self.now
        self.desk.book, self.desk.seen, self.desk.due = decode_again(decision.book), decision.seen, decision.due
        again = self.desk.decision(self.now, *outages)
        assert again.made == ()
        assert again.book is self.desk.book
        assert (again.due or 0) >= (decision.due or 0), "a reminder that was made holds a new message back"
        self.made += decision.made

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.up and self.desk.due is not None and self.desk.due <= until:
            self.now = self.desk.due
            self.look()
        self.now = until

    def toggle(self, session: str) -> None:
        self.wait(0.125)  # no two at the same moment
        since = self.down.pop(session, None)
        if since is None:
            self.down[session] = self.now
            if not self.up:
                self.unwatched.add(session)
        else:
            self.intervals.append((session, since, self.now, self.up and session not in self.unwatched))
            self.unwatched.discard(session)
            self.desk.ended[f"lost:{session}"] = Ending(self.now, "alive")
        self.look()

    def stop(self) -> None:
        self.up = False
        self.unwatched |= set(self.down)

    def start(self) -> None:
        """This proxy again, or another that shares the state: only the book stays."""
        self.up, self.desk.seen, self.desk.started_at = True, Seen(), self.now
        self.unwatched |= set(self.down)
        self.look()

    def send(self, works: bool) -> None:
        for attempt in attempts(self.desk.book, self.now):
            message, target = attempt.message.id, attempt.delivery.target
            if works:
                self.desk.book = delivered(self.desk.book, message, target, self.now)
            else:
                self.desk.book = failed(self.desk.book, message, target, self.now, "no answer")


def decode_again(book: Book) -> Book:
    again = decode(encode(book))
    assert again == book
    assert isinstance(again, Book)
    return again


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("toggle"), st.sampled_from(["a", "b", "c", "d"])),
        st.tuples(st.just("wait"), st.sampled_from([0.5, 2.0, 6.0, 20.0, 59.0, 70.0, 400.0, 4000.0])),
        st.tuples(st.sampled_from(["look", "stop", "start", "send", "fail"]), st.none()),
    ),
    max_size=40,
)


def play(steps: Sequence[tuple[str, object]]) -> Site:
    site = Site()
    for step, value in steps:
        match step, value:
            case "toggle", str():
                site.toggle(value)
            case "wait", float():
                site.wait(value)
            case "stop", _:
                site.stop()
            case "start", _:
                site.start()
            case "send" | "fail", _:
                site.send(step == "send")
            case _:
                site.look()
    site.start()
    site.wait(AFTER + SLACK)
    return site


def firsts(site: Site, kind: str) -> list[tuple[str | None, float, float]]:
    """What messages but reminders tell of: session, since, and when."""
    return [
        (line.outage.session, line.outage.since, message.at)
        for message in site.made
        if message.type == kind and not message.reminder
        for line in message.lines
    ]


@given(STEPS)
def test_what_lasts_is_told_once_in_time_and_a_flap_never(steps: list[tuple[str, object]]) -> None:
    site = play(steps)
    found = firsts(site, "session.lost")
    assert len({(session, since) for session, since, _ in found}) == len(found)
    lasting = [(session, since, site.now, session not in site.unwatched) for session, since in site.down.items()]
    ends = {(session, end) for session, _, end, _ in site.intervals}
    for session, since, end, watched in [*site.intervals, *lasting]:
        times = [at for name, began, at in found if (name, began) == (session, since)]
        assert all(at - since >= AFTER for at in times)
        if end - since < AFTER:
            assert times == [], "a flap"
        flapped = any(name == session and since - SLACK < at <= since for name, at in ends)
        if end - since > AFTER + GROUP + 5 and watched and not flapped:
            assert [at - since <= AFTER + GROUP + 5 for at in times] == [True]


@given(STEPS)
def test_what_was_told_is_told_to_be_over_once(steps: list[tuple[str, object]]) -> None:
    site = play(steps)
    over = firsts(site, "session.back")
    assert len({(session, since) for session, since, _ in over}) == len(over)
    begun = {(session, since) for session, since, _ in firsts(site, "session.lost")}
    assert {(session, since) for session, since, _ in over} <= begun
    still = {(mark.outage.session, mark.outage.since) for mark in site.desk.book.told.values()}
    assert begun == {(session, since) for session, since, _ in over} | still
    assert {session for session, _ in still} == {
        session for session, since in site.down.items() if site.now - since > AFTER
    }


@given(STEPS)
def test_messages_of_a_type_are_group_seconds_apart(steps: list[tuple[str, object]]) -> None:
    site = play(steps)
    for kind in ("session.lost", "session.back"):
        times = [message.at for message in site.made if message.type == kind]
        assert all(later - earlier >= GROUP for earlier, later in itertools.pairwise(times))


@given(STEPS)
def test_each_target_gets_its_messages_in_the_order_in_which_they_were_made(steps: list[tuple[str, object]]) -> None:
    site = play(steps)
    states = [message.deliveries[0].state for message in site.desk.book.messages]
    assert states == sorted(states, key=lambda state: state is DeliveryState.WAITING)
