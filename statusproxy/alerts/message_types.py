"""The types of messages, as receivers read them, and the topic and side of an outage that each is about."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from statusproxy.alerts.values import Topic

__all__ = ["BACK", "BEGUN", "SIDES", "TEST", "Side"]

#: The type of a message that an outage began, and lasts.
BEGUN: Final[Mapping[Topic, str]] = {
    Topic.LOST: "session.lost",
    Topic.GATEWAY_DOWN: "gateway.down",
    Topic.WEBHOOKS_SILENT: "webhooks.silent",
    Topic.STORE: "store.failing",
    Topic.SPOOL: "spool.stuck",
}

#: The type of a message that an outage is over.
BACK: Final[Mapping[Topic, str]] = {
    Topic.LOST: "session.back",
    Topic.GATEWAY_DOWN: "gateway.back",
    Topic.WEBHOOKS_SILENT: "webhooks.back",
    Topic.STORE: "store.back",
    Topic.SPOOL: "spool.back",
}

#: The type of the message that `statusproxy alerts test` sends.
TEST: Final = "test"


class Side(NamedTuple):
    """What a message of a type tells: the topic of its outages, and whether they are over."""

    topic: Topic
    over: bool


#: By type; a test message has none.
SIDES: Final[Mapping[str, Side]] = {
    **{name: Side(topic, over=False) for topic, name in BEGUN.items()},
    **{name: Side(topic, over=True) for topic, name in BACK.items()},
}
