"""Tells a listener what other proxies did; what it raises is logged, and holds nothing else up."""

import logging
from collections.abc import Callable
from typing import TypeVarTuple

__all__ = ["tell"]

_News = TypeVarTuple("_News")


def tell(listener: Callable[[*_News], None] | None, log: logging.Logger, failure: str, *news: *_News) -> None:
    """Give news to the listener, if there is one; `failure` is what is logged where it raises."""
    if listener is None:
        return
    try:
        listener(*news)
    except Exception:  # whatever it is, saves go on
        log.exception("state: %s", failure)
