"""A transport is closed once, because asyncio's over TLS does not bear it twice."""

from statusproxy.proxy.close_once import close_once
from tests.proxy.downstream.stand_ins import StandInTransport


def test_a_transport_is_closed_once() -> None:
    transport = StandInTransport()
    close_once(transport)
    close_once(transport)
    assert transport.is_closing()
    transport.free()
