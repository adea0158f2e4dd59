"""What must hold of all that was sent and all that arrived."""

from __future__ import annotations

import pytest

from tests.kills.ledger import Arrival
from tests.kills.sender import Sent
from tests.kills.verdict import Figures, figures, wrongs

SENT = {
    "a": [Sent(0, "d0", False, 200, None), Sent(1, "d1", True, 202, "id-1"), Sent(2, "d2", True, 0, None)],
    "b": [Sent(0, "e0", False, 502, None)],
}


def came(*numbers: int, session: str = "a", digest: str = "d") -> list[Arrival]:
    return [Arrival(session, number, f"{digest}{number}", repeat=False) for number in numbers]


@pytest.mark.parametrize(
    "arrived", [came(0, 1), came(0, 1, 2), came(0, 0, 1, 1), came(0, 1) + came(0, session="b", digest="e")]
)
def test_what_was_acknowledged_arrives_in_order_and_may_come_again(arrived: list[Arrival]) -> None:
    assert wrongs(SENT, arrived) == []


@pytest.mark.parametrize(
    ("arrived", "kept", "found"),
    [
        (came(0), (), ["a 1 was answered 202, and is lost"]),
        (came(0), {"id-1"}, []),
        (came(1), (), ["a 0 was answered 200, and is lost"]),
        (came(0, 1, 0), (), ["a: 0 arrived after 1"]),
        (came(0, 2, 1), (), ["a: 1 arrived after 2"]),
        (came(0, 1, 3), (), ["a 3 arrived and was never sent"]),
        (came(0, 1) + came(2, digest="x"), (), ["a 2 arrived and was never sent"]),
        (came(0, 1) + came(0, session="c"), (), ["c 0 arrived and was never sent"]),
    ],
)
def test_what_is_lost_out_of_order_or_invented_is_told(
    arrived: list[Arrival], kept: set[str], found: list[str]
) -> None:
    assert wrongs(SENT, arrived, kept) == found


@pytest.mark.parametrize(
    ("arrived", "found"),
    [
        (came(0, 1, 0), []),  # the one that had delivered it was killed before it could note that
        (came(2, 0, 1), []),  # nobody answered for 2
        (came(1, 0), ["a: 0 arrived after 1"]),
        (came(1, 1, 0), ["a: 0 arrived after 1"]),
        (came(0), ["a 1 was answered 202, and is lost"]),
    ],
)
def test_of_several_proxies_the_first_deliveries_of_what_was_answered_for_are_in_order(
    arrived: list[Arrival], found: list[str]
) -> None:
    assert wrongs(SENT, arrived, one_proxy=False) == found


def test_events_are_counted() -> None:
    assert figures(SENT, came(0, 0, 1)) == Figures(sent=4, acknowledged=2, spooled=1, arrived=2, repeats=1)


def test_unanswered_events_after_a_later_one_are_counted_as_late() -> None:
    sent = {"a": [SENT["a"][2]._replace(number=0, digest="d0"), *SENT["a"][1:]]}
    assert figures(sent, came(1, 0)).late == 1
    assert figures(SENT, came(1, 0)).late == 0
