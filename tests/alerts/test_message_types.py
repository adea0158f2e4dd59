"""The types of messages, which receivers read."""

from statusproxy.alerts.message_types import BACK, BEGUN, SIDES, TEST
from statusproxy.alerts.values import Topic


def test_the_types_are_those_that_receivers_know() -> None:
    assert list(zip(BEGUN.values(), BACK.values(), strict=True)) == [
        ("session.lost", "session.back"),
        ("gateway.down", "gateway.back"),
        ("webhooks.silent", "webhooks.back"),
        ("store.failing", "store.back"),
        ("spool.stuck", "spool.back"),
    ]
    assert TEST not in SIDES


def test_every_topic_but_back_begins_and_ends_with_a_type() -> None:
    assert list(BEGUN) == list(BACK) == [topic for topic in Topic if topic is not Topic.BACK]
    assert SIDES["gateway.down"] == (Topic.GATEWAY_DOWN, False)
    assert SIDES["session.back"] == (Topic.LOST, True)
