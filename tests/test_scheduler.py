"""The division of the tests among workers."""

from __future__ import annotations

import pytest

from tests.scheduler import Numbered


def test_a_test_has_the_number_that_a_search_would_find() -> None:
    names = [f"tests/test_a.py::test_{number}" for number in range(50)]
    assert [Numbered(names).index(name) for name in names] == [*range(50)]


def test_workers_with_the_same_tests_are_seen_to_have_the_same() -> None:
    assert Numbered(["a", "b"]) == Numbered(["a", "b"]) != Numbered(["b", "a"])


def test_an_unknown_test_is_an_error() -> None:
    with pytest.raises(ValueError, match="test_x is not in the collection"):
        Numbered(["a"]).index("test_x")
