"""How a gateway's answer is made of the sessions that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statusproxy.demo.dialect import Answer, Seen


def one(make: Callable[[Seen], Any]) -> Answer:
    """An answer about the one session that was asked for."""
    return lambda seen: make(seen[0])


def each(make: Callable[[Seen], Any]) -> Answer:
    """A list of all sessions."""
    return lambda seen: [make(one) for one in seen]


def says(document: Any) -> Answer:
    """The same answer for all who ask."""
    return lambda _: document
