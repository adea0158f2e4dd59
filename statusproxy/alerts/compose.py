"""A message as a letter to one target: JSON for webhooks, title and text for everything else."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from statusproxy.alerts.channels.letter import Letter
from statusproxy.alerts.message import document_bytes
from statusproxy.alerts.text import Reader, text
from statusproxy.alerts.values import Message, Target
from statusproxy.alerts.wanted import lines_for

__all__ = ["composer"]


def composer(reader: Callable[[], Reader]) -> Callable[[Message, Target], Letter]:
    """What makes letters of messages; `reader` gives for whom they are now. Moments are in this machine's time zone."""

    def compose(message: Message, target: Target) -> Letter:
        here = replace(reader(), zone=datetime.fromtimestamp(message.at).astimezone().tzinfo)
        said = text(message, lines_for(message, target), here)
        return Letter(
            id=message.id,
            body=document_bytes(message, target, here),
            title=said.title,
            text=said.body,
            good_news=message.type.endswith(".back"),
        )

    return compose
