"""Numbers of things."""

import pytest

from statusproxy.observe.counted import counted


@pytest.mark.parametrize(("count", "says"), [(0, "0 events"), (1, "1 event"), (2, "2 events")])
def test_one_is_told_apart_from_all_other_numbers(count: int, says: str) -> None:
    assert counted(count, "event") == says


@pytest.mark.parametrize(("count", "says"), [(1, "1 entry is"), (3, "3 entries are")])
def test_a_plural_may_be_its_own(count: int, says: str) -> None:
    assert counted(count, "entry is", "entries are") == says
