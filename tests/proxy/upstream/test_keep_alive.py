"""How long the gateway keeps an idle connection."""

import pytest

from statusproxy.proxy.upstream.keep_alive import DEFAULT_IDLE, IDLE_MARGIN, promised_idle


@pytest.mark.parametrize(
    ("promised", "expected"),
    [
        (b"timeout=5", 5 - IDLE_MARGIN),
        (b"timeout=60, max=1000", 60 - IDLE_MARGIN),
        (b"max=5, Timeout = 30", 30 - IDLE_MARGIN),
        (b"timeout=0", 0.0),
        (b"timeout=soon", DEFAULT_IDLE),
        (b"max=100", DEFAULT_IDLE),
        (b"", DEFAULT_IDLE),
    ],
)
def test_a_connection_is_kept_for_less_than_the_gateway_promises(promised: bytes, expected: float) -> None:
    assert promised_idle(promised) == expected
