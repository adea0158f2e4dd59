"""Errors of a Redis server, worded so that an operator can act on them."""

import asyncio
from typing import Final

from redis.exceptions import AuthenticationError, BusyLoadingError
from redis.exceptions import ConnectionError as NoConnectionError
from redis.exceptions import TimeoutError as NoAnswerError

from statusproxy.config.state_url import Place
from statusproxy.observe.network_errors import in_words
from statusproxy.store.errors import StoreError, StoreInUseError

__all__ = ["LostError", "UnsyncedError", "describe", "is_starting", "may_pass_at_once"]


class LostError(StoreError):
    """Another process touched the keys, or they vanished: they must be read again."""


class UnsyncedError(StoreError):
    """The server took the write, but did not say in time that its disk has it."""


# By the first word of the server's answer (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors).
_WORDS: Final = {
    "WRONGPASS": ("login refused", "correct the user and password in state.url"),
    "NOAUTH": ("login refused", "put the password into state.url"),
    "NOPERM": ("not allowed", "allow the user these commands and keys (ACL SETUSER)"),
    "OOM": ("memory full", "raise the server's maxmemory, nothing else is needed"),
    "MISCONF": ("the server cannot persist", "look at its own log: its disk is full or failing"),
    "READONLY": ("a read-only replica", "name the primary in state.url"),
    "LOADING": ("still loading", "nothing is needed"),
    "MOVED": ("a cluster", "name a single server in state.url"),
    "CROSSSLOT": ("a cluster", "name a single server in state.url"),
}


def describe(error: BaseException, place: Place) -> str:
    """One line for logs and the health answer: what, where, the server's or the kernel's own words, the fix."""
    if isinstance(error, StoreError):
        return str(error)
    detail = place.conceal(str(error)).rstrip(".") or "nothing came back"
    code = getattr(error, "status_code", None) or detail.partition(" ")[0]
    if code in _WORDS:
        word, fix = _WORDS[code]
    elif isinstance(error, AuthenticationError):
        word, fix = _WORDS["WRONGPASS"]
    elif isinstance(error, (NoAnswerError, asyncio.TimeoutError)):
        word, fix = "no answer", "check that the server runs and is not overloaded"
    elif isinstance(error, (NoConnectionError, OSError)):
        word, fix = "no connection", "check that the server runs and can be reached from here"
        origin = error if isinstance(error, OSError) else error.__cause__ or error.__context__
        if isinstance(origin, OSError):
            detail = in_words(origin)
    else:
        word, fix = "cannot be written", ""
    return f"{word}: {place}: {detail}" + (f"; {fix}" if fix else "")


def is_starting(error: BaseException) -> bool:
    """Whether the server may be starting: nothing listens yet, or it still loads its data."""
    return isinstance(error, NoConnectionError) and not isinstance(error, AuthenticationError)


def may_pass_at_once(error: BaseException) -> bool:
    """Whether a new connection may work at once: the old one was cut, or the keys must be read again."""
    if isinstance(error, (AuthenticationError, BusyLoadingError, StoreInUseError)):
        return False
    return isinstance(error, (LostError, NoConnectionError))
