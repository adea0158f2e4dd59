"""Ids for people: counted order, and suggestions for what was mistyped."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from statusproxy.admin.ids import natural_key, natural_keys, near_ids
from statusproxy.pacing import Pacer


def test_numbers_in_ids_count_as_numbers() -> None:
    wanted = ["A2", "a10", "Front Desk", "sales", "Unit 1", "unit 2", "unit 02", "unit 2a", "Unit 10", "unit 10 b"]
    shuffled = random.Random(7).sample(wanted, len(wanted))
    ordered = sorted(shuffled, key=natural_key)
    assert [one.casefold() for one in ordered] != sorted(one.casefold() for one in wanted)
    assert ordered == [
        "A2",
        "a10",
        "Front Desk",
        "sales",
        "Unit 1",
        "unit 02",
        "unit 2",
        "unit 2a",
        "Unit 10",
        "unit 10 b",
    ]


@settings(deadline=None)
@given(some.lists(some.text(some.characters(codec="utf-8")) | some.from_regex(r"[a-c0-9٣ ]{0,8}")))
@pytest.mark.slow
def test_any_ids_have_one_order(ids: list[str]) -> None:
    backwards = ids[::-1]
    assert sorted(ids, key=natural_key) == sorted(backwards, key=natural_key)


async def test_the_keys_of_many_come_in_the_order_of_their_ids() -> None:
    ids = [f"unit {number}" for number in range(1_000)]
    assert await natural_keys(ids, Pacer()) == [natural_key(one) for one in ids]


def test_digits_without_end_are_no_problem() -> None:
    assert natural_key("9" * 10_000) > natural_key("1" * 10_000)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("salse", ["sales"]), ("front-desk", ["Front Desk"]), ("unit 3", ["unit 2", "unit 10"]),
     ("FRONTDESK", ["Front Desk"]), ("marketing", []), ("", []), ("sales ", ["sales"])],
)  # fmt: skip
def test_a_mistyped_id_is_told_its_neighbours(typed: str, meant: list[str]) -> None:
    assert near_ids(typed, ["Front Desk", "unit 10", "sales", "unit 2"]) == meant


def test_a_few_are_suggested_and_never_all() -> None:
    assert near_ids("unit", [f"unit{number}" for number in range(50)]) == ["unit0", "unit1", "unit2"]


def test_ids_that_share_letters_but_no_order_are_not_alike() -> None:
    assert near_ids("abcdefgh", ["hgfedcba"]) == []
