"""The gateways by the names of their presets, and why one has no story."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from statusproxy.demo.dialect import Dialect
from statusproxy.demo.dialects.baileys_api import BAILEYS
from statusproxy.demo.dialects.evolution_api import EVOLUTION_V1, EVOLUTION_V2
from statusproxy.demo.dialects.openwa import OPENWA
from statusproxy.demo.dialects.waha import WAHA
from statusproxy.demo.dialects.whatsmeow import EVOLUTION_GO, WUZAPI
from statusproxy.demo.dialects.wppconnect_server import WPPCONNECT
from statusproxy.demo.dialects.wwebjs_api import WWEBJS

DEFAULT: Final = "gateway-wrapper"
"""The gateway with a story of its own (`statusproxy.demo.story`)."""

DIALECTS: Final[Mapping[str, Dialect]] = {
    one.name: one
    for one in (WPPCONNECT, EVOLUTION_V2, EVOLUTION_V1, WAHA, WWEBJS, WUZAPI, EVOLUTION_GO, OPENWA, BAILEYS)
}
"""Each by its name."""

WITHOUT_EVENTS: Final[Mapping[str, str]] = {
    "gowa": "GOWA sends no event about its connections. Nothing would tell the proxy of a loss, so there is no story "
    "to play. The preset gowa passes every answer through unchanged.",
}
"""Gateways that have a preset and no story, and why."""


class NoStoryError(Exception):
    """There is no gateway of this name, or none whose story can be played; the message says which there are."""


def dialect(name: str) -> Dialect:
    """The gateway of this name. Raises `NoStoryError`."""
    if name in WITHOUT_EVENTS:
        raise NoStoryError(WITHOUT_EVENTS[name])
    if name not in DIALECTS:
        raise NoStoryError(f"unknown gateway {name!r}; known: {', '.join(known())}")
    return DIALECTS[name]


def known() -> tuple[str, ...]:
    """The names that can be asked for, sorted."""
    return tuple(sorted((DEFAULT, *DIALECTS)))
