"""Events that are neither answered nor kept, and what they hold back."""

from statusproxy.spool.direct import Direct, queue_of

SALES = ("gateway", "sales")


class Event:
    """An event that counts how often its session is asked for."""

    def __init__(self, session: str | None = "sales") -> None:
        self.asked = 0
        self._session = session

    @property
    def session(self) -> str | None:
        self.asked += 1
        return self._session


def test_a_queue_is_the_folded_session_or_that_of_all_events_without_one() -> None:
    assert (queue_of("Sales "), queue_of(None)) == ("sales", "")


def test_an_event_holds_back_what_came_after_it_in_its_lane() -> None:
    direct = Direct()
    direct.begin("gateway", "2", Event(" SALES"))
    direct.begin("gateway", "4", Event())
    direct.begin("gateway", "1", Event(None))
    assert [direct.holds(SALES, id_) for id_ in "1235"] == [False, False, True, True]
    assert [direct.holds(("hub", "sales"), "3"), direct.holds(("gateway", ""), "3")] == [False, True]
    assert direct.end("gateway", "2") == SALES
    assert [direct.holds(SALES, id_) for id_ in "345"] == [False, False, True]
    assert direct.end("gateway", "4") == SALES
    assert not direct.holds(SALES, "5")


def test_an_event_ends_once() -> None:
    direct = Direct()
    direct.begin("gateway", "1", Event())
    direct.holds(SALES, "2")
    assert (direct.end("gateway", "1"), direct.end("gateway", "1"), direct.end("hub", "1")) == (SALES, None, None)


def test_the_session_is_asked_for_once_and_only_where_it_matters() -> None:
    """It costs as much as reading the event."""
    direct, never, once = Direct(), Event(), Event()
    direct.begin("gateway", "1", never)
    direct.holds(("hub", "sales"), "9")
    assert direct.end("gateway", "1") is None
    direct.begin("gateway", "2", once)
    direct.holds(SALES, "3")
    direct.holds(SALES, "3")
    assert (never.asked, once.asked) == (0, 1)


def test_nothing_stays_of_events_that_have_ended() -> None:
    direct = Direct()
    for number in range(3):
        direct.begin("gateway", str(number), Event())
        direct.holds(SALES, "9")
        direct.end("gateway", str(number))
    assert (direct._lanes, direct._lane_of, direct._new) == ({}, {}, {"gateway": {}})
