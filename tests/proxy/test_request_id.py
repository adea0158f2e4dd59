"""The id of a request: the client's own where it may be passed on, else a fresh one."""

import pytest

from statusproxy.proxy.request_id import new_request_id, usable_id


def test_a_fresh_id_is_16_hexadecimal_digits_and_new_each_time() -> None:
    ids = {new_request_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in ids)


@pytest.mark.parametrize("said", [b"a", b"poll-1", b"!~", b"x" * 128])
def test_a_short_printable_id_is_kept(said: bytes) -> None:
    assert usable_id([said]) == said.decode()


@pytest.mark.parametrize(
    "said",
    [None, [], [b""], [b"two words"], [b"x" * 129], ["é".encode()], [b"a\x7f"], [b"a", b"b"]],
    ids=["none", "no value", "empty", "a space", "too long", "not ASCII", "control", "two"],
)
def test_any_other_is_replaced(said: list[bytes] | None) -> None:
    assert usable_id(said) is None
