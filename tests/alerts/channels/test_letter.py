"""What became of an attempt."""

from statusproxy.alerts.channels.letter import SENT, Outcome


def test_an_attempt_without_an_error_is_sent() -> None:
    assert Outcome() == SENT
    assert SENT.error is None
