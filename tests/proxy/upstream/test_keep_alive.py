"""How long the gateway keeps an idle connection."""

import pytest

from statusproxy.proxy.upstream.keep_alive import _promised, promised_idle


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        (b"timeout=5", 4.0),
        (b"timeout=60, max=1000", 59.0),
        (b"max=5, Timeout = 30", 29.0),
        (b"timeout=0", 0.0),
        (b"timeout=soon", 4.0),
        (b"max=100", 4.0),
        (b"", 4.0),
    ],
)
def test_a_connection_is_kept_for_less_than_the_gateway_promises(promised: bytes, expected: float) -> None:
    assert promised_idle(promised) == expected


def test_a_promise_that_is_too_long_is_neither_read_nor_remembered() -> None:
    _promised.cache_clear()
    assert promised_idle(b"timeout=60".ljust(256)) == 59.0
    assert promised_idle(b"timeout=60".ljust(257)) == 4.0
    assert _promised.cache_info().currsize == 1
