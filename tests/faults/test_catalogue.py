"""The list of faults is whole, and the page about them is made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from tests.faults import tables
from tests.faults.catalogue import FAULTS, named

PAGE: Final = Path(__file__).parents[2] / "docs" / "reliability.md"

#: The items of the issue that speak of stalls, of cut answers and of losses.
ITEMS: Final = [
    *(f"A{number}" for number in range(1, 4)),
    *(f"B{number}" for number in range(4, 10)),
    *(f"C{number}" for number in range(10, 16)),
    *(f"D{number}" for number in range(16, 18)),
    *(f"E{number}" for number in range(18, 25)),
]


def test_every_item_has_a_fault() -> None:
    assert sorted({fault.item for fault in FAULTS}) == sorted(ITEMS)


def test_no_two_faults_have_one_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_a_fault_is_found_by_its_name_and_by_its_item() -> None:
    assert [fault.name for fault in named("large-answer")] == ["large-answer"]
    assert {fault.item for fault in named("b5")} == {"B5"}
    with pytest.raises(LookupError, match="--list"):
        named("nonsense")


def test_the_page_lists_every_fault_as_it_is() -> None:
    page = PAGE.read_text()
    assert page == tables.replaced(page, "faults", tables.faults(FAULTS)), "python -m tests.faults --faults --write"
