"""Moments in messages."""

from statusproxy.admin import messages, moment


def test_messages_have_the_moments_of_the_admin_listener() -> None:
    assert messages.Moment is moment.Moment
