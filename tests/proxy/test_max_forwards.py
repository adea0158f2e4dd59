"""How many hops OPTIONS and TRACE may still travel."""

import pytest

from statusproxy.proxy.http1.head import Header
from statusproxy.proxy.max_forwards import BOUNDED, one_hop_less

OTHER: Header = (b"Accept", b"*/*")


def test_two_methods_are_bounded() -> None:
    assert {"OPTIONS", "TRACE"} == BOUNDED


@pytest.mark.parametrize(
    ("said", "told"), [(b"1", b"0"), (b"10", b"9"), (b"007", b"6"), (b"9" * 9, b"999999998"), (b"9" * 40, b"999999999")]
)
def test_each_hop_takes_one(said: bytes, told: bytes) -> None:
    assert one_hop_less([OTHER, (b"max-forwards", said)]) == [OTHER, (b"max-forwards", told)]


@pytest.mark.parametrize("said", [b"0", b"000"])
def test_at_zero_it_may_travel_no_further(said: bytes) -> None:
    assert one_hop_less([(b"Max-Forwards", said), OTHER]) is None


@pytest.mark.parametrize(
    "fields",
    [[OTHER], [(b"Max-Forwards", b"-1")], [(b"Max-Forwards", b"")], [(b"Max-Forwards", b"0"), (b"Max-Forwards", b"0")]],
    ids=["none", "negative", "empty", "two"],
)
def test_without_one_number_nothing_is_bounded(fields: list[Header]) -> None:
    assert one_hop_less(fields) == fields
