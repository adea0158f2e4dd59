"""The dialect where no preset says otherwise, as the program's data gives it; for tests that read events by it."""

from collections.abc import Iterable
from typing import Any, Final

from msgspec.structs import replace

from statusproxy.config.load import loads
from statusproxy.status.dialect import Dialect
from statusproxy.status.signals import EventRule, SignalRules

KNOWN: Final = loads("gateway: http://gateway.example\npreset: null").signal_rules().dialect


def known(**changes: Any) -> Dialect:
    """That dialect with some members changed."""
    return replace(KNOWN, **changes)


def known_rules(rules: Iterable[EventRule], **more: Any) -> SignalRules:
    """Rules that read events by that dialect, unless told another."""
    return SignalRules(tuple(rules), **{"dialect": KNOWN, **more})
