"""What an answer reads for a session that is lost: its words by `set`, as a sentence says them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from statusproxy.config.settings import Channels
from statusproxy.config.templates import SESSION
from statusproxy.status.set_values import Scalar, any_values, by_word, values_for


def reading(channels: Sequence[Channels], word: str | None) -> str | None:
    """What is written for a session that was lost by `word`: `"close"`, or `connected: false` where no text is.

    It is that of the list, or of the first corrected answer where there is no list. None where nothing is written.
    """
    shown = _first(channels)
    values = {} if shown is None else values_for({name: by_word(value) for name, value in shown.set.items()}, word)
    texts = [_json(value) for value in dict.fromkeys(values.values()) if isinstance(value, str)]
    if texts:
        return " and ".join(texts)
    return ", ".join(f"{name}: {_json(value)}" for name, value in values.items()) or None


def to_read(channels: Sequence[Channels], word: str | None) -> str:
    """`the list will read "close"`; or why it reads what the gateway says."""
    shown, written = _first(channels), reading(channels, word)
    if shown is None:
        return "no answer is corrected (no channels are configured), but it counts as disconnected"
    if written is None:
        return f"{answer(channels)} stays as it is (set has no value for this word), but it counts as disconnected"
    return f"{answer(channels)} will read {written}"


def answer(channels: Sequence[Channels]) -> str:
    """What the corrected answer is called: `the list`, where there is one."""
    return "the list" if first_list(channels) is not None else "the answer about it"


def first_list(channels: Sequence[Channels]) -> Channels | None:
    """The first corrected route that is a list, or may be one; None where each is about one session."""
    return min((one for one in channels if SESSION not in one.path), key=lambda one: one.one, default=None)


def connected_words(one: Channels) -> Sequence[str]:
    """What the gateway says of a connected session on this route; `true` where nothing but truth is set."""
    values = any_values({name: by_word(value) for name, value in one.set.items()}).values()
    if any(value is False for value in values) and not any(isinstance(value, str) for value in values):
        return ("true",)
    return one.connected


def _first(channels: Sequence[Channels]) -> Channels | None:
    return first_list(channels) or next(iter(channels), None)


def _json(value: Scalar) -> str:
    return json.dumps(value, ensure_ascii=False)
